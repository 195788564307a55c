// SPDX-License-Identifier: Apache-2.0
#include "core/secret.hpp"

#include <cstring>

namespace sealcam {

void wipe(MutableBytes memory) noexcept {
  if (!memory.empty()) ::explicit_bzero(memory.data(), memory.size());  // an empty span may hold no address
}

}  // namespace sealcam
