# Builds for another machine: a board's toolchain file, or the environment of a Yocto SDK. Include it after project() and
# before any install().
if(DEFINED ENV{OECORE_TARGET_SYSROOT} AND NOT CMAKE_CROSSCOMPILING)
  # Without a toolchain file CMake would take this machine's headers and libraries beside the SDK's compiler.
  message(FATAL_ERROR "This is the environment of a Yocto SDK that names no toolchain file for CMake. Start again in an empty "
    "build folder with --toolchain ${PROJECT_SOURCE_DIR}/toolchains/yocto-sdk.cmake")
endif()

# Programs of a board have no business in this machine's /usr/local: where neither a prefix nor DESTDIR is given,
# `cmake --install` makes a tree to copy, target/ in the build folder, for a board's /usr.
if(CMAKE_CROSSCOMPILING AND CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set_property(CACHE CMAKE_INSTALL_PREFIX PROPERTY VALUE /usr)
  set(SEALCAM_STAGED ON CACHE INTERNAL "Nobody chose a prefix when this build folder was new")
endif()
if(SEALCAM_STAGED)
  install(CODE "if(NOT DEFINED ENV{DESTDIR} AND CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
  set(ENV{DESTDIR} \"${PROJECT_BINARY_DIR}/target\")
endif()" ALL_COMPONENTS)
endif()
