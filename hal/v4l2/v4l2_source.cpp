// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/v4l2_source.hpp"

#include <linux/videodev2.h>

#include <algorithm>
#include <format>

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
      log.error("no V4L2 device may be opened: this user must be in the group that owns them (usually video)");
    else if (!sensor && sensor.error().code != Errc::not_found)
      log.error("a V4L2 device is in use by another program, and there is no other; 'fuser -v /dev/video*' names it");
    return sensor;
  }
  auto device = opener(config.device);
  if (!device) {
    if (device.error().code == Errc::permission)
      log.error("{} may not be opened: this user must be in the group that owns it (usually video)", config.device);
    return std::unexpected(device.error());
  }
  auto identity = identify(**device);
  if (!identity) return std::unexpected(identity.error());
  if (!identity->why_no_sensor.empty()) {
    log.error("{} is no sensor: {}", config.device, identity->why_no_sensor);
    return fail(Errc::unsupported, "this V4L2 device is no sensor");
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
  const auto started = source->start(config);
  if (!started) return std::unexpected(started.error());
  return source;
}

Result<> V4l2Source::start(const V4l2Config& config) {
  if (auto r = agree(config); !r) return r;
  controls_.emplace(*device_, negotiated_.rate);
  if (auto r = apply(config.controls); !r) return r;
  if (do_format() == PixelFormat::h264) prepare_encoder();
  stamps_.emplace(clock_.monotonic());
  auto stream = Stream::start(*device_, identity_.multi_planar, negotiated_.layout.format.planes, config.buffers);
  if (!stream) return std::unexpected(stream.error());
  stream_.emplace(std::move(*stream));
  refused_.assign(stream_->size(), false);
  scratch_.resize(stream_->size());
  return {};
}

/// Takes the best of what is offered; what the driver then does not take, the next best.
Result<> V4l2Source::agree(const V4l2Config& config) {
  std::vector<Offer> offers = enumerate(*device_, identity_.multi_planar);
  const Wanted wanted{config.size, config.rate, config.format};
  for (;;) {
    const auto choice = choose(offers, wanted);
    if (!choice) {
      log_.error("{}: {}{}", path_, choice.error().what, config.format.empty() ? "" : " (" + config.format + ")");
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
        log_.warning("{}: the driver made it {}x{}", path_, do_size().width, do_size().height);
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
  // H264Headers would do it too, but a device that repeats them survives a change of its parameters.
  v4l2_control repeat{.id = V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, .value = 1};
  (void)request(*device_, VIDIOC_S_CTRL, &repeat);
}

std::string V4l2Source::do_describe() const {
  const Layout& l = negotiated_.layout;
  return std::format("V4L2 {} ({}) at {}, {} {}x{}, {:.4g}/s, {} buffers{}", identity_.card, identity_.driver, path_,
                     l.format.fourcc, l.size.width, l.size.height, negotiated_.rate, refused_.size(),
                     identity_.multi_planar ? ", multi-planar" : "");
}

void V4l2Source::give_back(std::uint32_t buffer) noexcept {
  if (!lost_ && !stream_->queue(buffer)) refused_[buffer] = true;
}

void V4l2Source::queue_again() noexcept {
  for (std::uint32_t i = 0; i < refused_.size(); ++i) {
    if (refused_[i] && stream_->queue(i)) refused_[i] = false;
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
    // An error without an errno would be found again at once, and again.
    if (waited == V4l2Device::Wait::fault) return fail(Errc::device_lost, "the driver reports an error");
  }
}

Result<Picture> V4l2Source::do_next(milliseconds timeout) {
  if (lost_) return fail(Errc::device_lost, "the device was lost before");
  queue_again();
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

/// Nothing: the buffer held no picture but parameter sets. A picture that is not returned gives its buffer back.
Result<std::optional<Picture>> V4l2Source::make_picture(const Filled& filled) {
  Picture picture(*this, filled.buffer);
  picture.number = stamps_->number(filled.sequence);
  picture.captured = stamps_->time(filled.stamp, clock_.monotonic());
  warn_of_stamps();
  if (filled.damaged) return fail(Errc::corrupt_frame, "the driver marks the picture as damaged");
  const std::span<const ByteView> memory(filled.memory.data(), negotiated_.layout.format.planes);
  if (!place(negotiated_.layout, memory, picture)) return fail(Errc::corrupt_frame, "a picture that is not whole");
  if (picture.format == PixelFormat::h264) {
    const auto whole = complete(picture, filled.buffer);
    if (!whole) return std::unexpected(whole.error());
    if (!*whole) return std::optional<Picture>();
  }
  return std::optional<Picture>(std::move(picture));
}

Result<bool> V4l2Source::complete(Picture& picture, std::uint32_t buffer) {
  const ByteView bytes(picture.planes[0].data, picture.planes[0].stride);
  const auto unit = headers_.complete(bytes, scratch_[buffer]);
  if (!unit) return fail(Errc::corrupt_frame, "no access unit that Sealcam sends", unit.error().native);
  if (!*unit) return false;
  picture.planes[0] = {(*unit)->bytes.data(), (*unit)->bytes.size()};
  picture.keyframe = (*unit)->keyframe;
  return true;
}

void V4l2Source::warn_of_stamps() {
  if (warned_ || stamps_->mended_times() + stamps_->mended_numbers() == 0) return;
  warned_ = true;
  log_.warning("{}: the driver's {}; Sealcam's own are used where they are wrong", path_,
               stamps_->mended_times() > 0 ? "times are not of the monotonic clock" : "sequence numbers do not grow");
}

}  // namespace sealcam::hal::v4l2
