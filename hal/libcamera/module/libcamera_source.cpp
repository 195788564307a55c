// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/libcamera_source.hpp"

#include <libcamera/control_ids.h>

#include <algorithm>
#include <format>

namespace sealcam::hal::libcamera {

using std::chrono::nanoseconds;

namespace {

constexpr double usual_rate = 30;
constexpr std::uint32_t fewest_buffers = 3;  // two leased and one to go on with
constexpr int most_cancelled = 16;           // requests in a row, before the camera counts as lost

std::string join(std::span<const std::string> parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : "; ").append(part);
  return text;
}

}  // namespace

LibcameraSource::LibcameraSource(AcquiredCamera camera, const Clock& clock, Log& log)
    : clock_(clock), log_(log), camera_(std::move(camera)) {}

Result<std::unique_ptr<LibcameraSource>> LibcameraSource::open(const Manager& manager, const LibcameraConfig& config,
                                                               const Clock& clock, Log& log) {
  auto found = find_camera(*manager, config.camera, log);
  if (!found) return std::unexpected(found.error());
  auto camera = AcquiredCamera::acquire(manager, std::move(*found), log);
  if (!camera) return std::unexpected(camera.error());
  std::unique_ptr<LibcameraSource> source(new LibcameraSource(std::move(*camera), clock, log));
  if (auto started = source->start(config); !started) return std::unexpected(started.error());
  return source;
}

LibcameraSource::~LibcameraSource() {
  // Every request comes back, cancelled, before stop() returns; only then may buffers go.
  if (streaming_) camera_->stop();
  if (completions_) {
    camera_->requestCompleted.disconnect(completions_.get());
    camera_->disconnected.disconnect(completions_.get());
  }
  requests_.clear();
  buffers_.clear();
  allocator_.reset();
}

Result<> LibcameraSource::start(const LibcameraConfig& config) {
  auto fixed = agree(config);
  if (!fixed) return std::unexpected(fixed.error());
  if (auto r = allocate(); !r) {
    log_.error("{}: no buffers: {}", camera_->id(), to_string(r.error()));
    return r;
  }
  return begin(config, *fixed);
}

Result<Fixed> LibcameraSource::agree(const LibcameraConfig& config) {
  Fixed fixed{.rate = 0, .can_flip = can_flip(*camera_)};
  for (const Setting& s : config.controls) {
    if (s.control == Control::hflip) fixed.hflip = s.value.value != 0;
    if (s.control == Control::vflip) fixed.vflip = s.value.value != 0;
  }
  auto agreed = negotiate(*camera_, config, orientation_of(fixed.hflip, fixed.vflip));
  if (!agreed) {
    log_.error("{}: {}{}", camera_->id(), agreed.error().what, config.format.empty() ? "" : " (" + config.format + ")");
    return std::unexpected(agreed.error());
  }
  agreed_ = std::move(*agreed);
  if (agreed_.exact) log_.info("{}: {}", camera_->id(), agreed_.reason);
  else log_.warning("{}: {}", camera_->id(), agreed_.reason);
  if (!agreed_.passed_over.empty()) log_.info("{}: not {}", camera_->id(), join(agreed_.passed_over));
  if (const int result = camera_->configure(agreed_.configuration.get()); result != 0)
    return fail(errc_of(result), "the camera does not take its configuration", -result);
  agreed_.layout.stride = agreed_.configuration->at(0).stride;
  return fixed;
}

Result<> LibcameraSource::allocate() {
  lib::Stream* const stream = agreed_.configuration->at(0).stream();
  allocator_.emplace(camera_.shared());
  if (const int result = allocator_->allocate(stream); result < 0)
    return fail(errc_of(result), "allocating buffers", -result);
  const auto& made = allocator_->buffers(stream);
  if (made.size() < fewest_buffers) return fail(Errc::no_memory, "the camera has too few buffers");
  for (const auto& buffer : made) {
    auto mapped = MappedBuffer::map(*buffer, agreed_.layout);
    if (!mapped) return std::unexpected(mapped.error());
    buffers_.push_back(std::move(*mapped));
    auto request = camera_->createRequest(requests_.size());
    if (!request) return fail(Errc::no_memory, "making a request");
    if (const int result = request->addBuffer(stream, buffer.get()); result != 0)
      return fail(errc_of(result), "giving a buffer to a request", -result);
    requests_.push_back(std::move(request));
  }
  return {};
}

Result<> LibcameraSource::begin(const LibcameraConfig& config, Fixed fixed) {
  rate_ = config.rate > 0 ? config.rate : usual_rate;
  lib::ControlList first(camera_->controls());
  const double wanted = rate_;
  if (!set_rate(camera_->controls(), rate_, first)) log_.info("{}: its rate cannot be set", camera_->id());
  else if (rate_ != wanted) log_.warning("{}: {:.4g}/s, nearest to the wanted {:.4g}/s", camera_->id(), rate_, wanted);
  fixed.rate = rate_;
  controls_.emplace(camera_->controls(), fixed);
  if (auto r = apply(config.controls); !r) return r;
  controls_->give_to(first);
  pace_.emplace(rate_);
  completions_ = std::make_shared<Completions>(requests_.size());
  connect();
  order_.emplace(clock_.monotonic());
  if (const int result = camera_->start(&first); result != 0)
    return fail(errc_of(result), "the camera does not start", -result);
  streaming_ = true;
  for (const auto& request : requests_) {
    if (const int result = camera_->queueRequest(request.get()); result != 0)
      return fail(errc_of(result), "the camera takes no requests", -result);
  }
  return {};
}

/// The slots run on libcamera's thread. They hold what they touch, since the last may still run when we let go.
void LibcameraSource::connect() {
  camera_->requestCompleted.connect(completions_.get(), [to = completions_](lib::Request* request) {
    to->push({static_cast<std::uint32_t>(request->cookie()), request->status() == lib::Request::RequestCancelled});
  });
  camera_->disconnected.connect(completions_.get(), [to = completions_] { to->lose(); });
}

Result<> LibcameraSource::apply(std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    // Agreed with the configuration already.
    if (setting.control == Control::hflip || setting.control == Control::vflip) continue;
    const auto set = controls_->set(setting);
    if (set) continue;
    log_.error("{}: {}", camera_->id(), explain(setting, set.error(), controls_->list()));
    return set;
  }
  return {};
}

std::string LibcameraSource::do_describe() const {
  const auto model = model_of(*camera_.shared());
  return std::format("libcamera {}{}, {} {}x{}, {:.4g}/s, {} buffers", camera_->id(),
                     model.empty() ? "" : " (" + model + ")", agreed_.fourcc, agreed_.layout.size.width,
                     agreed_.layout.size.height, rate_, buffers_.size());
}

void LibcameraSource::queue(std::uint32_t index) noexcept {
  if (completions_->lost()) return;
  lib::Request& request = *requests_[index];
  request.reuse(lib::Request::ReuseBuffers);
  controls_->give_to(request.controls());
  if (camera_->queueRequest(&request) != 0) completions_->lose();  // it takes none but when it is gone
}

void LibcameraSource::give_back(std::uint32_t buffer) noexcept {
  buffers_[buffer].end_reading();
  queue(buffer);
}

/// Of a camera that is too fast: waits for the beat, and lets go of all but the newest picture.
Result<> LibcameraSource::keep_pace(MonotonicTime deadline) {
  if (!pace_->holds()) return {};
  const MonotonicTime now = clock_.monotonic();
  const MonotonicTime due = pace_->due(now);
  order_->lose(pace_->missed());
  if (due > now) completions_->pause(std::min(due, deadline) - now);
  if (due > deadline) return fail(Errc::timeout, "waiting for a picture");
  for (std::size_t i = 1; i < requests_.size(); ++i) {
    const auto old = completions_->take(2);
    if (!old) break;
    if (!old->cancelled) order_->pass();
    queue(old->request);
  }
  return {};
}

Result<Picture> LibcameraSource::do_next(std::chrono::milliseconds timeout) {
  const MonotonicTime deadline = clock_.monotonic() + timeout;
  if (auto r = keep_pace(deadline); !r) return std::unexpected(r.error());
  for (;;) {
    const auto left = std::max<nanoseconds>(deadline - clock_.monotonic(), std::chrono::microseconds(1));
    const auto done = completions_->wait(left);
    if (completions_->lost()) return fail(Errc::device_lost, "libcamera lost the camera");
    if (!done) return fail(Errc::timeout, "waiting for a picture");
    if (done->cancelled) {
      if (++cancelled_ > most_cancelled) completions_->lose();
      queue(done->request);
      continue;
    }
    cancelled_ = 0;
    auto picture = make_picture(done->request);
    if (!picture) return std::unexpected(picture.error());
    if (*picture) return std::move(**picture);
  }
}

/// Nothing: there is no picture in it. What is not returned gives its buffer back.
Result<std::optional<Picture>> LibcameraSource::make_picture(std::uint32_t index) {
  lib::Request& request = *requests_[index];
  const MappedBuffer& mapped = buffers_[index];
  mapped.begin_reading();
  Picture picture(*this, index);
  const auto& metadata = request.metadata();
  const Report report = report_of(*request.buffers().begin()->second, mapped.needed(),
                                  metadata.get(lib::controls::SensorTimestamp), request.sequence());
  if (report.kind == Report::Kind::none) return std::optional<Picture>();
  controls_->learn(metadata);
  picture.number = order_->number(report.sequence);
  picture.captured = order_->time(report.stamp, clock_.monotonic());
  pace_->saw(picture.captured);
  if (pace_->holds()) pace_->beat();
  if (report.kind == Report::Kind::damaged) return fail(Errc::corrupt_frame, "libcamera marks the picture as damaged");
  picture.format = agreed_.layout.format;
  picture.size = agreed_.layout.size;
  picture.planes = mapped.planes(report.used);
  return std::optional<Picture>(std::move(picture));
}

}  // namespace sealcam::hal::libcamera
