// SPDX-License-Identifier: Apache-2.0
#include "watch/stream_order.hpp"

namespace sealcam::watch {

bool CounterWindow::seen(Counter counter) const noexcept {
  const auto c = counter.value();
  if (c >= next_) return false;
  return next_ - c > size || ring_[c % size];
}

void CounterWindow::mark(Counter counter) noexcept {
  const auto c = counter.value();
  if (c >= next_) {
    if (c - next_ >= size) ring_.reset();
    else
      for (auto i = next_; i < c; ++i) ring_.reset(i % size);
    next_ = c + 1;
  } else if (next_ - c > size) {
    return;
  }
  ring_.set(c % size);
}

StreamOrder::Verdict StreamOrder::accept(protocol::FrameKind kind, Counter counter,
                                         const protocol::FrameHeader& header) noexcept {
  if (window_.seen(counter)) return Verdict::replayed;
  window_.mark(counter);
  switch (kind) {
    case protocol::FrameKind::still: return accept_still(counter, header.number);
    case protocol::FrameKind::key: return accept_video(true, counter, header);
    case protocol::FrameKind::delta: return accept_video(false, counter, header);
    case protocol::FrameKind::report: break;
  }
  return shown_ && counter < *shown_ ? Verdict::out_of_order : Verdict::nothing_new;
}

StreamOrder::Verdict StreamOrder::accept_still(Counter counter, FrameNumber number) noexcept {
  if (shown_ && counter < *shown_) return Verdict::out_of_order;
  if (shown_number_ && !before(*shown_number_, number)) return Verdict::nothing_new;
  shown_ = counter;
  shown_number_ = number;
  // A decoder that shows the still loses the reference of the next delta.
  intact_ = false;
  return Verdict::show;
}

StreamOrder::Verdict StreamOrder::accept_video(bool key, Counter counter,
                                               const protocol::FrameHeader& header) noexcept {
  // A key frame may arrive after the still of the same picture, also with a smaller counter. This does not apply to a
  // video frame that was shown.
  if (video_ && (counter < *video_ || !before(video_number_, header.number))) return Verdict::out_of_order;
  if (shown_number_ && !at_or_before(*shown_number_, header.number)) return Verdict::out_of_order;
  if (!key && (!intact_ || header.depends != *video_)) return Verdict::wait_for_key;
  intact_ = true;
  video_ = counter;
  video_number_ = header.number;
  if (!shown_ || *shown_ < counter) shown_ = counter;
  shown_number_ = header.number;
  return Verdict::show;
}

}  // namespace sealcam::watch
