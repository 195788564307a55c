# What Sealcam stands on; README.md says why each is there.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.4 REQUIRED)
find_package(Boost 1.88 CONFIG REQUIRED)        # headers only: Asio, Beast, MQTT5
find_package(MbedTLS 3.6 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libcbor REQUIRED IMPORTED_TARGET libcbor>=0.10)
pkg_check_modules(avcodec REQUIRED IMPORTED_TARGET libavcodec>=61)
pkg_check_modules(avformat REQUIRED IMPORTED_TARGET libavformat>=61)
pkg_check_modules(avutil REQUIRED IMPORTED_TARGET libavutil>=59)
pkg_check_modules(swscale REQUIRED IMPORTED_TARGET libswscale>=8)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)

# Boost.Asio without its deprecated parts; set once so that every includer sees the same Asio.
add_library(sealcam_asio INTERFACE)
target_link_libraries(sealcam_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(sealcam_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_compile_options(sealcam_asio INTERFACE -Wno-maybe-uninitialized)
if(SEALCAM_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Asio's fences: one thread runs each io_context here, so the sanitizer misses nothing by not modelling them.
  target_compile_options(sealcam_asio INTERFACE -Wno-tsan)
endif()
