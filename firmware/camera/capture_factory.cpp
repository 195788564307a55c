// SPDX-License-Identifier: Apache-2.0
#include "camera/capture_factory.hpp"

#include <algorithm>

#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/encoder.hpp"
#include "hal/replay/load.hpp"

namespace sealcam::camera {

static constexpr std::string_view hardware_codec = "h264_v4l2m2m";

hal::Size shrunk(hal::Size size, int steps) noexcept {
  const auto side = [steps](int pixels) { return std::max((pixels >> steps) & ~1, std::min(pixels, 64)); };
  return {side(size.width), side(size.height)};
}

Result<std::unique_ptr<hal::FrameSource>> ConfiguredCapture::do_open_source(int shrink) {
  const SourceConfig source = config().source;
  const hal::Size size = shrunk(source.size, shrink);
  if (source.backend == "replay") {
    return hal::replay::open_replay(
        {.file = source.file, .size = size, .rate = source.rate, .loop = source.loop, .realtime = source.realtime},
        clock_, log_);
  }
  if (source.backend != "fake") {
    source_log_.next_try();  // once, however many are asked
    return sensors_.open(source, size);
  }
  auto fake = hal::fake::FakeSource::open(
      {.size = size, .rate = source.rate == 0 ? 30 : source.rate, .camera = source.number, .realtime = source.realtime},
      clock_);
  if (!fake) return std::unexpected(fake.error());
  return std::move(*fake);
}

Result<std::unique_ptr<hal::VideoEncoder>> ConfiguredCapture::do_open_encoder(const hal::FrameSource& source,
                                                                              const stream::Quality& quality) {
  hal::EncoderConfig config = this->config().encoder;
  config.size = source.size();
  config.rate = std::clamp(source.rate(), 1.0, 120.0);
  config.bitrate = quality.bitrate;
  config.keyframe_interval = quality.keyframe_interval;
  config.hardware = !hardware_failed_ || clock_.monotonic() - *hardware_failed_ >= hardware_rest;
  auto encoder = hal::ffmpeg::FfmpegEncoder::open(config, log_);
  if (!encoder) return std::unexpected(encoder.error());
  return std::move(*encoder);
}

void ConfiguredCapture::do_encoder_failed(std::string_view name) {
  if (name != hardware_codec || config().encoder.codec == hardware_codec) return;
  hardware_failed_ = clock_.monotonic();
  log_.warning("encoder: {} is left alone for {} minutes, the cores encode", name, hardware_rest.count());
}

}  // namespace sealcam::camera
