# One target that carries the project's compile and link flags; nothing is set globally.
add_library(sealcam_flags INTERFACE)
target_compile_features(sealcam_flags INTERFACE cxx_std_23)
target_compile_options(sealcam_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -fstack-protector-strong        # canaries on functions with buffers
  $<$<NOT:$<BOOL:${SEALCAM_FUZZ}>>:-fno-strict-overflow>  # signed overflow wraps instead of licensing the optimiser; fuzzers report it
  $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>
  $<$<CONFIG:Debug>:-D_GLIBCXX_ASSERTIONS>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
  target_compile_options(sealcam_flags INTERFACE -Wno-psabi)  # thousands of notes about how GCC 6 passed arguments
endif()
if("${CMAKE_CXX_COMPILER_ARG1} ${CMAKE_CXX_FLAGS}" MATCHES "-D_FORTIFY_SOURCE")
  target_compile_options(sealcam_flags BEFORE INTERFACE -U_FORTIFY_SOURCE)  # a distribution's weaker one, as Yocto's
endif()
set_target_properties(sealcam_flags PROPERTIES INTERFACE_POSITION_INDEPENDENT_CODE ON)
target_link_options(sealcam_flags INTERFACE
  -Wl,-z,relro,-z,now             # no writable GOT after start
  -Wl,-z,noexecstack
  -Wl,--as-needed)
if(SEALCAM_SANITIZE)
  target_compile_options(sealcam_flags INTERFACE -fsanitize=${SEALCAM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE)
  target_link_options(sealcam_flags INTERFACE -fsanitize=${SEALCAM_SANITIZE})
endif()
if(SEALCAM_FUZZ)
  # Coverage is counted in the project's own libraries too; only fuzzers link libFuzzer's main.
  target_compile_options(sealcam_flags INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sealcam_flags INTERFACE -fsanitize=address,undefined)
endif()
