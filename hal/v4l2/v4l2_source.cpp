// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/v4l2_source.hpp"

#include <linux/videodev2.h>

#include <algorithm>
#include <cmath>

#include "base/format.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::v4l2 {

using std::chrono::milliseconds;

namespace {

std::string join(std::span<const std::string> parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : "; ").append(part);
  return text;
}

}  // namespace

Result<OpenSensor> V4l2Source::find(const V4l2Config& config, Log& log, const DeviceOpener& opener) {
  if (config.device == "auto") {
    auto sensor = open_first(nodes(config.folder), opener);
    if (!sensor && sensor.error().code == Errc::permission)
      log.error(
          "no permission to open a V4L2 device; add this user to the group that owns /dev/video* (usually video)");
    else if (!sensor && sensor.error().code != Errc::not_found)
      log.error("another program uses the only V4L2 device; find it with 'fuser -v /dev/video*'");
    return sensor;
  }
  auto device = opener(config.device);
  if (!device) {
    if (device.error().code == Errc::permission)
      log.error("no permission to open {}; add this user to the group that owns it (usually video)", config.device);
    return std::unexpected(device.error());
  }
  auto identity = identify(**device);
  if (!identity) return std::unexpected(identity.error());
  if (!identity->why_no_sensor.empty()) {
    log.error("{} is not a sensor: {}", config.device, identity->why_no_sensor);
    return fail(Errc::unsupported, "this V4L2 device is not a sensor");
  }
  return OpenSensor{{config.device, config.device}, std::move(*device), std::move(*identity)};
}

V4l2Source::V4l2Source(OpenSensor sensor, const Clock& clock, Log& log)
    : clock_(clock),
      log_(log),
      path_(std::move(sensor.node.path)),
      identity_(std::move(sensor.identity)),
      device_(std::move(sensor.device)) {}

V4l2Source::~V4l2Source() = default;

Result<std::unique_ptr<V4l2Source>> V4l2Source::open(const V4l2Config& config, const Clock& clock, Log& log,
                                                     const DeviceOpener& opener) {
  auto sensor = find(config, log, opener);
  if (!sensor) return std::unexpected(sensor.error());
  return open(std::move(*sensor), config, clock, log);
}

Result<std::unique_ptr<V4l2Source>> V4l2Source::open(OpenSensor sensor, const V4l2Config& config, const Clock& clock,
                                                     Log& log) {
  std::unique_ptr<V4l2Source> source(new V4l2Source(std::move(sensor), clock, log));
  V4l2Config attempt = config;
  for (;;) {
    const auto started = source->start(attempt);
    if (started) return source;
    // Another format may need less bandwidth.
    const auto id = source->do_format_id();
    if (started.error().code != Errc::exhausted || !config.format.empty() ||
        std::ranges::contains(attempt.unusable, id))
      return std::unexpected(started.error());
    log.warning("{}: not {}: {}", source->path_, source->negotiated_.layout.format.fourcc, started.error().what);
    attempt.unusable.push_back(id);
  }
}

Result<> V4l2Source::start(const V4l2Config& config) {
  if (auto r = agree(config); !r) return r;
  controls_.emplace(*device_, negotiated_.rate);
  if (auto r = apply(config.controls); !r) return r;
  if (do_format() == PixelFormat::h264) {
    prepare_encoder();
    if (negotiated_.describes_colors) splitter_.set_colors(do_colors());
  }
  const MonotonicTime started = clock_.monotonic();
  interval_ = std::chrono::nanoseconds(std::llround(1e9 / std::max(negotiated_.rate, 1.0)));
  timestamps_.emplace(started, interval_);
  auto stream = Stream::start(*device_, identity_.multi_planar, negotiated_.layout.format.planes, config.buffers);
  if (!stream) return std::unexpected(stream.error());
  stream_.emplace(std::move(*stream));
  queued_.assign(stream_->size(), started);
  rejected_.assign(stream_->size(), false);
  leases_.assign(stream_->size(), 0);
  scratch_.resize(stream_->size());
  return {};
}

/// Uses the best offer. If the driver rejects it, tries the next best.
Result<> V4l2Source::agree(const V4l2Config& config) {
  std::vector<Offer> offers = enumerate(*device_, identity_.multi_planar);
  const auto count =
      config.encoded ? 0 : std::erase_if(offers, [](const Offer& o) { return o.format == PixelFormat::h264; });
  if (count > 0) log_.info("{}: not H264: the camera could not paint its privacy masks", path_);
  const DesiredFormat requested{config.size, config.rate, config.format};
  const auto avoid = [&](const Offer& offer) { return std::ranges::contains(config.unusable, id_of(offer.fourcc)); };
  if (config.format.empty() && !std::ranges::all_of(offers, avoid)) {
    for (const Offer& offer : offers)
      if (avoid(offer)) log_.info("{}: not {}: it did not work before", path_, offer.fourcc);
    std::erase_if(offers, avoid);
  }
  for (;;) {
    const auto choice = choose(offers, requested);
    if (!choice) {
      log_.error("{}: {}{}{}; it offers {}; Sealcam uses {} with {}", path_, choice.error().what,
                 config.format.empty() ? "" : " (/source/format is " + config.format + ")",
                 count > 0 ? " (privacy masks exclude H264)" : "", offered(*device_, identity_.multi_planar),
                 known_names(), size_rule);
      return std::unexpected(Error{Errc::unsupported, 0, choice.error().what});
    }
    const Offer& offer = offers[choice->offer];
    auto agreed = negotiate(*device_, identity_.multi_planar, offer, *choice);
    if (agreed) {
      negotiated_ = *agreed;
      if (choice->exact) log_.info("{}: {}", path_, choice->reason);
      else log_.warning("{}: {}", path_, choice->reason);
      if (!choice->passed_over.empty()) log_.info("{}: not {}", path_, join(choice->passed_over));
      if (do_size() != choice->size)
        log_.warning("{}: the driver changed the size to {}x{}", path_, do_size().width, do_size().height);
      return {};
    }
    if (agreed.error().code != Errc::unsupported) return std::unexpected(agreed.error());
    log_.warning("{}: not {}: {}", path_, offer.fourcc, to_string(agreed.error()));
    offers.erase(offers.begin() + static_cast<std::ptrdiff_t>(choice->offer));
  }
}

Result<> V4l2Source::apply(std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    const auto set = controls_->set(setting);
    if (set) continue;
    log_.error("{}: {}", path_, explain(setting, set.error(), controls_->list()));
    return set;
  }
  return {};
}

void V4l2Source::prepare_encoder() {
  // SPS and PPS before each key frame: H264Splitter would add the old ones after a change of the parameters. No
  // B-frames: their pictures are not in capture order.
  for (v4l2_control control : {v4l2_control{.id = V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, .value = 1},
                               v4l2_control{.id = V4L2_CID_MPEG_VIDEO_B_FRAMES, .value = 0}})
    (void)request(*device_, VIDIOC_S_CTRL, &control);
}

std::string V4l2Source::do_describe() const {
  const Layout& l = negotiated_.layout;
  return sealcam::format("V4L2 {} ({}) at {}, {} {}x{}, {:.4g}/s, {} buffers{}", identity_.card, identity_.driver,
                         path_, l.format.fourcc, l.size.width, l.size.height, negotiated_.rate, rejected_.size(),
                         identity_.multi_planar ? ", multi-planar" : "");
}

std::string V4l2Source::id_of(std::string_view fourcc) const {
  return sealcam::format("{}, {}: {}", identity_.card, identity_.bus, fourcc);
}

void V4l2Source::give_back(std::uint32_t buffer) noexcept {
  if (--leases_[buffer] == 0 && !lost_ && !queue(buffer)) rejected_[buffer] = true;
}

bool V4l2Source::queue(std::uint32_t buffer) noexcept {
  queued_[buffer] = clock_.monotonic();  // before, because the driver may fill the buffer at once
  return stream_->queue(buffer);
}

void V4l2Source::queue_again() noexcept {
  for (std::uint32_t i = 0; i < rejected_.size(); ++i) {
    if (rejected_[i] && queue(i)) rejected_[i] = false;
  }
}

std::unexpected<Error> V4l2Source::lost(const Error& error) noexcept {
  lost_ = true;
  return std::unexpected(error);
}

Result<Filled> V4l2Source::wait_for_buffer(MonotonicTime deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock_.monotonic());
    if (left.count() <= 0) return fail(Errc::timeout, "waiting for a picture");
    const auto waited = device_->wait(left);
    if (waited == V4l2Device::Wait::timeout) return fail(Errc::timeout, "waiting for a picture");
    if (waited == V4l2Device::Wait::interrupted) continue;
    auto filled = stream_->fetch();
    if (filled || filled.error().code != Errc::timeout) return filled;
    // Without this, an error without an errno would cause a busy loop.
    if (waited == V4l2Device::Wait::fault) return fail(Errc::device_lost, "the driver reports an error");
  }
}

Result<Picture> V4l2Source::do_next(milliseconds timeout) {
  if (lost_) return fail(Errc::device_lost, "the device is lost");
  queue_again();
  if (!pending_.units.empty()) {
    Picture picture(*this, pending_.buffer);
    place_unit(picture);
    return picture;
  }
  const MonotonicTime deadline = clock_.monotonic() + timeout;
  for (;;) {
    const auto filled = wait_for_buffer(deadline);
    if (!filled && filled.error().code == Errc::device_lost) return lost(filled.error());
    if (!filled) return std::unexpected(filled.error());
    auto picture = make_picture(*filled);
    if (!picture) return std::unexpected(picture.error());
    if (*picture) return std::move(**picture);
  }
}

/// Returns nothing if the buffer has no picture. A picture that is not returned gives its buffer back.
Result<std::optional<Picture>> V4l2Source::make_picture(const Filled& filled) {
  leases_[filled.buffer] = 1;
  Picture picture(*this, filled.buffer);
  picture.number = timestamps_->number(filled.sequence);
  picture.captured = timestamps_->time(filled.timestamp, queued_[filled.buffer], clock_.monotonic());
  warn_of_timestamps();
  if (filled.damaged) return fail(Errc::corrupt_frame, "the driver marks the picture as damaged");
  const std::span<const ByteView> memory(filled.memory.data(), negotiated_.layout.format.planes);
  if (!place(negotiated_.layout, memory, picture)) return fail(Errc::corrupt_frame, "the picture is not complete");
  if (picture.format == PixelFormat::mjpeg)
    if (auto r = adopt_jpeg(picture); !r) return std::unexpected(r.error());
  if (picture.format == PixelFormat::h264) {
    const auto any = split(picture, filled.buffer);
    if (!any) return std::unexpected(any.error());
    if (!*any) return std::optional<Picture>();
  }
  return std::optional<Picture>(std::move(picture));
}

/// Places the first access unit of the buffer in the picture, and keeps the others for the next calls.
Result<bool> V4l2Source::split(Picture& picture, std::uint32_t buffer) {
  const ByteView bytes(picture.planes[0].data, picture.planes[0].stride);
  const auto units = splitter_.split(bytes, scratch_[buffer]);
  if (!units)
    return fail(units.error().code == Errc::malformed ? Errc::corrupt_frame : units.error().code, units.error().what);
  const auto count = static_cast<std::uint32_t>(units->size());
  const FrameNumber number(picture.number.value() + extra_pictures_);
  extra_pictures_ += count - 1;
  if (count == 0) return false;
  leases_[buffer] = count;
  pending_ = {*units, buffer, number, picture.captured, interval_ / count};
  place_unit(picture);
  return true;
}

/// Several pictures of one buffer have equal distances in time, because none may look newer than it is.
void V4l2Source::place_unit(Picture& picture) {
  const auto& unit = pending_.units.front();
  picture.format = PixelFormat::h264;
  picture.size = unit.size == Size() || is_padded(unit.size, do_size()) ? do_size() : unit.size;
  picture.planes[0] = {unit.bytes.data(), unit.bytes.size()};
  picture.keyframe = unit.keyframe;
  picture.number = pending_.number;
  picture.captured = last_captured_ =
      std::max(last_captured_, pending_.captured - pending_.distance * (std::ssize(pending_.units) - 1));
  pending_.number = pending_.number.next();
  pending_.units = pending_.units.subspan(1);
}

void V4l2Source::warn_of_timestamps() {
  if (warned_ || timestamps_->corrected_times() + timestamps_->corrected_numbers() == 0) return;
  warned_ = true;
  log_.warning("{}: the driver's {}; Sealcam corrects them", path_,
               timestamps_->corrected_times() > 0 ? "timestamps do not use the monotonic clock"
                                                  : "sequence numbers do not increase");
}

}  // namespace sealcam::hal::v4l2
