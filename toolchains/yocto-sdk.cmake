# For a Yocto SDK whose environment script sets no CMAKE_TOOLCHAIN_FILE. Read the script, then run cmake --toolchain with this file.
# CC, CXX, CFLAGS, LDFLAGS and PKG_CONFIG_… of the script have the other settings. An SDK with its own toolchain file does not need this one.
if(NOT DEFINED ENV{OECORE_TARGET_SYSROOT})
  message(FATAL_ERROR "this shell has no environment of a Yocto SDK; run the environment-setup script of the SDK with . first")
endif()
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{OECORE_TARGET_ARCH})
set(CMAKE_SYSROOT $ENV{OECORE_TARGET_SYSROOT})

# Finds programs in the SDK and on this machine, and everything else in the sysroot.
set(CMAKE_FIND_ROOT_PATH $ENV{OECORE_TARGET_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
