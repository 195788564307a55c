// SPDX-License-Identifier: Apache-2.0
// A library for LD_PRELOAD that hides the AES and SHA instructions of the emulated processor. The processors of
// Raspberry Pi 3, 4 and Zero 2 W lack them. Libraries call getauxval(3) before they use these instructions.
#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstdlib>

extern "C" unsigned long getauxval(unsigned long type) noexcept {
  using Function = unsigned long (*)(unsigned long) noexcept;
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getauxval"));
  if (real == nullptr) std::abort();
  // arm64: HWCAP_AES, PMULL, SHA1, SHA2 are bits 3 to 6, HWCAP_SHA3 17, HWCAP_SHA512 21.
  constexpr unsigned long crypto = 0xfUL << 3 | 1UL << 17 | 1UL << 21;
  const auto value = real(type);
  return type == AT_HWCAP ? value & ~crypto : value;
}
