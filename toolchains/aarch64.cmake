# 64-bit ARM Linux (ARMv8-A): Raspberry Pi 3, 4, 5, Zero 2 W, QEMU's virt and raspi3b.
set(triple aarch64-linux-gnu)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;${CMAKE_SYSROOT})
