// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/libcamera_source.hpp"

#include <libcamera/control_ids.h>

#include <algorithm>
#include <cmath>

#include "base/format.hpp"
#include "hal/libcamera/module/cameras.hpp"
#include "hal/module_backends.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::libcamera {

using std::chrono::nanoseconds;

namespace {

constexpr double usual_rate = 30;
constexpr std::uint32_t min_buffers = 3;  // two leased ones and one for the camera
constexpr int max_canceled = 16;          // in a row; then the camera is lost

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
  // stop() returns after all requests are canceled. The buffers may be freed only after that.
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
    return fail(errc_of(result), "the camera rejects its configuration", -result);
  agreed_.layout.stride = agreed_.configuration->at(0).stride;
  return fixed;
}

Result<> LibcameraSource::allocate() {
  lib::Stream* const stream = agreed_.configuration->at(0).stream();
  allocator_.emplace(camera_.shared());
  if (const int result = allocator_->allocate(stream); result < 0)
    return fail(errc_of(result), "allocating buffers", -result);
  const auto& made = allocator_->buffers(stream);
  if (made.size() < min_buffers) return fail(Errc::no_memory, "the camera has too few buffers");
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
  const double requested = rate_;
  if (!set_rate(camera_->controls(), rate_, first)) log_.info("{}: the rate cannot be set", camera_->id());
  else if (rate_ != requested)
    log_.warning("{}: {:.4g}/s, nearest to the requested {:.4g}/s", camera_->id(), rate_, requested);
  fixed.rate = rate_;
  controls_.emplace(camera_->controls(), fixed);
  if (auto r = apply(config.controls); !r) return r;
  controls_->move_to(first);
  limiter_.emplace(rate_);
  completions_ = std::make_shared<Completions>(requests_.size());
  connect();
  order_.emplace(clock_.monotonic(), std::chrono::nanoseconds(std::llround(1e9 / rate_)));
  queued_.assign(requests_.size(), clock_.monotonic());
  if (const int result = camera_->start(&first); result != 0)
    return fail(errc_of(result), "the camera does not start", -result);
  streaming_ = true;
  for (const auto& request : requests_) {
    if (const int result = camera_->queueRequest(request.get()); result != 0)
      return fail(errc_of(result), "the camera rejects a request", -result);
  }
  return {};
}

/// The slots run on libcamera's thread. They share ownership of the queue, because a slot may still run after the
/// disconnect.
void LibcameraSource::connect() {
  camera_->requestCompleted.connect(completions_.get(), [to = completions_](lib::Request* request) {
    to->push({static_cast<std::uint32_t>(request->cookie()), request->status() == lib::Request::RequestCancelled});
  });
  camera_->disconnected.connect(completions_.get(), [to = completions_] { to->lose(); });
}

Result<> LibcameraSource::apply(std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    // The configuration already has these.
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
  return sealcam::format("libcamera {}{}, {} {}x{}, {:.4g}/s, {} buffers", camera_->id(),
                         model.empty() ? "" : " (" + model + ")", agreed_.fourcc, agreed_.layout.size.width,
                         agreed_.layout.size.height, rate_, buffers_.size());
}

void LibcameraSource::queue(std::uint32_t index) noexcept {
  if (completions_->lost()) return;
  lib::Request& request = *requests_[index];
  request.reuse(lib::Request::ReuseBuffers);
  controls_->move_to(request.controls());
  queued_[index] = clock_.monotonic();
  if (camera_->queueRequest(&request) != 0) completions_->lose();  // only a lost camera rejects a request
}

void LibcameraSource::give_back(std::uint32_t buffer) noexcept {
  buffers_[buffer].end_reading();
  queue(buffer);
}

/// If the camera is faster than the configured rate: waits until a picture is due, and drops all pictures but the
/// newest one.
Result<> LibcameraSource::keep_rate(MonotonicTime deadline) {
  if (!limiter_->limits()) return {};
  const MonotonicTime now = clock_.monotonic();
  const MonotonicTime due = limiter_->due(now);
  order_->add_gap(limiter_->missed());
  if (due > now) completions_->pause(std::min(due, deadline) - now);
  if (due > deadline) return fail(Errc::timeout, "waiting for a picture");
  for (std::size_t i = 1; i < requests_.size(); ++i) {
    const auto old = completions_->take(2);
    if (!old) break;
    if (!old->canceled) order_->skip();
    queue(old->request);
  }
  return {};
}

Result<Picture> LibcameraSource::do_next(std::chrono::milliseconds timeout) {
  const MonotonicTime deadline = clock_.monotonic() + timeout;
  if (auto r = keep_rate(deadline); !r) return std::unexpected(r.error());
  for (;;) {
    const auto left = std::max<nanoseconds>(deadline - clock_.monotonic(), std::chrono::microseconds(1));
    const auto done = completions_->wait(left);
    if (completions_->lost()) return fail(Errc::device_lost, "libcamera lost the camera");
    if (!done) return fail(Errc::timeout, "waiting for a picture");
    if (done->canceled) {
      if (++canceled_ > max_canceled) completions_->lose();
      queue(done->request);
      continue;
    }
    canceled_ = 0;
    auto picture = make_picture(done->request);
    if (!picture) return std::unexpected(picture.error());
    if (*picture) return std::move(**picture);
  }
}

/// Returns nothing if the request has no picture. A picture that is not returned gives its buffer back.
Result<std::optional<Picture>> LibcameraSource::make_picture(std::uint32_t index) {
  lib::Request& request = *requests_[index];
  const MappedBuffer& mapped = buffers_[index];
  mapped.begin_reading();
  Picture picture(*this, index);
  const auto& metadata = request.metadata();
  const Report report = report_of(*request.buffers().begin()->second, mapped.needed(),
                                  metadata.get(lib::controls::SensorTimestamp), request.sequence());
  if (report.kind == Report::Kind::none) return std::optional<Picture>();
  controls_->update(metadata);
  picture.number = order_->number(report.sequence);
  const MonotonicTime now = clock_.monotonic();
  const bool usable = order_->usable(report.timestamp, now);
  picture.captured = order_->time(report.timestamp, queued_[index], now);
  // The first requests are queued together, so their times tell nothing about the rate.
  limiter_->add(usable ? picture.captured : now);
  if (limiter_->limits()) limiter_->advance();
  if (report.kind == Report::Kind::damaged) return fail(Errc::corrupt_frame, "libcamera marks the picture as damaged");
  picture.format = agreed_.layout.format;
  picture.colors = agreed_.colors;
  picture.size = agreed_.layout.size;
  picture.planes = mapped.planes(report.used);
  if (picture.format == PixelFormat::mjpeg)
    if (auto r = adopt_jpeg(picture); !r) return std::unexpected(r.error());
  return std::optional<Picture>(std::move(picture));
}

namespace {

std::vector<ControlInfo> controls_of(lib::Camera& camera) {
  double rate = 30;
  lib::ControlList unused(camera.controls());
  const bool rated = set_rate(camera.controls(), rate, unused);
  LibcameraControls controls(camera.controls(), {.rate = rated ? rate : 0, .can_flip = can_flip(camera)});
  return controls.list();
}

/// Does not acquire a camera, because another program may use it.
std::vector<CameraEntry> list_cameras(const lib::CameraManager& manager) {
  std::vector<CameraEntry> entries;
  for (const auto& camera : manager.cameras())
    entries.push_back(
        {camera->id(), model_of(*camera), location_of(*camera), offered_formats(*camera), controls_of(*camera)});
  return entries;
}

class Backend final : public LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) override {
    if (auto r = begin(); !r) return std::unexpected(r.error());
    auto source = LibcameraSource::open(manager_, config, clock, log);
    if (!source) return std::unexpected(source.error());
    return std::move(*source);
  }

  Result<std::vector<CameraEntry>> do_list(Log& log) override {
    if (auto r = begin(); !r) {
      log.error("libcamera: {}", to_string(r.error()));
      return std::unexpected(r.error());
    }
    return list_cameras(*manager_);
  }

  Result<> begin() {
    if (manager_ && !manager_->cameras().empty()) return {};
    const Silence silence(found_none_);
    manager_.reset();  // libcamera allows only one manager
    auto manager = start_manager();
    found_none_ = !manager || (*manager)->cameras().empty();
    if (!manager) return std::unexpected(manager.error());
    manager_ = std::move(*manager);
    return {};
  }

  Manager manager_;
  bool found_none_ = false;  // at the previous start
};

}  // namespace

std::unique_ptr<LibcameraBackend> make_backend() { return std::make_unique<Backend>(); }

}  // namespace sealcam::hal::libcamera
