// SPDX-License-Identifier: Apache-2.0
// LD_PRELOAD for an emulated program: the processor has no instructions for AES and SHA, as that of a Raspberry Pi 3, 4
// and Zero 2 W. Libraries ask getauxval(3) before they use them.
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
