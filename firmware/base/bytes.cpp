// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <algorithm>
#include <cstring>

namespace sealcam {

bool equal(ByteView a, ByteView b) noexcept { return std::ranges::equal(a, b); }

void wipe(MutableBytes memory) noexcept {
  if (!memory.empty()) ::explicit_bzero(memory.data(), memory.size());  // an empty span may hold a null pointer
}

}  // namespace sealcam
