// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/capture_loop.hpp"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <tuple>
#include <utility>

#include "base/format.hpp"
#include "hal/h264.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;
using protocol::CameraFault;

static constexpr auto picture_timeout = 200ms;  // also the longest time until a stop
static constexpr auto closed_pause = 100ms;     // between two checks whether the sensor may be opened
static constexpr auto source_timeout = 5s;      // without a usable picture; then the sensor is opened again
static constexpr std::size_t max_logged = 8;    // causes of unusable pictures
static constexpr auto settled_after = 2s;       // without another bitrate
static constexpr std::chrono::nanoseconds first_pause = 200ms, max_pause = 5s;

CaptureLoop::CaptureLoop(const Dependencies& deps, std::function<void()> wake)
    : deps_(deps),
      wake_(std::move(wake)),
      controller_(deps.log),
      filter_(deps.log, deps.control),
      report_(deps.control),
      quality_(deps.control.quality()),
      source_backoff_(first_pause, max_pause),
      encoder_backoff_(first_pause, max_pause) {}

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

std::chrono::nanoseconds CaptureLoop::step() {
  if (finished()) return max_pause;
  const MonotonicTime now = deps_.clock.monotonic();
  const Quality requested = deps_.control.quality();
  if (deps_.control.closed()) {
    if (source_) lose_source();
    report_.clear_fault();
    return closed_pause;
  }
  if (source_ && deps_.control.take_reopen_request()) lose_source();
  if (!source_) {
    if (!source_backoff_.due(now)) return source_backoff_.remaining(now);
    if (!open_source()) return source_backoff_.remaining(deps_.clock.monotonic());
  }
  // Opened before a hub requests pictures, so that the first picture does not wait for the encoder.
  if (!encoder_ && source_->format() != hal::PixelFormat::h264 && encoder_backoff_.due(now))
    (void)open_encoder(requested);
  if (auto picture = source_->next(picture_timeout)) handle(*picture);
  else source_failed(picture.error());
  if (std::exchange(given_up_, false)) lose_source();
  return 0ns;
}

bool CaptureLoop::open_source() {
  if (!deps_.control.begin_source()) return false;  // closed since step() looked
  (void)deps_.control.take_reopen_request();        // this call fulfills it
  auto source = deps_.factory.open_source();
  const MonotonicTime now = deps_.clock.monotonic();
  if (!source) {
    deps_.control.end_source();
    if (source.error().code != Errc::canceled && !std::exchange(source_logged_, true))
      deps_.log.error("cannot open the sensor, trying again: {}", to_string(source.error()));
    report_.set_fault(CameraFault::sensor, to_string(source.error()));
    source_backoff_.failed(now);
    return false;
  }
  source_ = std::move(*source);
  show_activity(true);  // before the first picture is fetched
  first_number_ = next_number_;
  opened_ = last_picture_ = last_usable_ = now;
  picture_size_ = source_->size();
  ++counters_.source_opened;
  filter_.reset();
  deps_.control.set_sensor_encodes(source_->format() == hal::PixelFormat::h264);
  if (source_->format() == hal::PixelFormat::h264) {
    controller_.attach(source_->controls());
    controller_.follow(deps_.control.quality(), false);
    report_.set_encoder("sensor");
  }
  if (description_ != source_->describe()) {
    description_ = source_->describe();
    deps_.log.info("sensor: {}", description_);
  }
  return true;
}

bool CaptureLoop::open_encoder(const Quality& quality) {
  auto encoder = deps_.factory.open_encoder(*source_, picture_size_, quality);
  if (!encoder) {
    if (!std::exchange(encoder_logged_, true))
      deps_.log.error("cannot open an encoder, trying again: {}", to_string(encoder.error()));
    report_.set_fault(CameraFault::encoder, to_string(encoder.error()));
    encoder_backoff_.failed(deps_.clock.monotonic());
    return false;
  }
  encoder_ = std::move(*encoder);
  encoder_size_ = picture_size_;
  encoder_->set_masks(areas_.masks.list());
  apply(quality);
  in_flight_.clear();
  held_back_ = 0;
  ++counters_.encoder_opened;
  report_.set_encoder(encoder_->name());
  return true;
}

void CaptureLoop::close_source() {
  encoder_.reset();
  controller_.detach();
  if (!source_) return;
  source_.reset();
  detector_.reset();  // the next picture may show another light, or come from another sensor
  counters_.motion = false;
  deps_.control.end_source();
  show_activity(false);
}

void CaptureLoop::show_activity(bool on) {
  const auto shown = deps_.board.set_activity(on);
  if (shown) light_logged_ = false;
  else if (!std::exchange(light_logged_, true))
    deps_.log.warning("cannot switch the activity light ({}), it may show the wrong state: {}", deps_.board.describe(),
                      to_string(shown.error()));
}

void CaptureLoop::lose_source() {
  close_source();
  deps_.queue.break_group();
}

void CaptureLoop::source_failed(const Error& error) {
  const MonotonicTime now = deps_.clock.monotonic();
  switch (error.code) {
    case Errc::timeout:
      ++counters_.timeouts;
      if (now - last_picture_ < source_timeout) return;
      break;
    case Errc::corrupt_frame:
      ++counters_.corrupt;
      // An encoder continues from its own last picture. A sensor that encodes has lost an access unit.
      if (source_->format() == hal::PixelFormat::h264) deps_.queue.break_group();
      unusable(error);
      return;
    case Errc::unsupported:
      ++counters_.corrupt;
      unusable(error);
      return;
    case Errc::end_of_stream:
      deps_.log.info("the source has ended");
      lose_source();
      finished_.store(true, std::memory_order_release);
      return;
    default: break;
  }
  if (!std::exchange(source_logged_, true))
    deps_.log.error("the sensor failed, opening it again: {}", to_string(error));
  report_.set_fault(CameraFault::sensor, to_string(error));
  lose_source();
  source_backoff_.failed(now);
}

void CaptureLoop::encoder_failed(const Error& error) {
  if (!std::exchange(encoder_logged_, true))
    deps_.log.error("the encoder failed, opening another one: {}", to_string(error));
  report_.set_fault(CameraFault::encoder, to_string(error));
  if (encoder_) deps_.factory.encoder_failed(encoder_->name());
  encoder_.reset();
  encoder_backoff_.failed(deps_.clock.monotonic());
  deps_.queue.break_group();
}

bool CaptureLoop::logged(std::string_view text) {
  if (std::ranges::contains(logged_, text) || logged_.size() == max_logged) return true;
  logged_.emplace_back(text);
  return false;
}

/// A picture could be sent, or no hub needs it.
void CaptureLoop::usable() {
  last_usable_ = deps_.clock.monotonic();
  if (last_usable_ - opened_ < source_timeout || deps_.control.fault() != CameraFault::pictures) return;
  report_.clear_fault(CameraFault::pictures);
  logged_.clear();
  deps_.log.info("pictures of the sensor can be sent again");
}

/// The sensor delivered a picture that cannot be sent.
void CaptureLoop::unusable(const Error& cause) {
  const MonotonicTime now = deps_.clock.monotonic();
  last_picture_ = now;
  const bool never = cause.code == Errc::unsupported;
  if (!never && now - last_usable_ < source_timeout) {
    // The wait for a key frame is usual.
    if (cause.code != Errc::timeout && !logged(cause.what))
      deps_.log.warning("a picture of the sensor cannot be sent: {}", to_string(cause));
    return;
  }
  const auto text = sealcam::format("{}: {}", source_->describe(), to_string(cause));
  if (!logged(text))
    deps_.log.error(
        "the sensor delivers, but no picture can be sent; opening it again, with another format if it has "
        "one: {}",
        text);
  report_.set_fault(CameraFault::pictures, text);
  deps_.factory.format_failed(*source_);
  source_backoff_.failed(now);
  given_up_ = true;
}

void CaptureLoop::handle(hal::Picture& picture) {
  if (deps_.control.closed()) return;  // closed while the loop waited for this picture
  ++counters_.captured;
  last_picture_ = deps_.clock.monotonic();
  if (std::exchange(source_logged_, false)) deps_.log.info("the sensor delivers again");
  report_.clear_fault(CameraFault::sensor);
  if (deps_.control.fault() != CameraFault::pictures) source_backoff_.reset();
  picture.number = FrameNumber(first_number_.value() + picture.number.value());
  next_number_ = picture.number.next();
  if (!deps_.control.active()) {
    dropped_groups_ = deps_.queue.counters().dropped_groups;
    return usable();
  }
  if (picture.format != hal::PixelFormat::h264 && skip(picture.captured)) return usable();
  const protocol::Echoes echoes = deps_.challenges.pick(picture.captured);
  if (picture.format == hal::PixelFormat::h264) pass_through(picture, echoes);
  else encode(picture, echoes);
}

/// True if the network carries no picture now, or fewer pictures than the sensor delivers.
bool CaptureLoop::skip(MonotonicTime captured) {
  if (deps_.control.hold()) {
    wake_();  // the network thread ends the hold
    return true;
  }
  const std::chrono::nanoseconds interval = deps_.control.quality().min_interval;
  if (interval == 0ns) return false;
  const std::chrono::nanoseconds tolerance = interval / 8;  // the sensor's interval need not divide this one
  if (captured + tolerance < next_due_) return true;
  const bool late = captured - next_due_ > interval;
  next_due_ = (late ? captured : next_due_) + interval;
  return false;
}

// An encoder that cannot change its bitrate is opened again, which costs a key frame: only for changes that matter.
bool CaptureLoop::changed_enough(const Quality& quality) const noexcept {
  if (!fixed_bitrate_) return true;
  const std::uint64_t before = quality_.bitrate.value(), now = quality.bitrate.value();
  return quality.min_interval != quality_.min_interval || now * 8 < before * 7 || now * 4 >= before * 5 ||
         (now != before && deps_.clock.monotonic() - quality_changed_ >= settled_after);
}

void CaptureLoop::apply(const Quality& quality) {
  quality_ = quality;
  const EncodedRate encoded = encoded_rate(*source_, quality);
  const auto bits = encoded.bitrate.value() * encoded.rate / encoded.full;
  const auto set =
      encoder_->set_bitrate(BitsPerSecond(static_cast<std::uint32_t>(std::ceil(bits))), encoded.rate, quality.vbv);
  fixed_bitrate_ = !set && set.error().code == Errc::unsupported;
  if (!set && !fixed_bitrate_) encoder_failed(set.error());
}

void CaptureLoop::follow_quality(const Quality& quality) {
  if (quality.bitrate != requested_bitrate_) quality_changed_ = deps_.clock.monotonic();
  requested_bitrate_ = quality.bitrate;
  quality_.keyframe_interval = quality.keyframe_interval;
  const bool same = quality.bitrate == quality_.bitrate && quality.min_interval == quality_.min_interval &&
                    quality.vbv == quality_.vbv;
  if (same || !changed_enough(quality)) return;
  if (fixed_bitrate_) {
    (void)open_encoder(quality);
    return;
  }
  apply(quality);
}

/// Before each picture, so that new masks apply to the next one.
void CaptureLoop::follow_areas() {
  if (deps_.control.areas_version() == areas_version_) return;
  std::tie(areas_, areas_version_) = deps_.control.areas();
  detector_.configure(areas_.sensitivity, areas_.zones.list());
  if (!encoder_) return;
  encoder_->set_masks(areas_.masks.list());
  encoder_->request_keyframe();  // units with the earlier masks are not sent
  since_keyframe_ = 0;
}

void CaptureLoop::detect_motion(MonotonicTime captured) {
  const bool motion = detector_.update(encoder_->luma(), captured);
  if (!counters_.motion.exchange(motion) && motion) ++counters_.motions;
}

void CaptureLoop::encode(const hal::Picture& picture, const protocol::Echoes& echoes) {
  picture_size_ = picture.size;
  follow_areas();
  const Quality quality = deps_.control.quality();
  if (encoder_size_ != picture_size_ || quality_.downscale != quality.downscale) encoder_.reset();
  if (!encoder_ && encoder_backoff_.due(deps_.clock.monotonic())) (void)open_encoder(quality);
  if (encoder_) follow_quality(quality);
  if (!encoder_) return;
  if (keyframe_needed() || ++since_keyframe_ >= quality_.keyframe_interval) {
    encoder_->request_keyframe();
    since_keyframe_ = 0;
  }
  in_flight_.put(picture.number.value(), {picture.captured, echoes, areas_version_});
  const MonotonicTime before = deps_.clock.monotonic();
  const auto unit = encoder_->encode(picture);
  counters_.encode_ns += static_cast<std::uint64_t>((deps_.clock.monotonic() - before).count());
  if (!unit && unit.error().code == Errc::malformed) {
    // A fault of the sensor, not of the encoder: webcams sometimes send an incomplete JPEG.
    ++counters_.corrupt;
    unusable(unit.error());
    return;
  }
  if (!unit) {
    encoder_failed(unit.error());
    return;
  }
  detect_motion(picture.captured);
  if (!*unit) {
    if (++held_back_ > in_flight_.capacity) encoder_failed({Errc::timeout, 0, "the encoder returns no access units"});
    return;
  }
  held_back_ = 0;
  encoder_backoff_.reset();
  if (std::exchange(encoder_logged_, false)) deps_.log.info("the encoder works again");
  report_.clear_fault(CameraFault::encoder);
  const auto origin = in_flight_.take((*unit)->number.value());
  if (!origin) {
    encoder_failed({Errc::io, 0, "the encoder returned an access unit of an unknown picture"});
    return;
  }
  if ((*unit)->keyframe) since_keyframe_ = 0;
  put((*unit)->bytes,
      {(*unit)->number, origin->captured, origin->echoes, encoded_size(picture.size, quality_.downscale),
       (*unit)->keyframe, counters_.motion, origin->areas});
}

void CaptureLoop::pass_through(const hal::Picture& picture, const protocol::Echoes& echoes) {
  follow_areas();
  if (!areas_.masks.empty()) {
    if (deps_.control.reopen_requested()) return;
    return unusable({Errc::unsupported, 0, "the sensor encodes, so that the camera cannot paint the privacy masks"});
  }
  controller_.follow(deps_.control.quality(), filter_.keyframes_alone());
  const ByteView bytes(picture.planes[0].data, picture.planes[0].stride);
  const auto info = hal::check_access_unit(bytes);
  if (!info) {
    ++counters_.corrupt;
    unusable(info.error());
  }
  const bool sent = info && filter_.pass(picture.captured, bytes.size(), info->keyframe);
  // The reference of this access unit was lost, damaged, not sent, or captured while the control was inactive.
  const bool broken = !info || (sent && !info->keyframe && picture.number != next_unit_);
  if (broken) deps_.queue.break_group();
  if (keyframe_needed()) controller_.request_keyframe();
  if (!info) return;
  if (!sent) return usable();
  next_unit_ = picture.number.next();
  put(bytes, {picture.number, picture.captured, echoes, picture.size, info->keyframe, false, areas_version_});
}

void CaptureLoop::put(ByteView bytes, const UnitInfo& info) {
  ++counters_.encoded;
  counters_.encoded_bytes += bytes.size();
  const bool taken = deps_.queue.push(bytes, info);
  const auto dropped = deps_.queue.counters().dropped_groups;
  if (taken) {
    dropped_groups_ = dropped;
    wake_();
    return usable();
  }
  if (deps_.queue.too_large(bytes, info)) return unusable({Errc::exhausted, 0, "an access unit is larger than 1 MiB"});
  // On a slow network the queue is full, or has dropped the group of this unit.
  if (deps_.queue.size() > 0 || info.keyframe || dropped != dropped_groups_) return usable();
  unusable({Errc::timeout, 0, "the sensor sends no key frame"});
}

}  // namespace sealcam::stream
