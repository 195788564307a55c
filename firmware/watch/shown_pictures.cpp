// SPDX-License-Identifier: Apache-2.0
#include "watch/shown_pictures.hpp"

namespace sealcam::watch {

void ShownPictures::hand_out(Epoch epoch, bool current, PictureInfo picture, ByteView access_unit,
                             CameraCounters& counters) {
  const auto now = clock_.boot();
  if (epoch_ != epoch) {
    // Not for the current epoch: begin_epoch() did this, and an echo may wait there for this picture.
    if (!current) freshness_.begin_epoch();
    epoch_ = epoch;
  }
  freshness_.on_shown(picture.header.number);
  const bool live = current && freshness_.live(now);
  picture.state = live ? CameraState::live : CameraState::stale;
  picture.age = freshness_.age(now);
  picture.handed_out = now;
  if (live) clock_ahead_ = clock_difference(picture.header.captured, clock_.wall());
  ++(live ? counters.shown_live : counters.shown_stale);
  newest_ = picture;
  cache_.add(key_, picture, access_unit);
  sink_.on_picture(camera_, picture, access_unit);
}

void ShownPictures::forget() {
  cache_.remove(key_);
  freshness_ = {};
  newest_.reset();
  epoch_.reset();
  clock_ahead_.reset();
}

}  // namespace sealcam::watch
