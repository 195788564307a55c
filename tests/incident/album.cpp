// SPDX-License-Identifier: Apache-2.0
#include "album.hpp"

#include <algorithm>

#include "base/testing/fakes.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "parallel.hpp"
#include "room.hpp"
#include "support/actors.hpp"

namespace sealcam::incident {
namespace {

std::unique_ptr<hal::VideoEncoder> open_encoder(Log& log) {
  return test::must(hal::ffmpeg::FfmpegEncoder::open({.codec = "libx264",
                                                      .size = picture_size,
                                                      .rate = 5,
                                                      .bitrate = BitsPerSecond(250'000),
                                                      .keyframe_interval = Album::length,
                                                      .threads = 4},  // slices: damage affects a part of a picture
                                                     log));
}

std::shared_ptr<const Album> make_album(hal::VideoEncoder& encoder, RoomPicture& room, std::uint16_t camera) {
  auto album = std::make_shared<Album>();
  album->camera = camera;
  for (unsigned i = 0; i < Album::groups * Album::length; ++i) {
    room.draw(camera, i / Album::length, i % Album::length, FrameNumber(i));
    const auto unit = test::must(encoder.encode(room.picture()));
    const bool key = i % Album::length == 0;
    if (!unit || unit->keyframe != key) throw std::runtime_error("the encoder delays a picture");
    album->units.push_back({Bytes(unit->bytes.begin(), unit->bytes.end()), key});
  }
  return album;
}

}  // namespace

std::vector<std::shared_ptr<const Album>> make_albums(std::size_t count, std::uint16_t first,
                                                      const Calendar& calendar) {
  // Opening an encoder takes as long as several albums.
  constexpr std::size_t albums_per_encoder = 16;
  std::vector<std::shared_ptr<const Album>> albums(count);
  in_parallel((count + albums_per_encoder - 1) / albums_per_encoder, [&](std::size_t part) {
    MemoryLog log;
    const auto encoder = open_encoder(log);
    RoomPicture room(calendar);
    const std::size_t end = std::min(count, (part + 1) * albums_per_encoder);
    for (std::size_t i = part * albums_per_encoder; i < end; ++i)
      albums[i] = make_album(*encoder, room, static_cast<std::uint16_t>(first + i));
  });
  return albums;
}

const Album::Unit& AlbumPlayer::next() noexcept {
  if (std::exchange(keyframe_, false)) at_ = (at_ + Album::length - 1) / Album::length * Album::length;
  return album_->units[at_++ % album_->units.size()];
}

Result<std::optional<hal::AccessUnit>> AlbumEncoder::do_encode(const hal::Picture& picture) {
  const auto& unit = player_.next();
  return hal::AccessUnit{unit.bytes, picture.number, unit.keyframe};
}

}  // namespace sealcam::incident
