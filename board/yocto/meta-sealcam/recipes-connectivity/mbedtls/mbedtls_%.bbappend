# Sealcam uses PSA from several threads, and upstream's default is for one. The header is what says so, to the library and
# to all who use it: their structures have mutexes then.
do_configure:prepend() {
    sed -i -e 's,^//\(#define MBEDTLS_THREADING_\(C\|PTHREAD\)\)$,\1,' ${S}/include/mbedtls/mbedtls_config.h
    for option in THREADING_C THREADING_PTHREAD; do
        grep -q "^#define MBEDTLS_$option\$" ${S}/include/mbedtls/mbedtls_config.h || bbfatal "mbedTLS stays without MBEDTLS_$option"
    done
}
