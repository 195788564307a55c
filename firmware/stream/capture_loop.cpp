// SPDX-License-Identifier: Apache-2.0
#include "stream/capture_loop.hpp"

#include <condition_variable>

#include "hal/h264.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;

static constexpr auto patience = 200ms;      // of one call of next(), and so of a stop
static constexpr auto closed_pause = 100ms;  // until it is looked again whether the sensor may be opened
static constexpr auto silence = 5s;          // a sensor that says nothing for so long is opened anew
static constexpr std::chrono::nanoseconds first_pause = 200ms;
static constexpr std::chrono::nanoseconds longest_pause = 5s;

CaptureLoop::CaptureLoop(const Parts& parts, std::function<void()> wake)
    : parts_(parts),
      wake_(std::move(wake)),
      steering_(parts.log),
      quality_(parts.control.quality()),
      source_backoff_(first_pause, longest_pause),
      encoder_backoff_(first_pause, longest_pause) {}

CaptureLoop::~CaptureLoop() { close_source(); }

void CaptureLoop::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any pause;
  while (!stop.stop_requested() && !finished()) {
    const auto wait = step();
    if (wait.count() == 0) continue;
    std::unique_lock lock(mutex);
    pause.wait_for(lock, stop, wait, [] { return false; });
  }
  close_source();
}

void CaptureLoop::set_encoder_name(std::string name) {
  const std::scoped_lock lock(name_mutex_);
  encoder_name_ = std::move(name);
}

std::string CaptureLoop::encoder_name() const {
  const std::scoped_lock lock(name_mutex_);
  return encoder_name_;
}

std::chrono::nanoseconds CaptureLoop::step() {
  if (finished()) return longest_pause;
  const MonotonicTime now = parts_.clock.monotonic();
  const Quality wanted = parts_.control.quality();
  if (parts_.control.closed()) {
    if (source_) lost_source();
    return closed_pause;
  }
  if (source_ && (parts_.control.take_reopen_request() || wanted.shrink != quality_.shrink)) lost_source();
  if (!source_) {
    if (!source_backoff_.due(now)) return source_backoff_.remaining(now);
    if (!open_source()) return source_backoff_.remaining(parts_.clock.monotonic());
  }
  // Opened before anybody asks, so that the first picture does not wait for it.
  if (!encoder_ && source_->format() != hal::PixelFormat::h264 && encoder_backoff_.due(now)) (void)open_encoder(wanted);
  auto picture = source_->next(patience);
  if (!picture) {
    source_failed(picture.error());
    return 0ns;
  }
  handle(*picture);
  return 0ns;
}

bool CaptureLoop::open_source() {
  (void)parts_.control.take_reopen_request();  // this is it
  const Quality wanted = parts_.control.quality();
  auto source = parts_.factory.open_source(wanted.shrink);
  const MonotonicTime now = parts_.clock.monotonic();
  if (!source) {
    if (!std::exchange(source_logged_, true))
      parts_.log.error("the sensor cannot be opened, trying again: {}", to_string(source.error()));
    source_backoff_.failed(now);
    return false;
  }
  source_ = std::move(*source);
  show_activity(true);  // no picture is fetched before
  quality_.shrink = wanted.shrink;
  first_number_ = next_number_;
  last_picture_ = now;
  picture_logged_ = false;
  ++counters_.source_opened;
  if (source_->format() == hal::PixelFormat::h264) {
    steering_.attach(source_->controls());
    steering_.follow(wanted);
    set_encoder_name("sensor");
  }
  if (described_ != source_->describe()) {
    described_ = source_->describe();
    parts_.log.info("sensor: {}", described_);
  }
  return true;
}

bool CaptureLoop::open_encoder(const Quality& quality) {
  auto encoder = parts_.factory.open_encoder(*source_, quality);
  if (!encoder) {
    if (!std::exchange(encoder_logged_, true))
      parts_.log.error("no encoder can be opened, trying again: {}", to_string(encoder.error()));
    encoder_backoff_.failed(parts_.clock.monotonic());
    return false;
  }
  encoder_ = std::move(*encoder);
  quality_.bitrate = quality.bitrate;
  quality_.keyframe_interval = quality.keyframe_interval;
  for (Travelling& t : travelling_) t.used = false;
  ++counters_.encoder_opened;
  set_encoder_name(encoder_->name());
  return true;
}

void CaptureLoop::close_source() {
  encoder_.reset();
  steering_.detach();
  if (!source_) return;
  source_.reset();
  show_activity(false);
}

void CaptureLoop::show_activity(bool on) {
  if (parts_.light == nullptr) return;
  const auto shown = parts_.light->set_activity(on);
  if (shown) light_logged_ = false;
  else if (!std::exchange(light_logged_, true))
    parts_.log.warning("the activity light ({}) may be wrong: {}", parts_.light->describe(), to_string(shown.error()));
}

void CaptureLoop::lost_source() {
  close_source();
  parts_.queue.break_group();
}

void CaptureLoop::source_failed(const Error& error) {
  const MonotonicTime now = parts_.clock.monotonic();
  switch (error.code) {
    case Errc::timeout:
      ++counters_.timeouts;
      if (now - last_picture_ < silence) return;
      break;
    case Errc::corrupt_frame:
      ++counters_.corrupt;
      // An encoder goes on from its own last picture; a sensor that encodes has left a hole.
      if (source_->format() == hal::PixelFormat::h264) parts_.queue.break_group();
      return;
    case Errc::end_of_stream:
      parts_.log.info("the source is at its end");
      lost_source();
      finished_.store(true, std::memory_order_release);
      return;
    default: break;
  }
  if (!std::exchange(source_logged_, true))
    parts_.log.error("the sensor failed, opening it anew: {}", to_string(error));
  lost_source();
  source_backoff_.failed(now);
}

void CaptureLoop::encoder_failed(const Error& error) {
  if (!std::exchange(encoder_logged_, true))
    parts_.log.error("the encoder failed, opening another: {}", to_string(error));
  if (encoder_) parts_.factory.encoder_failed(encoder_->name());
  encoder_.reset();
  encoder_backoff_.failed(parts_.clock.monotonic());
  parts_.queue.break_group();
}

void CaptureLoop::handle(hal::Picture& picture) {
  if (parts_.control.closed()) return;  // while this picture was waited for
  ++counters_.captured;
  last_picture_ = parts_.clock.monotonic();
  if (std::exchange(source_logged_, false)) parts_.log.info("the sensor delivers again");
  source_backoff_.reset();
  picture.number = FrameNumber(first_number_.value() + picture.number.value());
  next_number_ = picture.number.next();
  if (!parts_.control.active()) return;
  const protocol::Challenge echo = parts_.board.pick(picture.captured);
  if (picture.format == hal::PixelFormat::h264) pass_through(picture, echo);
  else encode(picture, echo);
}

void CaptureLoop::follow_quality(const Quality& quality) {
  if (quality.bitrate == quality_.bitrate && quality.keyframe_interval == quality_.keyframe_interval) return;
  const bool reopen = quality.keyframe_interval != quality_.keyframe_interval;
  // Noted first: what the encoder cannot do is not tried again with every picture.
  quality_.bitrate = quality.bitrate;
  quality_.keyframe_interval = quality.keyframe_interval;
  if (reopen) {
    (void)open_encoder(quality);
    return;
  }
  const auto set = encoder_->set_bitrate(quality.bitrate);
  if (set) return;
  if (set.error().code == Errc::unsupported) (void)open_encoder(quality);
  else encoder_failed(set.error());
}

void CaptureLoop::encode(const hal::Picture& picture, protocol::Challenge echo) {
  if (encoder_) follow_quality(parts_.control.quality());
  if (!encoder_) return;
  // Both are taken each time: one picture answers both.
  const bool asked = parts_.control.take_keyframe_request();
  if (parts_.queue.take_keyframe_request() || asked) encoder_->request_keyframe();
  travelling_[picture.number.value() % travelling_.size()] = {picture.number, picture.captured, echo, true};
  const MonotonicTime before = parts_.clock.monotonic();
  const auto unit = encoder_->encode(picture);
  counters_.encode_ns += static_cast<std::uint64_t>((parts_.clock.monotonic() - before).count());
  if (!unit && unit.error().code == Errc::malformed) {
    // The sensor's fault, not the encoder's: webcams send half a JPEG now and then.
    ++counters_.corrupt;
    if (!std::exchange(picture_logged_, true))
      parts_.log.warning("a picture of the sensor cannot be decoded: {}", to_string(unit.error()));
    return;
  }
  if (!unit) {
    encoder_failed(unit.error());
    return;
  }
  encoder_backoff_.reset();
  if (std::exchange(encoder_logged_, false)) parts_.log.info("the encoder works again");
  if (!*unit) return;
  Travelling& origin = travelling_[(*unit)->number.value() % travelling_.size()];
  if (!origin.used || origin.number != (*unit)->number) {
    encoder_failed({Errc::io, 0, "an access unit of no known picture"});
    return;
  }
  origin.used = false;
  put((*unit)->bytes, {origin.number, origin.captured, origin.echo, picture.size, (*unit)->keyframe});
}

void CaptureLoop::pass_through(const hal::Picture& picture, protocol::Challenge echo) {
  steering_.follow(parts_.control.quality());
  const ByteView bytes(picture.planes[0].data, picture.planes[0].stride);
  const auto info = hal::check_access_unit(bytes);
  if (!info) ++counters_.corrupt;
  // The picture that this one goes on from was lost, damaged, or came while nobody watched.
  const bool broken = !info || (!info->keyframe && picture.number != next_unit_);
  if (broken) parts_.queue.break_group();
  const bool asked = parts_.control.take_keyframe_request();
  if (parts_.queue.take_keyframe_request() || asked) steering_.request_keyframe();
  if (!info) return;
  next_unit_ = picture.number.next();
  put(bytes, {picture.number, picture.captured, echo, picture.size, info->keyframe});
}

void CaptureLoop::put(ByteView bytes, const UnitInfo& info) {
  ++counters_.encoded;
  counters_.encoded_bytes += bytes.size();
  if (parts_.queue.push(bytes, info)) wake_();
}

}  // namespace sealcam::stream
