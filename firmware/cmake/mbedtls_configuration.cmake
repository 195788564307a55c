# mbedTLS is configured when it is built, and upstream's default is for one thread: its PSA then has races that nothing
# reports. Debian's is for threads; board/yocto/meta-sealcam makes Yocto's so.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES MbedTLS::mbedcrypto)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # the header alone is asked
foreach(option THREADING_C THREADING_PTHREAD PSA_CRYPTO_STORAGE_C PSA_ITS_FILE_C SSL_PROTO_TLS1_3 SSL_KEYING_MATERIAL_EXPORT)
  check_c_source_compiles("#include <mbedtls/build_info.h>
#ifndef MBEDTLS_${option}
#error it is off
#endif
int present;" SEALCAM_MBEDTLS_${option})
  if(NOT SEALCAM_MBEDTLS_${option})
    message(FATAL_ERROR "mbedTLS was built without MBEDTLS_${option}; board/yocto/meta-sealcam/README.md says why Sealcam needs it")
  endif()
endforeach()
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
unset(CMAKE_REQUIRED_LIBRARIES)
