# Headers that are slow to compile. A source file of heavy/ compiles the code of such a library that is not a template, once. The
# templates are in a precompiled header.
set(heavy ${CMAKE_CURRENT_LIST_DIR}/heavy)

# Boost.Asio without its deprecated parts. The definition is here, because all files must use the same Asio.
add_library(sealcam_asio STATIC ${heavy}/asio.cpp)
target_link_libraries(sealcam_asio PUBLIC Boost::headers Threads::Threads PRIVATE sealcam_flags)
target_compile_definitions(sealcam_asio PUBLIC
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
target_compile_options(sealcam_asio PUBLIC $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(SEALCAM_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # The sanitizer does not support Asio's fences. This hides no race, because one thread runs each io_context.
  target_compile_options(sealcam_asio PUBLIC -Wno-tsan)
endif()

add_library(sealcam_cli11 STATIC ${heavy}/cli11.cpp)
target_link_libraries(sealcam_cli11 PUBLIC CLI11::CLI11 PRIVATE sealcam_flags)
target_compile_definitions(sealcam_cli11 PUBLIC CLI11_COMPILE)
target_compile_options(sealcam_cli11 PRIVATE -w)

# sealcam_precompiled(TARGET): TARGET uses a precompiled header with the standard library; an executable's has Catch2, too.
# A precompiled header is valid for one set of options, so there is one for test programs (-fPIE) and one for libraries (-fPIC). Clang
# is excluded, because its precompiled headers contain time stamps that defeat a compiler cache.
set(standard_headers <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <deque> <expected> <filesystem>
  <format> <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <utility> <variant> <vector>)
# sealcam_precompiled_checksum(TARGET CONTENT): GCC writes a precompiled header with other bytes in each folder, so ccache compares this file
# beside it instead (CCACHE_PCH_EXTSUM). It names what the header is made of; ccache itself compares the options.
function(sealcam_precompiled_checksum target content)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} --version OUTPUT_VARIABLE compiler)
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.gch.sum
    CONTENT "${compiler}${standard_headers}\n${content}\n$<TARGET_PROPERTY:${target},COMPILE_OPTIONS>\n")
endfunction()
option(SEALCAM_PRECOMPILE "Precompile the standard library's headers" ON)
if(SEALCAM_PRECOMPILE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_library(sealcam_precompiled_library OBJECT EXCLUDE_FROM_ALL ${heavy}/nothing.cpp)
  target_precompile_headers(sealcam_precompiled_library PRIVATE ${standard_headers})
  target_link_libraries(sealcam_precompiled_library PRIVATE sealcam_flags)
  sealcam_precompiled_checksum(sealcam_precompiled_library "")
  # ccache requires this to detect a changed precompiled header.
  target_compile_options(sealcam_flags INTERFACE -fpch-preprocess)
endif()
function(sealcam_precompiled target)
  if(TARGET sealcam_precompiled_library)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      if(NOT TARGET sealcam_precompiled_tests)
        return()
      endif()
      target_precompile_headers(${target} REUSE_FROM sealcam_precompiled_tests)
    else()
      target_precompile_headers(${target} REUSE_FROM sealcam_precompiled_library)
    endif()
  endif()
endfunction()
