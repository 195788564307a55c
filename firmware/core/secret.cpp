// SPDX-License-Identifier: Apache-2.0
#include "core/secret.hpp"

#include <cstring>

namespace sealcam {

void wipe(MutableBytes memory) noexcept { ::explicit_bzero(memory.data(), memory.size()); }

}  // namespace sealcam
