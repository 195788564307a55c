// SPDX-License-Identifier: Apache-2.0
/// Output of the hub side: verified pictures, the state of each camera, and the cache of the newest pictures.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/types.hpp"
#include "crypto/keys.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/software_report.hpp"
#include "protocol/status.hpp"
#include "watch/membership.hpp"

namespace sealcam::watch {

using protocol::Counter;
using protocol::Epoch;
using protocol::RejectCounts;
using protocol::RejectReason;

/// P4. LIVE: the sensor took the shown picture after this hub made a challenge, and the challenge is at most 5 s old.
/// OFFLINE: not LIVE, and the status is "offline", or no picture was shown yet, or the camera does not answer.
/// STALE: every other case.
enum class CameraState : std::uint8_t { live = 1, stale = 2, offline = 3 };
[[nodiscard]] std::string_view name(CameraState state) noexcept;

/// The first reason of this list that applies. The page has a text for each.
enum class Reason : std::uint8_t {
  none,
  cloned,              ///< proven: two devices use its identity (epochs.hpp). The hub shows no picture of it
  suspended,           ///< the roster suspends this hub's integration
  removed,             ///< a roster no longer lists this hub; reported for a day
  roster_conflict,     ///< two rosters have the same version
  restored,            ///< its epoch counter went back: the camera has an old copy of its card. Reset it
  unpublished_roster,  ///< it follows a roster that is not published
  clock,               ///< LIVE, but the clocks of camera and hub differ by more than a minute
  privacy,             ///< not LIVE, and a report proves that the sensor is closed
  deregistered,        ///< not LIVE, and its status or will reports that it is offline
  sensor_fault,        ///< not LIVE, and a report proves that its sensor is missing or fails
  picture_fault,       ///< not LIVE, and a report proves that it cannot send its pictures
  encoder_fault,       ///< not LIVE, and a report proves that its encoder is missing or fails
  unconfirmed,         ///< not LIVE; its status has privacy or a fault, and no report proves it; see CameraStatus::hint
  no_answer,           ///< not LIVE, and it does not answer requests
  waiting,             ///< no picture was shown yet
};
/// The name in JSON. Empty for none.
[[nodiscard]] std::string_view name(Reason reason) noexcept;
[[nodiscard]] constexpr Reason to_reason(protocol::CameraFault fault) noexcept {
  using enum protocol::CameraFault;
  return fault == sensor ? Reason::sensor_fault : fault == encoder ? Reason::encoder_fault : Reason::picture_fault;
}
/// True if no picture of the camera may be shown, not even an old one.
[[nodiscard]] constexpr bool blocked(Reason reason) noexcept {
  return reason == Reason::cloned || reason == Reason::suspended || reason == Reason::removed;
}

/// One verified picture.
struct PictureInfo {
  protocol::FrameKind kind = protocol::FrameKind::delta;
  CameraState state = CameraState::stale;  ///< live or stale, at `handed_out`
  protocol::FrameHeader header;
  Epoch epoch;
  Counter counter;
  /// Upper bound of the age at `handed_out`, by the hub's BootTime. Nothing if no challenge of this hub was
  /// echoed. Then only header.captured tells the age, by the camera's clock.
  std::optional<std::chrono::milliseconds> age;
  BootTime received;    ///< time at which the broker delivered the message
  BootTime handed_out;  ///< time at which the sink received the picture

  [[nodiscard]] bool starts_group() const noexcept { return kind != protocol::FrameKind::delta; }
};

struct CameraCounters {
  std::uint64_t shown_live = 0;
  std::uint64_t shown_stale = 0;
  std::uint64_t waiting_for_key = 0;  ///< verified, but not decodable after a gap
  std::uint64_t held_back = 0;        ///< verified, but the epoch has not echoed a challenge of this hub yet
  std::uint64_t nothing_new = 0;      ///< verified reports, and stills of a picture that is already shown
  std::uint64_t overload = 0;         ///< dropped without a check: busy verifiers, or a flood of control messages
  std::uint64_t requests = 0;
  RejectCounts rejected;          ///< frames
  RejectCounts rejected_control;  ///< rosters, grants, status
};

struct CameraStatus {
  DeviceId id;
  std::string name;  ///< shown_device_name() of the camera's name; empty until a grant was opened
  CameraState state = CameraState::offline;
  Reason reason = Reason::none;
  bool member = false;                              ///< this hub is on the camera's roster
  bool roster_conflict = false;                     ///< two rosters of one version have different content
  bool watched = false;                             ///< a viewer of this hub watches the camera
  std::optional<bool> reports_online;               ///< from its signed status; a hint
  std::optional<std::chrono::milliseconds> age;     ///< as in PictureInfo, now
  std::optional<CaptureTime> captured;              ///< of the newest picture
  std::optional<std::chrono::seconds> clock_ahead;  ///< camera's clock minus hub's, if more than a minute apart
  std::uint16_t width = 0, height = 0;
  bool privacy = false;                   ///< a report proves that the sensor is closed
  std::optional<BootTime> proven_until;   ///< a report proves privacy, a fault, or that there is neither, until then
  Reason hint = Reason::none;             ///< privacy or a fault of its newest status, which may be an old one
  std::optional<CaptureTime> hint_since;  ///< time of the first status with this hint, by the hub's wall clock
  std::optional<bool> detects_motion;     ///< by its newest report
  /// By the epoch with the greatest number that this hub could open. Null: the camera reports none.
  std::shared_ptr<const protocol::SoftwareReport> software;
  bool may_switch_privacy = false;        ///< from this hub's entry on the roster
  std::optional<bool> requested_privacy;  ///< the hub requests this value at the moment
  std::optional<bool> privacy_failed;     ///< the last requested value, if the camera did not apply it
  std::optional<Epoch> epoch;             ///< the epoch that echoed a challenge of this hub
  RosterVersion roster_version;
  std::vector<Member> members;  ///< hubs on the newest roster, by ascending id
  CaptureTime members_changed;  ///< see Membership::changed()
  CameraCounters counters;

  /// True if lists of cameras must contain this one.
  [[nodiscard]] bool listed() const noexcept { return member || roster_conflict || blocked(reason); }
  /// True if a report of `other` after this one would contain no news. Ignores age and counters.
  [[nodiscard]] bool same_report(const CameraStatus& other) const;
};

/// The Watcher calls this on the network thread, from inside its own functions. The sink may call const functions of
/// the Watcher only.
class PictureSink {
 public:
  /// `access_unit` is valid during the call.
  virtual void on_picture(const DeviceId& camera, const PictureInfo& picture, ByteView access_unit) = 0;
  /// The state, name, membership or an error changed.
  virtual void on_state(const CameraStatus& camera) = 0;

 protected:
  ~PictureSink() = default;
};

/// One group of pictures: a key frame or still, and the deltas after it. Reuses its memory. Thread-bound.
class PictureGroup {
 public:
  explicit PictureGroup(std::size_t limit) : limit_(limit) {}
  /// Adds a picture. A picture that starts a group replaces the old group. If the group exceeds `limit`, it loses its
  /// deltas and stays incomplete until the next group. A first picture that exceeds the limit is not kept.
  void add(const PictureInfo& picture, ByteView access_unit);
  void clear() noexcept;
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// False if the next delta does not follow the last picture of the group.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.size(); }
  using Visitor = std::function<void(const PictureInfo&, ByteView)>;
  void for_each(const Visitor& visit) const;

 private:
  struct Entry {
    PictureInfo picture;
    std::size_t offset;
    std::size_t size;
  };
  std::size_t limit_;
  std::vector<Entry> entries_;
  Bytes arena_;
  bool complete_ = false;
};

/// The opened pictures of each camera since the last key frame, so that a new viewer starts at once. The key is the
/// camera's public key, never a topic, a name or the order of arrival. Thread-bound.
class PictureCache {
 public:
  static constexpr std::size_t limit_per_camera = 8U << 20;
  void add(const crypto::PublicKey& camera, const PictureInfo& picture, ByteView access_unit);
  void remove(const crypto::PublicKey& camera) noexcept;
  /// Null if the cache has no picture of this camera.
  [[nodiscard]] const PictureGroup* find(const crypto::PublicKey& camera) const noexcept;

 private:
  struct Less {
    bool operator()(const crypto::PublicKey& a, const crypto::PublicKey& b) const noexcept;
  };
  std::map<crypto::PublicKey, PictureGroup, Less> groups_;
};

}  // namespace sealcam::watch
