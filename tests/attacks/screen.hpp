// SPDX-License-Identifier: Apache-2.0
/// Judges shown pictures by their content. The bytes of each picture name its camera, its serial, its time of capture
/// and its reference.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::attacks {

using protocol::CommandSeq;
using protocol::Counter;
using protocol::Epoch;
using protocol::RequestSeq;
using protocol::RosterVersion;

/// Content of an access unit. `serial` counts all pictures of a camera, also over restarts.
struct Drawing {
  std::uint16_t camera = 0;
  std::uint32_t serial = 0;
  std::uint32_t reference = 0;  ///< serial of the picture on which it depends; 0: key frame
  MonotonicTime taken;          ///< by the arena's clock
};
/// Makes at least 40 bytes. They start as Annex B. The rest depends on the serial, so that each modification is
/// detected.
[[nodiscard]] Bytes draw(const Drawing& drawing, std::size_t size);
/// Returns nothing if any bit differs from the output of draw().
[[nodiscard]] std::optional<Drawing> look_at(ByteView access_unit);

/// A screen with one tile per camera. A picture is wrong if it is modified, forged, or of another camera than its tile;
/// if it is not newer than an earlier picture of this run; if it is a delta without its reference; if it is LIVE but
/// older than 5 s; or if no picture may be shown. A tile that is LIVE with an older picture is wrong at each look().
/// Thread-bound.
class Screen final : public watch::PictureSink {
 public:
  explicit Screen(const Clock& clock) : clock_(clock) {}

  void expect(const DeviceId& camera, std::uint16_t number) { cameras_.insert_or_assign(camera, number); }
  /// From now on no picture may be shown.
  void forbid() noexcept { forbidden_ = true; }
  /// The hub was restarted. It may show an earlier picture again, as STALE.
  void restart() { tiles_.clear(); }
  /// The tile is LIVE now.
  void look(const DeviceId& camera);

  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) override;
  void on_state(const watch::CameraStatus&) override {}

  [[nodiscard]] std::uint64_t shown() const noexcept { return shown_; }
  [[nodiscard]] std::uint64_t live() const noexcept { return live_; }
  [[nodiscard]] std::uint64_t wrong() const noexcept { return wrong_; }
  /// Reason for the first wrong picture. Empty if there is none.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  /// Serial of the newest LIVE picture. 0 if there is none.
  [[nodiscard]] std::uint32_t newest_live() const noexcept { return newest_live_; }

 private:
  struct Tile {
    Drawing newest;
    Epoch epoch;
    Counter counter;
  };
  void blame(std::string why);
  [[nodiscard]] std::string fault(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit);

  const Clock& clock_;
  std::map<DeviceId, std::uint16_t> cameras_;
  std::map<DeviceId, Tile> tiles_;
  std::uint64_t shown_ = 0, live_ = 0, wrong_ = 0;
  std::uint32_t newest_live_ = 0;
  bool forbidden_ = false;
  std::string why_;
};

}  // namespace sealcam::attacks
