// SPDX-License-Identifier: Apache-2.0
/// The pictures of the cameras, encoded once before the run, and an encoder that replays them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hal/media.hpp"
#include "room.hpp"

namespace sealcam::incident {

/// Groups of pictures of one camera: each has a key frame and its deltas. Immutable.
struct Album {
  static constexpr unsigned groups = 3;
  static constexpr unsigned length = 4;  ///< pictures per group
  static constexpr std::size_t max_unit = 24U << 10;
  struct Unit {
    Bytes bytes;
    bool keyframe = false;
  };
  std::uint16_t camera = 0;
  std::vector<Unit> units;  ///< groups * length
};

/// Encodes with the shipped encoder of hal/ffmpeg (libx264). Camera numbers are `first` to `first + count - 1`. Throws
/// std::runtime_error if a picture cannot be encoded.
[[nodiscard]] std::vector<std::shared_ptr<const Album>> make_albums(std::size_t count, std::uint16_t first = 1,
                                                                    const Calendar& calendar = {});

/// A position in an album. A request for a key frame moves it to the next group.
class AlbumPlayer {
 public:
  explicit AlbumPlayer(std::shared_ptr<const Album> album) : album_(std::move(album)) {}
  void request_keyframe() noexcept { keyframe_ = true; }
  [[nodiscard]] const Album::Unit& next() noexcept;
  [[nodiscard]] const Album& album() const noexcept { return *album_; }

 private:
  std::shared_ptr<const Album> album_;
  std::size_t at_ = 0;
  bool keyframe_ = false;
};

/// An encoder that returns the units of an album. Thread-bound.
class AlbumEncoder final : public hal::VideoEncoder {
 public:
  explicit AlbumEncoder(std::shared_ptr<const Album> album) : player_(std::move(album)) {}

 private:
  Result<std::optional<hal::AccessUnit>> do_encode(const hal::Picture& picture) override;
  void do_request_keyframe() override { player_.request_keyframe(); }
  Result<> do_set_bitrate(BitsPerSecond, double, std::chrono::milliseconds) override {
    return {};
  }  // the units are already encoded
  void do_set_masks(std::span<const PictureArea> masks) override {
    SC_ASSERT(masks.empty());  // no picture can be painted any more
  }
  [[nodiscard]] std::string do_name() const override { return "album"; }
  AlbumPlayer player_;
};

}  // namespace sealcam::incident
