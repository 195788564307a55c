// SPDX-License-Identifier: Apache-2.0
/// Who asks for pictures, and may.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "core/clock.hpp"
#include "protocol/ask.hpp"
#include "protocol/roster.hpp"
#include "stream/window.hpp"

namespace sealcam::stream {

/// Why an ask was not answered. The sender is never told.
enum class AskRefusal : std::uint8_t {
  malformed,
  unknown_hub,     ///< not on the roster, or its integration is suspended
  foreign_signer,  ///< signed in another device's name than the topic's
  too_often,
  bad_signature,
  wrong_epoch,
  replayed,     ///< its number does not grow
  not_allowed,  ///< wants to switch privacy, which the roster does not let this hub do
};
inline constexpr std::size_t ask_refusals = 8;
[[nodiscard]] const char* name(AskRefusal refusal) noexcept;

struct AskCounters {
  std::uint64_t accepted = 0;
  std::uint64_t verified = 0;  ///< signatures checked
  std::array<std::uint64_t, ask_refusals> refused{};
  [[nodiscard]] std::uint64_t operator[](AskRefusal r) const noexcept { return refused[static_cast<std::size_t>(r)]; }
};

struct AcceptedAsk {
  protocol::Ask ask;
  bool first_in_epoch = false;  ///< the hub's first for pictures in this epoch
};

/// Checks asks. What is cheap comes first; a signature is checked at most twice a second per hub and
/// 32 times a second in all, so that a flood costs next to nothing. Thread-bound.
class AskKeeper {
 public:
  static constexpr std::size_t per_hub = 2;  ///< signatures checked in any second
  static constexpr std::size_t in_all = 32;
  static constexpr std::size_t largest = 512;  ///< bytes of an ask's message

  AskKeeper(const protocol::Route& route, const Clock& clock) : route_(route), clock_(clock) {}

  /// Hubs that stay keep the number of their last ask. Errors: malformed, crypto (a hub's key cannot
  /// be used; that hub is left out, the others are served).
  [[nodiscard]] Result<> set_roster(const protocol::Roster& roster);
  /// Nothing: every ask is refused.
  void set_epoch(std::optional<Epoch> epoch);

  /// A message from the topic ask/<hub>; nothing when it was refused and counted.
  [[nodiscard]] std::optional<AcceptedAsk> offer(const DeviceId& hub, ByteView message);
  [[nodiscard]] const AskCounters& counters() const noexcept { return counters_; }

 private:
  struct Hub {
    crypto::Verifier verifier;
    Window<per_hub> window;
    AskSeq last;
    bool any = false;
    bool may_switch_privacy = false;
    bool asked_in_epoch = false;
  };
  [[nodiscard]] std::expected<AcceptedAsk, AskRefusal> check(const DeviceId& hub, ByteView message);

  protocol::Route route_;
  const Clock& clock_;
  std::map<DeviceId, Hub> hubs_;
  Window<in_all> window_;
  std::optional<Epoch> epoch_;
  AskCounters counters_;
};

}  // namespace sealcam::stream
