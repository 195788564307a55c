// SPDX-License-Identifier: Apache-2.0
/// Validates the view requests of hubs.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>

#include "base/clock.hpp"
#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"

namespace sealcam::stream {

using protocol::Epoch;
using protocol::RejectReason;
using protocol::RequestSeq;

/// Allows at most N events in any second. Keeps the times of the last N. Thread-bound.
template <std::size_t N>
class RateWindow {
 public:
  [[nodiscard]] bool full(MonotonicTime now) const noexcept {
    return used_ == N && now - times_[oldest_] < std::chrono::seconds(1);
  }
  void count(MonotonicTime now) noexcept {
    times_[oldest_] = now;
    oldest_ = (oldest_ + 1) % N;
    if (used_ < N) ++used_;
  }

 private:
  std::array<MonotonicTime, N> times_{};
  std::size_t oldest_ = 0;
  std::size_t used_ = 0;
};

struct RequestCounters {
  std::uint64_t accepted = 0;
  std::uint64_t verified = 0;  ///< checked signatures
  protocol::RejectCounts rejected;
};

struct AcceptedRequest {
  protocol::ViewRequest request;
  bool report_due = false;  ///< answer with a report
  protocol::Nonce nonce{};  ///< for the report that answers a request of the kind nonce
};

/// A verified request of a hub on the roster for an epoch that this camera never began: the counter of the epoch is
/// higher than that of the current one. Either the camera's state was restored from an old copy, or a second device
/// has the camera's identity, or the hub reports a wrong epoch.
struct LaterEpoch {
  DeviceId hub;
  Epoch epoch;
};

/// Checks view requests, cheap checks first. Checks at most two signatures per second and hub, and 32 in total, so that
/// a flood of requests costs little. Requests of the kind past have a rate of their own, so that none for pictures or
/// privacy is rejected because of them.
///
/// A hub opens the sensor with a nonce that it received a moment before, so that a broker cannot hold a privacy-off
/// request back and deliver it later. A nonce is valid for one request of one hub, for 10 s by the clock that continues
/// during sleep, in one epoch. A newer nonce replaces it. Thread-bound.
class RequestValidator {
 public:
  static constexpr std::size_t max_per_hub = 2;  ///< checked signatures in any second
  static constexpr std::size_t max_total = 32;
  static constexpr std::size_t max_past_per_hub = 1, max_past_total = 8;
  static constexpr std::chrono::seconds nonce_lifetime{10};
  static constexpr std::chrono::seconds report_interval{5};  ///< between answers to requests of the kind motion
  /// Between answers to requests for pictures while reports list kept frames.
  static constexpr std::chrono::seconds past_interval{30};
  static constexpr std::chrono::seconds later_epoch_interval{10};  ///< between checks of requests for later epochs

  RequestValidator(const protocol::Route& route, const Clock& clock) : route_(route), clock_(clock) {}

  /// A hub that stays on the roster keeps the number of its last request. Errors: malformed, crypto: the key of one hub
  /// cannot be used. The validator skips this hub and serves the others.
  [[nodiscard]] Result<> set_roster(const protocol::Roster& roster);
  /// Without an epoch, the validator rejects each request.
  void set_epoch(std::optional<Epoch> epoch);
  /// Whether reports list frames that the camera keeps.
  void set_past(bool listed) noexcept { past_listed_ = listed; }

  /// Checks a message from the topic request/<hub>. Returns nothing if it was rejected, and counts the reason.
  [[nodiscard]] std::optional<AcceptedRequest> offer(const DeviceId& hub, ByteView message);
  [[nodiscard]] const RequestCounters& counters() const noexcept { return counters_; }
  /// The first one since the start.
  [[nodiscard]] const std::optional<LaterEpoch>& later_epoch() const noexcept { return later_epoch_; }

 private:
  struct Hub {
    crypto::Verifier verifier;
    RateWindow<max_per_hub> window;
    RateWindow<max_past_per_hub> past_window{};
    std::optional<RequestSeq> last;
    bool may_switch_privacy = false;
    std::optional<MonotonicTime> reported{};  ///< last answer with a report in this epoch
    protocol::Nonce nonce{};                  ///< zero: none
    BootTime nonce_made{};
  };
  using Checked = std::expected<AcceptedRequest, RejectReason>;
  [[nodiscard]] Checked check(const DeviceId& hub, ByteView message);
  [[nodiscard]] bool take_turn(Hub& hub, protocol::RequestKind kind) noexcept;
  [[nodiscard]] Checked verify(Hub& hub, ByteView message);
  [[nodiscard]] Checked verify_privacy(Hub& hub, const protocol::ViewRequest& request);
  [[nodiscard]] bool take_report(Hub& hub, protocol::RequestKind kind) const noexcept;
  void note_later_epoch(const Hub& hub, const protocol::ViewRequest& claimed, ByteView message);

  protocol::Route route_;
  const Clock& clock_;
  std::map<DeviceId, Hub> hubs_;
  RateWindow<max_total> window_;
  RateWindow<max_past_total> past_window_;
  std::optional<Epoch> epoch_;
  std::optional<LaterEpoch> later_epoch_;
  std::optional<MonotonicTime> later_epoch_checked_;
  bool past_listed_ = false;
  RequestCounters counters_;
};

}  // namespace sealcam::stream
