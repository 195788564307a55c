// SPDX-License-Identifier: Apache-2.0
#include "hub/web/picture_message.hpp"

#include <algorithm>

#include "watch/freshness.hpp"

namespace sealcam::hub::web {

FreshnessNow freshness_at(const watch::PictureInfo& picture, MonotonicTime now) noexcept {
  using namespace std::chrono;
  if (!picture.age) return {};
  const auto age = std::max(0ms, *picture.age + ceil<milliseconds>(now - picture.handed_out));
  return {picture.state == watch::CameraState::live && age <= watch::Freshness::live_for, age};
}

PictureHeader make_picture_header(const DeviceId& camera, const watch::PictureInfo& picture, bool cached,
                                  MonotonicTime now, CaptureTime wall) noexcept {
  const auto [live, age] = freshness_at(picture, now);
  unsigned flags = 0;
  if (cached) flags |= flag_cached;
  if (picture.starts_group()) flags |= flag_key;
  if (picture.kind == protocol::FrameKind::still) flags |= flag_still;
  if (age) flags |= flag_age;

  PictureHeader out{};
  const MutableBytes view(out);
  const auto clip32 = [](auto ms) {
    return static_cast<std::uint32_t>(std::min<std::int64_t>(ms.count(), 0xffffffff));
  };
  out[0] = std::byte{picture_message_version};
  out[1] = std::byte{picture_message_type};
  out[2] = static_cast<std::byte>(live ? watch::CameraState::live : watch::CameraState::stale);
  out[3] = static_cast<std::byte>(flags);
  std::ranges::copy(camera.bytes(), out.begin() + 4);
  store_be(view.subspan(24), picture.header.number.value());
  store_be(view.subspan(28), static_cast<std::uint64_t>(picture.header.captured.since_epoch.count()));
  store_be(view.subspan(36), age ? clip32(*age) : 0xffffffffU);
  store_be(view.subspan(40), picture.epoch.value());
  store_be(view.subspan(48), picture.counter.value());
  store_be(view.subspan(56), static_cast<std::uint64_t>(wall.since_epoch.count()));
  store_be(view.subspan(64), picture.header.width);
  store_be(view.subspan(66), picture.header.height);
  store_be(view.subspan(68), clip32(picture.header.age));
  return out;
}

}  // namespace sealcam::hub::web
