// SPDX-License-Identifier: Apache-2.0
#include "attacks/screen.hpp"

#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t head = 4 + 1 + 2 + 4 + 4 + 8;

std::byte filler(const Drawing& d, std::size_t at) {
  return static_cast<std::byte>((d.serial * 31 + d.camera * 7 + at) | 0x80);  // never part of a start code
}

}  // namespace

Bytes draw(const Drawing& d, std::size_t size) {
  Bytes unit(size);
  MutableBytes out(unit);
  store_be(out, std::uint32_t{1});
  unit[4] = std::byte(d.reference == 0 ? 0x65 : 0x41);
  store_be(out.subspan(5), d.camera);
  store_be(out.subspan(7), d.serial);
  store_be(out.subspan(11), d.reference);
  store_be(out.subspan(15), static_cast<std::int64_t>(d.taken.since_boot.count()));
  for (std::size_t i = head; i < size; ++i) unit[i] = filler(d, i);
  return unit;
}

std::optional<Drawing> look_at(ByteView unit) {
  if (unit.size() < head) return std::nullopt;
  const Drawing d{load_be<std::uint16_t>(unit.subspan(5)), load_be<std::uint32_t>(unit.subspan(7)),
                  load_be<std::uint32_t>(unit.subspan(11)),
                  MonotonicTime{std::chrono::nanoseconds(load_be<std::int64_t>(unit.subspan(15)))}};
  if (!equal(draw(d, unit.size()), unit)) return std::nullopt;
  return d;
}

void Screen::blame(std::string why) {
  ++wrong_;
  if (why_.empty()) why_ = std::move(why);
}

std::string Screen::fault(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) {
  if (forbidden_) return "shown although no picture may be shown";
  const auto drawing = look_at(unit);
  if (!drawing) return "modified or forged";
  const auto expected = cameras_.find(camera);
  if (expected == cameras_.end() || expected->second != drawing->camera) return "of another camera";
  const bool live = picture.state == watch::CameraState::live;
  if (live && clock_.monotonic() - drawing->taken > 5s) return "LIVE although older than 5 s";
  const auto before = tiles_.find(camera);
  if (before == tiles_.end()) return drawing->reference == 0 ? "" : "a delta before the first key frame";
  const auto& [newest, epoch, counter] = before->second;
  if (epoch == picture.epoch && counter == picture.counter) return "shown twice";
  if (drawing->serial < newest.serial) return "older than a shown picture";
  if (drawing->reference != 0 && drawing->reference != newest.serial) return "a delta without its reference";
  return "";
}

void Screen::on_picture(const DeviceId& camera, const watch::PictureInfo& picture, ByteView unit) {
  const test::OutsideTest uncounted;
  ++shown_;
  const bool live = picture.state == watch::CameraState::live;
  if (live) ++live_;
  if (auto why = fault(camera, picture, unit); !why.empty()) blame(std::move(why));
  const auto drawing = look_at(unit);
  if (!drawing) return;
  if (live) newest_live_ = std::max(newest_live_, drawing->serial);
  tiles_.insert_or_assign(camera, Tile{*drawing, picture.epoch, picture.counter});
}

void Screen::look(const DeviceId& camera) {
  const auto tile = tiles_.find(camera);
  if (tile == tiles_.end()) return blame("LIVE on a tile without a picture");
  if (clock_.monotonic() - tile->second.newest.taken > 5s) blame("LIVE on a tile with a picture older than 5 s");
}

}  // namespace sealcam::attacks
