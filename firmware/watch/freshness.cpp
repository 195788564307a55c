// SPDX-License-Identifier: Apache-2.0
#include "watch/freshness.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "crypto/psa.hpp"

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

Result<protocol::Challenge> IssuedChallenges::make(BootTime now) {
  std::array<std::byte, 8> random{};
  std::uint64_t value = 0;
  while (value == 0) {
    if (auto r = crypto::random(random); !r) return std::unexpected(r.error());
    value = load_be<std::uint64_t>(random);
  }
  entries_[next_.value() % capacity] = {protocol::Challenge(value), {now, next_}};
  next_ = next_.next();
  return protocol::Challenge(value);
}

std::optional<IssuedChallenges::Made> IssuedChallenges::made(const protocol::Echoes& echoes) const noexcept {
  std::optional<Made> newest;
  for (const auto challenge : echoes) {
    const auto found = std::ranges::find(entries_, challenge, &Entry::challenge);
    if (found != entries_.end() && (!newest || newest->serial < found->made.serial)) newest = found->made;
  }
  return newest;
}

void Freshness::begin_epoch() noexcept {
  shown_.reset();
  ahead_.reset();
}

void Freshness::on_echo(FrameNumber number, BootTime made) noexcept {
  if (shown_ && at_or_before(number, *shown_)) raise(made);
  else if (!ahead_ || ahead_->made < made) ahead_ = Echo{number, made};
}

void Freshness::on_shown(FrameNumber number) noexcept {
  if (!shown_) made_.reset();
  shown_ = number;
  if (ahead_ && at_or_before(ahead_->number, number)) {
    raise(ahead_->made);
    ahead_.reset();
  }
}

std::optional<std::chrono::milliseconds> Freshness::age(BootTime now) const noexcept {
  if (!made_) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(now - *made_);
}

std::optional<std::chrono::seconds> clock_difference(CaptureTime captured, CaptureTime now) noexcept {
  constexpr std::chrono::microseconds max = std::chrono::hours(24 * 365 * 1000);  // a camera may send any 64 bits
  constexpr std::chrono::minutes tolerance{1};
  const auto ahead = std::clamp(captured.since_epoch, -max, max) - now.since_epoch;
  if (ahead <= tolerance && ahead >= -(tolerance + Freshness::live_for)) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(ahead);
}

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
