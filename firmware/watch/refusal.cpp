// SPDX-License-Identifier: Apache-2.0
#include "watch/refusal.hpp"

#include <numeric>

namespace sealcam::watch {

std::string_view name(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::not_member: return "not_member";
    case Refusal::wrong_account: return "wrong_account";
    case Refusal::bad_signature: return "bad_signature";
    case Refusal::not_decryptable: return "not_decryptable";
    case Refusal::replayed: return "replayed";
    case Refusal::out_of_order: return "out_of_order";
    case Refusal::closed_epoch: return "closed_epoch";
    case Refusal::malformed: return "malformed";
    case Refusal::cloned: return "cloned";
  }
  return "unknown";
}

std::uint64_t RefusalCounts::total() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

RefusalCounts& RefusalCounts::operator+=(const RefusalCounts& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  return *this;
}

}  // namespace sealcam::watch
