# The target sealcam_flags has the compile and link flags of the project. There are no global flags.
add_library(sealcam_flags INTERFACE)
target_compile_features(sealcam_flags INTERFACE cxx_std_23)
target_compile_options(sealcam_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -fstack-protector-strong        # canaries on functions with buffers
  $<$<NOT:$<BOOL:${SEALCAM_FUZZ}>>:-fno-strict-overflow>  # signed overflow wraps, so that the optimizer removes no checks; fuzzers report it
  $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>
  -D_GLIBCXX_ASSERTIONS)          # bounds of containers, spans and optionals, also in releases
# Return addresses and indirect branches lead only to where the compiler allows it.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)")
  target_compile_options(sealcam_flags INTERFACE -mbranch-protection=standard)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)")
  target_compile_options(sealcam_flags INTERFACE -fcf-protection)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
  target_compile_options(sealcam_flags INTERFACE -Wno-psabi)  # otherwise GCC prints thousands of notes about the ABI of GCC 6
endif()
if("${CMAKE_CXX_COMPILER_ARG1} ${CMAKE_CXX_FLAGS}" MATCHES "-D_FORTIFY_SOURCE")
  target_compile_options(sealcam_flags BEFORE INTERFACE -U_FORTIFY_SOURCE)  # removes a lower level of the distribution, for example Yocto's
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Otherwise GCC treats a source file that the combined file includes like a header, whose types must not use anonymous namespaces.
  target_compile_options(sealcam_flags INTERFACE $<$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>:-Wno-subobject-linkage>)
endif()
set_target_properties(sealcam_flags PROPERTIES INTERFACE_POSITION_INDEPENDENT_CODE ON)
target_link_options(sealcam_flags INTERFACE
  -Wl,-z,relro,-z,now             # the GOT is read-only after the start
  -Wl,-z,noexecstack
  -Wl,--as-needed)
if(SEALCAM_SANITIZE)
  target_compile_options(sealcam_flags INTERFACE -fsanitize=${SEALCAM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE)
  target_link_options(sealcam_flags INTERFACE -fsanitize=${SEALCAM_SANITIZE})
endif()
if(SEALCAM_FUZZ)
  # The libraries of the project also count coverage. Only fuzzers link the main function of libFuzzer.
  target_compile_options(sealcam_flags INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sealcam_flags INTERFACE -fsanitize=address,undefined)
endif()
