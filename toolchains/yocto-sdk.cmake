# For a Yocto SDK whose environment script sets no CMAKE_TOOLCHAIN_FILE; after the script: cmake --toolchain this file.
# The script's CC, CXX, CFLAGS, LDFLAGS and PKG_CONFIG_… say the rest; an SDK with a toolchain file of its own needs none of this.
if(NOT DEFINED ENV{OECORE_TARGET_SYSROOT})
  message(FATAL_ERROR "No Yocto SDK here: read its environment-setup script into this shell first")
endif()
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{OECORE_TARGET_ARCH})
set(CMAKE_SYSROOT $ENV{OECORE_TARGET_SYSROOT})

# Programs of the SDK and of this machine, everything else of the target.
set(CMAKE_FIND_ROOT_PATH $ENV{OECORE_TARGET_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
