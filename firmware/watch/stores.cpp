// SPDX-License-Identifier: Apache-2.0
#include "watch/stores.hpp"

namespace sealcam::watch {

Result<AskSeq> AskSequence::next() {
  if (left_ == 0) {
    const auto first = store_.reserve(block);
    if (!first) return std::unexpected(first.error());
    next_ = first->value();
    left_ = block;
  }
  --left_;
  return AskSeq(next_++);
}

}  // namespace sealcam::watch
