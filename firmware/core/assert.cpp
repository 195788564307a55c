// SPDX-License-Identifier: Apache-2.0
#include "core/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace sealcam {

void assertion_failed(const char* condition, const std::source_location& where) noexcept {
  std::fprintf(stderr, "%s:%u: %s: assertion failed: %s\n", where.file_name(), where.line(), where.function_name(),
               condition);
  std::abort();
}

}  // namespace sealcam
