// SPDX-License-Identifier: Apache-2.0
/// Reasons to reject a message. Each rejected message is counted under exactly one. The sender is not told.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace sealcam::protocol {

enum class RejectReason : std::uint8_t {
  not_member,       ///< no roster lists this hub for the camera
  wrong_account,    ///< the message names another signer than the camera of its topic
  bad_signature,    ///< the signature does not match the key of the named signer
  not_decryptable,  ///< no grant opened for the epoch, or the AEAD failed
  replayed,         ///< the counter or sequence number was received before
  out_of_order,     ///< not received before, but older than the newest accepted message
  closed_epoch,     ///< the epoch was replaced by another one
  malformed,        ///< the message does not have the form of its kind
  cloned,           ///< two devices use the camera's identity (watch/epochs.hpp)
  unknown_hub,      ///< the hub is not on the roster, or its integration is suspended
  other_signer,     ///< another device signed than the hub of the topic
  too_often,        ///< the hub, or all hubs together, exceeded the rate
  wrong_epoch,      ///< the view request names another epoch
  not_allowed,      ///< the roster does not permit this hub to switch privacy
};

/// Reasons that a hub counts, in the order of its checks: topic, form, signature, AEAD, order.
inline constexpr std::array hub_reject_reasons{
    RejectReason::not_member,      RejectReason::wrong_account, RejectReason::bad_signature,
    RejectReason::not_decryptable, RejectReason::replayed,      RejectReason::out_of_order,
    RejectReason::closed_epoch,    RejectReason::malformed,     RejectReason::cloned};

/// Reasons that a camera counts for view requests.
inline constexpr std::array request_reject_reasons{
    RejectReason::malformed,     RejectReason::unknown_hub, RejectReason::other_signer, RejectReason::too_often,
    RejectReason::bad_signature, RejectReason::wrong_epoch, RejectReason::replayed,     RejectReason::not_allowed};

/// The name in JSON and metrics. Never empty.
[[nodiscard]] std::string_view name(RejectReason reason) noexcept;

/// The reason for an error of a decoder or a signature check.
[[nodiscard]] RejectReason to_reject_reason(const Error& error) noexcept;

/// One counter for each reason. Thread-bound.
class RejectCounts {
 public:
  void add(RejectReason reason) noexcept { ++counts_[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] std::uint64_t operator[](RejectReason reason) const noexcept {
    return counts_[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t total() const noexcept;
  RejectCounts& operator+=(const RejectCounts& other) noexcept;
  friend bool operator==(const RejectCounts&, const RejectCounts&) = default;

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(RejectReason::not_allowed) + 1> counts_{};
};

}  // namespace sealcam::protocol
