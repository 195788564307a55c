# Builds for another machine: a board's toolchain file, or the environment of a Yocto SDK. Include it after project() and
# before any install().
if(DEFINED ENV{OECORE_TARGET_SYSROOT} AND NOT CMAKE_CROSSCOMPILING)
  # Without a toolchain file, CMake would combine the compiler of the SDK with headers and libraries of this machine.
  message(FATAL_ERROR "this is the environment of a Yocto SDK without a toolchain file for CMake; configure an empty "
    "build folder with --toolchain ${PROJECT_SOURCE_DIR}/toolchains/yocto-sdk.cmake")
endif()

# Programs for a board must not be installed into /usr/local of this machine. Without a prefix and DESTDIR, `cmake --install` makes
# the tree target/ in the build folder. Copy it to /usr of the board.
if(CMAKE_CROSSCOMPILING AND CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set_property(CACHE CMAKE_INSTALL_PREFIX PROPERTY VALUE /usr)
  set(SEALCAM_STAGED ON CACHE INTERNAL "The first configuration of this build folder had no prefix")
endif()
if(SEALCAM_STAGED)
  install(CODE "if(NOT DEFINED ENV{DESTDIR} AND CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
  set(ENV{DESTDIR} \"${PROJECT_BINARY_DIR}/target\")
endif()" ALL_COMPONENTS)
endif()
