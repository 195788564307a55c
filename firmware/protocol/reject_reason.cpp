// SPDX-License-Identifier: Apache-2.0
#include "protocol/reject_reason.hpp"

#include <numeric>

namespace sealcam::protocol {

std::string_view name(RejectReason reason) noexcept {
  switch (reason) {
    case RejectReason::not_member: return "not_member";
    case RejectReason::wrong_account: return "wrong_account";
    case RejectReason::bad_signature: return "bad_signature";
    case RejectReason::not_decryptable: return "not_decryptable";
    case RejectReason::replayed: return "replayed";
    case RejectReason::out_of_order: return "out_of_order";
    case RejectReason::closed_epoch: return "closed_epoch";
    case RejectReason::malformed: return "malformed";
    case RejectReason::cloned: return "cloned";
    case RejectReason::unknown_hub: return "unknown_hub";
    case RejectReason::other_signer: return "other_signer";
    case RejectReason::too_often: return "too_often";
    case RejectReason::wrong_epoch: return "wrong_epoch";
    case RejectReason::not_allowed: return "not_allowed";
  }
  return "unknown";
}

RejectReason to_reject_reason(const Error& error) noexcept {
  switch (error.code) {
    case Errc::wrong_key: return RejectReason::wrong_account;
    case Errc::bad_signature:
    case Errc::crypto: return RejectReason::bad_signature;
    case Errc::not_decryptable:
    case Errc::not_found: return RejectReason::not_decryptable;
    default: return RejectReason::malformed;
  }
}

std::uint64_t RejectCounts::total() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

RejectCounts& RejectCounts::operator+=(const RejectCounts& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  return *this;
}

}  // namespace sealcam::protocol
