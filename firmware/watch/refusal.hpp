// SPDX-License-Identifier: Apache-2.0
/// Why a message was refused: exactly one reason each, counted, never told to the sender.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sealcam::watch {

/// In the order of the checks: route, form, signature, AEAD, order.
enum class Refusal : std::uint8_t {
  not_member,       ///< no roster of ours lists us for this camera
  wrong_account,    ///< the topic's camera is ours, but somebody else claims to have signed
  bad_signature,    ///< signed in the camera's name, not with its key
  not_decryptable,  ///< no grant opened for its epoch, or the AEAD failed
  replayed,         ///< this counter was seen before
  out_of_order,     ///< never seen, but older than what is shown
  closed_epoch,     ///< of an epoch that another one replaced
  malformed,        ///< not the form that it claims
  cloned,           ///< two devices live with this camera's identity (clone_watch.hpp)
};
inline constexpr std::array all_refusals{Refusal::not_member,      Refusal::wrong_account, Refusal::bad_signature,
                                         Refusal::not_decryptable, Refusal::replayed,      Refusal::out_of_order,
                                         Refusal::closed_epoch,    Refusal::malformed,     Refusal::cloned};

/// As it is spelled in JSON and metrics. Never empty.
[[nodiscard]] std::string_view name(Refusal refusal) noexcept;

/// One counter for each reason. Thread-bound.
class RefusalCounts {
 public:
  void add(Refusal refusal) noexcept { ++counts_[static_cast<std::size_t>(refusal)]; }
  [[nodiscard]] std::uint64_t operator[](Refusal refusal) const noexcept {
    return counts_[static_cast<std::size_t>(refusal)];
  }
  [[nodiscard]] std::uint64_t total() const noexcept;
  RefusalCounts& operator+=(const RefusalCounts& other) noexcept;
  friend bool operator==(const RefusalCounts&, const RefusalCounts&) = default;

 private:
  std::array<std::uint64_t, all_refusals.size()> counts_{};
};

}  // namespace sealcam::watch
