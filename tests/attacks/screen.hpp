// SPDX-License-Identifier: Apache-2.0
/// What was shown, judged by its content: every picture says in its own bytes whose it is, which, when it was taken and
/// on which one it builds.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::attacks {

/// Content of an access unit. `serial` runs over all of a camera's life, restarts included.
struct Drawing {
  std::uint16_t camera = 0;
  std::uint32_t serial = 0;
  std::uint32_t reference = 0;  ///< serial of the picture that it builds on; 0: key frame
  MonotonicTime taken;          ///< by the one true clock
};
/// At least 40 bytes. Annex B at its beginning; the rest follows from the serial, so that any change shows.
[[nodiscard]] Bytes draw(const Drawing& drawing, std::size_t size);
/// Nothing when a bit of it is not as draw() made it.
[[nodiscard]] std::optional<Drawing> look_at(ByteView access_unit);

/// A screen with one tile for each camera. A picture is shown wrongly when it is changed or forged; of another camera
/// than its tile's; not newer than one shown before in this run; a delta without its reference; LIVE although taken
/// more than 5 s ago; or anything, where nothing may be shown. A tile that says LIVE over an old picture is
/// wrong at each look. Thread-bound.
class Screen final : public watch::PictureSink {
 public:
  explicit Screen(const Clock& clock) : clock_(clock) {}

  void expect(const DeviceId& camera, std::uint16_t number) { cameras_.insert_or_assign(camera, number); }
  /// From now on nothing at all may be shown.
  void forbid() noexcept { forbidden_ = true; }
  /// The process that shows was restarted: it may show again, as STALE, what it showed before.
  void restart() { tiles_.clear(); }
  /// The tile says LIVE now.
  void look(const DeviceId& camera);

  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) override;
  void on_state(const watch::CameraStatus&) override {}

  [[nodiscard]] std::uint64_t shown() const noexcept { return shown_; }
  [[nodiscard]] std::uint64_t live() const noexcept { return live_; }
  [[nodiscard]] std::uint64_t wrong() const noexcept { return wrong_; }
  /// Why the first wrong one was; empty when there is none.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  /// Serial of the newest LIVE picture; 0 when there is none.
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
