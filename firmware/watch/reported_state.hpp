// SPDX-License-Identifier: Apache-2.0
/// What a camera reports about itself beside its pictures: whether its sensor is closed, and why it sends no pictures.
#pragma once

#include "watch/freshness.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::watch {

/// A status is a hint: it is signed, but the broker may deliver an old one. A report that echoes a challenge of this
/// hub proves a state until the challenge is 5 s old. The camera seals in the order of the counters. So the report with
/// the greatest counter has the newest state, and was sealed after each challenge that an earlier report echoed.
/// Thread-bound.
class ReportedState {
 public:
  /// `now`: by this hub's wall clock, for display.
  void on_status(const protocol::Status& status, CaptureTime now) noexcept;
  /// A verified report of the current epoch echoed the challenge that was made at `made`.
  void on_report(Counter counter, BootTime made, const protocol::Report& report) noexcept;
  /// A verified picture of the current epoch, also if it arrived before the epoch was current. The sensor was open
  /// after an earlier report.
  void on_picture(Counter counter) noexcept;
  /// Another epoch is current, or the hub lost its membership. The hint remains, because the camera does not send its
  /// status again.
  void clear_proof() noexcept;

  /// Whether privacy is on, by the report that counts now. Nothing if no state is proven.
  [[nodiscard]] std::optional<bool> proven_privacy(BootTime now) const noexcept;
  /// True if the newest status is "offline" and no state is proven.
  [[nodiscard]] bool offline(BootTime now) const noexcept;
  /// For a camera that is not LIVE: privacy or a fault that is proven now, deregistered, unconfirmed, or none.
  [[nodiscard]] Reason reason(BootTime now) const noexcept;
  /// Sets reports_online, privacy, proven_until, hint, hint_since and detects_motion.
  void describe(CameraStatus& status, BootTime now) const noexcept;

 private:
  struct Proof {
    Counter counter;
    BootTime made;  ///< of the newest challenge that a report of the epoch echoed
    Reason state = Reason::none;
  };
  /// Privacy, a fault, or none: the camera proved that it has neither. Nothing if no state is proven.
  [[nodiscard]] std::optional<Reason> proven(BootTime now) const noexcept;

  std::optional<bool> online_;
  Reason hint_ = Reason::none;
  CaptureTime hint_since_;
  std::optional<Proof> proof_;
  std::optional<Counter> picture_;      ///< greatest one of a picture in the current epoch
  std::optional<bool> detects_motion_;  ///< by the newest report, also of an earlier epoch
};

}  // namespace sealcam::watch
