// SPDX-License-Identifier: Apache-2.0
/// What the hub side has to say: verified pictures, and how fresh each camera is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/id.hpp"
#include "core/strong.hpp"
#include "protocol/frame.hpp"
#include "watch/refusal.hpp"

namespace sealcam::watch {

/// P4. LIVE: the sensor took the shown picture after we made a challenge, at most 5 s ago. OFFLINE: not live, and the
/// camera said goodbye, or nothing was ever shown, or nobody answers. Everything else is STALE.
enum class CameraState : std::uint8_t { live = 1, stale = 2, offline = 3 };
[[nodiscard]] std::string_view name(CameraState state) noexcept;

/// What people should know about a camera beside its state: the first of these that holds. Words for it are the page's.
enum class Reason : std::uint8_t {
  none,
  cloned,           ///< proven: two devices live with its identity (clone_watch.hpp). Nothing of it is shown
  suspended,        ///< the roster suspends this hub's integration
  removed,          ///< a roster no longer lists this hub; said for a day
  roster_conflict,  ///< two rosters with one version
  clock,            ///< LIVE, but its clock and ours differ by more than a minute
  privacy,          ///< not LIVE, and it said that its sensor is closed
  said_goodbye,     ///< not LIVE, and it said, or its will, that it is offline
  no_answer,        ///< not LIVE, and it answers no ask
  waiting,          ///< nothing shown yet
};
/// As it is spelled in JSON; empty for none.
[[nodiscard]] std::string_view name(Reason reason) noexcept;
/// No picture of the camera may be shown, not even an old one.
[[nodiscard]] constexpr bool barred(Reason reason) noexcept {
  return reason == Reason::cloned || reason == Reason::suspended || reason == Reason::removed;
}

/// One verified picture as it is handed out.
struct PictureInfo {
  protocol::FrameKind kind = protocol::FrameKind::delta;
  CameraState state = CameraState::stale;  ///< live or stale, at the moment it is handed out
  protocol::FrameHeader header;
  Epoch epoch;
  Counter counter;
  /// At most so old, by our monotonic clock; nothing when no challenge of ours was echoed: then only
  /// header.captured tells, by the camera's clock.
  std::optional<std::chrono::milliseconds> age;
  MonotonicTime received;    ///< when the message came from the broker
  MonotonicTime handed_out;  ///< when state and age were true

  [[nodiscard]] bool starts_group() const noexcept { return kind != protocol::FrameKind::delta; }
};

struct CameraCounters {
  std::uint64_t shown_live = 0;
  std::uint64_t shown_stale = 0;
  std::uint64_t waiting_for_key = 0;  ///< verified, but not decodable after a gap
  std::uint64_t held_back = 0;        ///< verified, of an epoch that did not yet echo us
  std::uint64_t nothing_new = 0;      ///< verified stills of a picture that is shown already, and reports
  std::uint64_t overload = 0;         ///< dropped unverified: the verifiers were busy, or a flood of control messages
  std::uint64_t asks = 0;
  RefusalCounts refused;          ///< frames
  RefusalCounts refused_control;  ///< rosters, grants, status
};

struct CameraStatus {
  DeviceId id;
  std::string name;  ///< UTF-8 as the camera sent it; empty until a grant was opened
  CameraState state = CameraState::offline;
  Reason reason = Reason::none;
  bool member = false;                              ///< we are on its roster
  bool roster_conflict = false;                     ///< one version with two contents was seen: an error to show
  bool wanted = false;                              ///< somebody watches
  std::optional<bool> says_online;                  ///< its signed status, a hint
  std::optional<std::chrono::milliseconds> age;     ///< as in PictureInfo, now
  std::optional<CaptureTime> captured;              ///< of the newest picture handed out
  std::optional<std::chrono::seconds> clock_ahead;  ///< of ours, while more than a minute; negative: behind
  std::uint16_t width = 0, height = 0;
  bool privacy = false;                      ///< its newest signed status says that its sensor is closed, a hint
  std::optional<CaptureTime> privacy_heard;  ///< when we first heard so, by our wall clock
  bool may_switch_privacy = false;           ///< our entry on its roster says so
  std::optional<bool> privacy_wish;          ///< it is being asked for this
  std::optional<bool> privacy_failed;        ///< it was asked for this and did not do it; until the next wish
  std::optional<Epoch> epoch;                ///< the one that echoed us
  RosterVersion roster_version;
  CameraCounters counters;

  /// People who look for their cameras here should find it.
  [[nodiscard]] bool listed() const noexcept { return member || roster_conflict || barred(reason); }
};

/// Called on the network thread, from within Watcher's calls; it must not call the Watcher back, except for its
/// const functions.
class PictureSink {
 public:
  /// `access_unit` is valid during the call only.
  virtual void on_picture(const DeviceId& camera, const PictureInfo& picture, ByteView access_unit) = 0;
  /// State, name, membership or an error changed.
  virtual void on_state(const CameraStatus& camera) = 0;

 protected:
  ~PictureSink() = default;
};

}  // namespace sealcam::watch
