// SPDX-License-Identifier: Apache-2.0
#include "camera/capture_factory.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "hal/board/board_data.hpp"
#include "hal/board/led_control.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "hal/gpio/gpio_button.hpp"

namespace sealcam::camera {

namespace board = hal::board;

std::unique_ptr<hal::BoardControl> open_activity_light(const board::SystemView& system, Log& log) {
  auto fallback = std::make_unique<board::LogControl>(log);
  const auto model = board::this_model(system);
  if (!model) {
    log.warning("no activity light, so the log reports the sensor: {}", model.error());
    return fallback;
  }
  if (!model->led) {
    log.info("no activity light, so the log reports the sensor: {}: {}", model->name, model->led.error().why);
    return fallback;
  }
  auto led = board::LedControl::open(system.real(model->led->path));
  if (!led) {
    log.warning("no activity light, so the log reports the sensor: {}: {}; sealcam-camera --doctor shows the next step",
                model->led->path.string(), to_string(led.error()));
    return fallback;
  }
  log.info("activity light: {} of {}", (*led)->describe(), model->name);
  return std::move(*led);
}

std::unique_ptr<hal::Button> open_reset_button(const board::SystemView& system, Log& log) {
  const auto model = board::this_model(system);
  if (!model) {
    log.warning("no reset button: {}", model.error());
    return nullptr;
  }
  if (!model->button) {
    log.info("no reset button: {}", model->button.error().why);
    return nullptr;
  }
  const auto& [chip, line, active_low] = *model->button;
  auto button = hal::gpio::GpioButton::open(
      {.chip = system.real(chip), .line = static_cast<unsigned>(line), .active_low = active_low});
  if (!button) {
    log.warning("no reset button: line {} of {}: {}; sealcam-camera --doctor shows the next step", line, chip.string(),
                to_string(button.error()));
    return nullptr;
  }
  log.info("reset button: {}, hold it for 5 s", (*button)->describe());
  return std::move(*button);
}

std::optional<hal::EncoderLimits> encoder_limits(const board::SystemView& system) {
  const auto model = board::this_model(system);
  if (!model || !model->encoder) return std::nullopt;
  const board::Encoder& encoder = *model->encoder;
  return hal::EncoderLimits{
      .min_side = encoder.min_side,
      .max_side = encoder.max_side,
      .min_bitrate = encoder.min_bitrate,
      .max_bitrate = encoder.max_bitrate,
      .max_unit_above_720p = static_cast<std::size_t>(encoder.buffer_kib_above_720p) * 1024,
  };
}

bool ResetButton::long_pressed(MonotonicTime now) {
  if (!button_) return false;
  const auto pressed = button_->pressed();
  if (pressed) return press_.feed(*pressed, now);
  log_.warning("the reset button {} does not work any more: {}", button_->describe(), to_string(pressed.error()));
  button_.reset();
  return false;
}

using namespace std::chrono_literals;

static constexpr int max_keyframe_interval = 300;  // pictures
static constexpr std::string_view hardware_codec = "h264_v4l2m2m";

static void relay(Log& to, LogLevel level, std::string_view line) {
  switch (level) {
    case LogLevel::error: to.error("{}", line); break;
    case LogLevel::warning: to.warning("{}", line); break;
    case LogLevel::info: to.info("{}", line); break;
    case LogLevel::debug: to.debug("{}", line); break;
  }
}

void OnceLog::write(LogLevel level, std::string_view line) {
  constexpr std::size_t max_lines = 64;  // further lines of an attempt are logged each time
  if (now_.size() < max_lines) now_.emplace(line);
  if (!before_.contains(line)) relay(inner_, level, line);
}

void HeldLog::write(LogLevel level, std::string_view line) {
  if (!holds_ || level != LogLevel::error) return relay(inner_, level, line);
  if (!held_.empty()) held_ += "; ";
  held_ += line;
}

std::string HeldLog::release() {
  holds_ = false;
  return std::exchange(held_, {});
}

SensorChoice::SensorChoice(hal::Dependencies deps)
    : deps_(std::move(deps)), libcamera_log_(deps_.log), libcamera_backoff_(1s, 15s) {}

Result<std::unique_ptr<hal::FrameSource>> SensorChoice::open(const SourceConfig& source) {
  if (const auto* backend = hal::find_backend(source.backend)) return backend->open(source, deps_);
  const auto config = hal::v4l2_config(source, deps_);
  auto sensor = hal::v4l2::V4l2Source::find(config, deps_.log, deps_.open_device);
  if (sensor) {
    libcamera_backoff_.reset();
    return open_v4l2(std::move(*sensor), config);
  }
  if (sensor.error().code == Errc::not_found) return open_without_v4l2(source, config);
  return std::unexpected(sensor.error());
}

SensorChoice::Source SensorChoice::open_v4l2(hal::v4l2::OpenSensor sensor, const hal::v4l2::V4l2Config& config) {
  auto opened = hal::v4l2::V4l2Source::open(std::move(sensor), config, deps_.clock, deps_.log);
  if (!opened) return std::unexpected(opened.error());
  return std::move(*opened);
}

SensorChoice::Source SensorChoice::open_without_v4l2(const SourceConfig& source, const hal::v4l2::V4l2Config& config) {
  auto opened = try_libcamera(source);
  if (!opened) {
    deps_.log.error("there is no V4L2 sensor; {}", libcamera_text_);
    if (opened.error().code == Errc::not_found)
      return fail(
          Errc::not_found,
          "neither V4L2 nor libcamera has a sensor: connect a camera, or start with --source fake for a test picture");
    return opened;
  }
  // libcamera opens USB cameras, too. A USB camera that was connected in the meantime belongs to V4L2.
  auto late = hal::v4l2::open_first(hal::v4l2::nodes(deps_.devices), deps_.open_device);
  if (!late) return opened;
  opened->reset();
  return open_v4l2(std::move(*late), config);
}

SensorChoice::Source SensorChoice::try_libcamera(const SourceConfig& source) {
  if (!libcamera_backoff_.due(deps_.clock.monotonic())) return std::unexpected(libcamera_error_);
  libcamera_log_.hold();
  const hal::Dependencies deps{deps_.devices, deps_.open_device, deps_.libcamera, deps_.clock, libcamera_log_};
  auto opened = hal::find_backend(hal::SourceKind::camera).open(source, deps);
  libcamera_text_ = libcamera_log_.release();
  if (opened) {
    libcamera_backoff_.reset();
    return opened;
  }
  libcamera_error_ = opened.error();
  if (libcamera_text_.empty()) libcamera_text_ = "libcamera: " + to_string(libcamera_error_);
  // No camera, or no module. A camera that is in use is tried each time.
  if (libcamera_error_.code == Errc::not_found || libcamera_error_.code == Errc::unsupported)
    libcamera_backoff_.failed(deps_.clock.monotonic());
  else libcamera_backoff_.reset();
  return opened;
}

Result<std::unique_ptr<hal::FrameSource>> ConfiguredCapture::do_open_source() {
  SourceConfig source = config().source;
  source.unusable = unusable_;
  source.encoded = config().areas.masks.empty();  // the camera cannot paint pictures that the sensor encodes
  source_log_.next_attempt();
  return sensors_.open(source);
}

Result<std::unique_ptr<hal::VideoEncoder>> ConfiguredCapture::do_open_encoder(const hal::FrameSource& source,
                                                                              hal::Size size,
                                                                              const stream::Quality& quality) {
  hal::EncoderConfig config = this->config().encoder;
  config.size = stream::encoded_size(size, quality.downscale);
  config.picture = size;
  config.format = source.format();
  config.colors = source.colors();
  const auto encoded = stream::encoded_rate(source, quality);
  config.rate = encoded.full;
  config.bitrate = encoded.bitrate;
  const auto vbv = static_cast<double>(quality.vbv.count()) * encoded.rate / encoded.full;
  config.vbv = std::max(50ms, std::chrono::milliseconds(std::lround(vbv)));
  // The capture loop requests the key frames. This interval is for encoders that ignore requests.
  config.keyframe_interval = std::max<int>(quality.keyframe_interval, max_keyframe_interval);
  config.hardware = !hardware_failed_ || clock_.monotonic() - *hardware_failed_ >= hardware_pause;
  encoder_log_.next_attempt();
  auto encoder = hal::ffmpeg::FfmpegEncoder::open(config, encoder_log_);
  if (!encoder) return std::unexpected(encoder.error());
  encoder_log_.next_attempt();  // drops lines only after a failure
  return std::move(*encoder);
}

void ConfiguredCapture::do_format_failed(const hal::FrameSource& source) {
  constexpr std::size_t max_formats = 32;  // of all devices that were connected
  const auto id = source.format_id();
  if (id.empty()) return;
  // A format of the list is open again if the device has no other. Then each is tried once more.
  if (std::ranges::contains(unusable_, id) || unusable_.size() == max_formats) unusable_.clear();
  unusable_.push_back(id);
}

void ConfiguredCapture::do_encoder_failed(std::string_view name) {
  if (name != hardware_codec || config().encoder.codec == hardware_codec) return;
  hardware_failed_ = clock_.monotonic();
  log_.warning("the encoder {} failed; the camera encodes in software for {} minutes", name, hardware_pause.count());
}

}  // namespace sealcam::camera
