// SPDX-License-Identifier: Apache-2.0
#include "watch/stream_order.hpp"

namespace sealcam::watch {

bool CounterWindow::seen(Counter counter) const noexcept {
  const auto c = counter.value();
  if (c >= next_) return false;
  if (next_ - c > size) return true;
  return at(c) != Seen::never;
}

void CounterWindow::mark(Counter counter, Seen seen) noexcept {
  const auto c = counter.value();
  if (c >= next_) {
    if (c - next_ >= size) ring_.fill(Seen::never);
    else
      for (auto i = next_; i < c; ++i) ring_[i % size] = Seen::never;
    next_ = c + 1;
  } else if (next_ - c > size) {
    return;
  }
  ring_[c % size] = seen;
}

bool CounterWindow::only_others_between(Counter before, Counter after) const noexcept {
  if (after.value() - before.value() > size) return false;
  for (auto i = before.value() + 1; i < after.value(); ++i)
    if (at(i) != Seen::other) return false;
  return true;
}

StreamOrder::Verdict StreamOrder::accept(protocol::FrameKind kind, Counter counter, FrameNumber number) noexcept {
  if (window_.seen(counter)) return Verdict::replayed;
  const bool video = kind == protocol::FrameKind::key || kind == protocol::FrameKind::delta;
  window_.mark(counter, video ? CounterWindow::Seen::video : CounterWindow::Seen::other);
  if (kind == protocol::FrameKind::still) return accept_still(counter, number);
  if (video) return accept_video(kind == protocol::FrameKind::key, counter, number);
  return shown_ && counter < *shown_ ? Verdict::out_of_order : Verdict::nothing_new;
}

StreamOrder::Verdict StreamOrder::accept_still(Counter counter, FrameNumber number) noexcept {
  if (shown_ && counter < *shown_) return Verdict::out_of_order;
  if (shown_number_ && number <= *shown_number_) return Verdict::nothing_new;
  shown_ = counter;
  shown_number_ = number;
  // Whoever decodes it has lost the reference that the next delta needs.
  need_key_ = true;
  return Verdict::show;
}

StreamOrder::Verdict StreamOrder::accept_video(bool key, Counter counter, FrameNumber number) noexcept {
  // A key frame may come behind the still of the same picture, also with a smaller counter; a shown video
  // frame has no such twin.
  if (video_ && (counter < *video_ || number <= video_number_)) return Verdict::out_of_order;
  if (shown_number_ && number < *shown_number_) return Verdict::out_of_order;
  if (!key) {
    if (need_key_) return Verdict::wait_for_key;
    if (!window_.only_others_between(*video_, counter) && number != video_number_.next()) {
      need_key_ = true;
      return Verdict::wait_for_key;
    }
  }
  need_key_ = false;
  video_ = counter;
  video_number_ = number;
  if (!shown_ || *shown_ < counter) shown_ = counter;
  shown_number_ = number;
  return Verdict::show;
}

}  // namespace sealcam::watch
