# Checks the build options of mbedTLS. By default mbedTLS supports one thread only, and PSA then has data races that it does not
# report. Debian enables threads. board/yocto/meta-sealcam enables them for Yocto.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES MbedTLS::mbedcrypto)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # compiles only, because the header is sufficient
foreach(option THREADING_C THREADING_PTHREAD PSA_CRYPTO_STORAGE_C PSA_ITS_FILE_C SSL_PROTO_TLS1_3 SSL_KEYING_MATERIAL_EXPORT)
  check_c_source_compiles("#include <mbedtls/build_info.h>
#ifndef MBEDTLS_${option}
#error it is off
#endif
int present;" SEALCAM_MBEDTLS_${option})
  if(NOT SEALCAM_MBEDTLS_${option})
    message(FATAL_ERROR "mbedTLS was built without MBEDTLS_${option}; board/yocto/meta-sealcam/README.md explains why Sealcam requires it")
  endif()
endforeach()
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
unset(CMAKE_REQUIRED_LIBRARIES)
