// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/codec.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <thread>

#include "hal/ffmpeg/support.hpp"
#include "hal/h264.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
}

namespace sealcam::hal::ffmpeg {

namespace {

constexpr std::array all_codecs = {"h264_v4l2m2m", "libx264", "libopenh264"};
constexpr std::string_view v4l2 = all_codecs[0];
constexpr std::string_view x264 = all_codecs[1];

Result<> check_bitrate(BitsPerSecond bitrate) {
  if (bitrate < min_bitrate || bitrate > max_bitrate) return fail(Errc::invalid_argument, "bitrate of the encoder");
  return {};
}

Result<> check(const EncoderConfig& c) {
  if (!is_valid(c.size) || (c.picture != Size{} && !is_valid(c.picture)))
    return fail(Errc::invalid_argument, "size of the encoder: even, 32 to 4096");
  if (c.format == PixelFormat::h264)
    return fail(Errc::invalid_argument, "format of the encoder: h264 is encoded already");
  if (!(c.rate >= 1 && c.rate <= 120)) return fail(Errc::invalid_argument, "rate of the encoder");
  if (c.vbv.count() < 50 || c.vbv.count() > 5000) return fail(Errc::invalid_argument, "vbv of the encoder");
  if (c.keyframe_interval < 1 || c.keyframe_interval > 600) return fail(Errc::invalid_argument, "keyframe_interval");
  if (c.threads < 0 || c.threads > 16) return fail(Errc::invalid_argument, "threads of the encoder");
  return check_bitrate(c.bitrate);
}

/// FFmpeg's V4L2 wrapper reports such an error only with the first picture, or not at all.
Result<> check_hardware(const EncoderConfig& c) {
  if (!c.hardware_limits) return {};
  const EncoderLimits& limits = *c.hardware_limits;
  const auto [smaller, larger] = std::minmax(c.size.width, c.size.height);
  if (smaller < limits.min_side || larger > limits.max_side)
    return fail(Errc::unsupported, "the picture's size is beyond this board's encoder");
  if (c.bitrate < limits.min_bitrate || c.bitrate > limits.max_bitrate)
    return fail(Errc::unsupported, "the bitrate is beyond this board's encoder");
  return {};
}

/// Maximum bits of an access unit; 0: no limit.
std::int64_t max_unit(const EncoderConfig& c) noexcept {
  const bool above_720p = c.size.width * c.size.height > 1280 * 720;
  if (c.codec != v4l2 || !c.hardware_limits || !above_720p) return 0;
  return static_cast<std::int64_t>(c.hardware_limits->max_unit_above_720p) * 8;
}

/// The encoder's input format. Pictures of other formats are converted.
PixelFormat input_format(const EncoderConfig& config) {
  return config.format == PixelFormat::nv12 ? PixelFormat::nv12 : PixelFormat::yu12;
}

/// The colors of the stream. JPEG and RGB are converted in any case, and more players know the limited range.
Colors stream_colors(const EncoderConfig& config) {
  const Colors& from = config.colors;
  if (config.format == PixelFormat::mjpeg || from.matrix == Colors::rgb)
    return {.primaries = from.primaries, .transfer = from.transfer};
  return from;
}

/// x264 encodes one slice per thread, which reduces the latency. Threads that encode whole pictures would add a delay
/// of one picture each. More than four slices cost too many bits.
int default_threads() noexcept { return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4); }

struct Options {
  AVDictionary* entries = nullptr;
  Options() = default;
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  ~Options() { av_dict_free(&entries); }
  void set(const char* key, const char* value) { av_dict_set(&entries, key, value, 0); }
};

/// Options that only one of the encoders has.
void set_private_options(Options& options, std::string_view name) {
  if (name == x264) {
    options.set("preset", "superfast");
    options.set("tune", "zerolatency");  // no look-ahead, no B-frames, slices, constant frame rate
    options.set("forced-idr", "1");      // a requested key frame must start a new group
    // Disables additional key frames at scene changes, because each is a burst in the network.
    options.set("x264-params", "scenecut=0");
  } else if (name == "libopenh264") {
    options.set("allow_skip_frames", "0");
    options.set("rc_mode", "bitrate");
  }
}

/// Whether each SPS has these colors. Drivers of hardware encoders ignore the colors that FFmpeg requests.
bool has_colors(ByteView bytes, const Colors& colors) noexcept {
  NalReader reader(bytes);
  while (const auto unit = reader.next())
    if (unit->type() == NalType::sps && sps_colors(*unit) != colors) return false;
  return true;
}

bool has_slice(ByteView bytes) noexcept {
  NalReader reader(bytes);
  while (const auto unit = reader.next()) {
    if (unit->type() == NalType::slice || unit->type() == NalType::idr_slice) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<FfmpegEncoder>> FfmpegEncoder::open(const EncoderConfig& config, Log& log) {
  const auto good = check(config);
  if (!good) return std::unexpected(good.error());
  const bool automatic = config.codec == "auto";
  Error last{Errc::not_found, 0, "no such H.264 encoder: auto, h264_v4l2m2m, libx264, libopenh264"};
  for (const char* name : all_codecs) {
    if (!automatic && config.codec != name) continue;
    if (automatic && name == v4l2 && !config.hardware) continue;
    LogCapture captured;
    auto encoder = open_one(config, name);
    if (encoder) {
      log.info("encoder: {}{}, {}x{}, {}/s, {} bit/s", name, automatic ? " (auto)" : "", config.size.width,
               config.size.height, config.rate, config.bitrate.value());
      return encoder;
    }
    last = encoder.error();
    log.info("encoder: not {}: {}{}{}", name, to_string(last),
             captured.line().empty() ? "" : "; FFmpeg: ", captured.line());
  }
  return std::unexpected(last);
}

Result<std::unique_ptr<FfmpegEncoder>> FfmpegEncoder::open_one(const EncoderConfig& config, const char* name) {
  if (name == v4l2) {
    if (auto r = check_hardware(config); !r) return std::unexpected(r.error());
  }
  auto converter = Converter::open(config.size, input_format(config), stream_colors(config));
  if (!converter) return std::unexpected(converter.error());
  std::unique_ptr<FfmpegEncoder> encoder(new FfmpegEncoder(config, std::move(*converter)));
  const auto started = encoder->start(name);
  if (!started) return std::unexpected(started.error());
  return encoder;
}

Result<> FfmpegEncoder::start(const char* name) {
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) return fail(Errc::not_found, "not in this build of FFmpeg");
  config_.codec = name;
  context_.reset(avcodec_alloc_context3(codec));
  packet_.reset(av_packet_alloc());
  frame_.reset(av_frame_alloc());
  if (!context_ || !packet_ || !frame_) return fail(Errc::no_memory, "opening an encoder");
  // With this placeholder for the buffer of each picture, FFmpeg takes a reference instead of a copy.
  static std::uint8_t nothing = 0;
  frame_->buf[0] = av_buffer_create(&nothing, 1, [](void*, std::uint8_t*) {}, nullptr, AV_BUFFER_FLAG_READONLY);
  if (frame_->buf[0] == nullptr) return fail(Errc::no_memory, "opening an encoder");
  AVCodecContext& context = *context_;
  context.width = config_.size.width;
  context.height = config_.size.height;
  context.pix_fmt = static_cast<AVPixelFormat>(av_format(input_format(config_)));
  // Without colors, players assume BT.709 for large pictures.
  config_.colors = stream_colors(config_);
  context.color_range = config_.colors.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  context.colorspace = static_cast<AVColorSpace>(config_.colors.matrix);
  context.color_primaries = static_cast<AVColorPrimaries>(config_.colors.primaries);
  context.color_trc = static_cast<AVColorTransferCharacteristic>(config_.colors.transfer);
  context.framerate = av_d2q(config_.rate, 100'000);
  context.time_base = av_inv_q(context.framerate);
  context.gop_size = config_.keyframe_interval;
  context.max_b_frames = 0;
  context.thread_count = config_.threads == 0 ? default_threads() : config_.threads;
  apply_bitrate(config_.bitrate, config_.rate, config_.vbv);
  Options options;
  set_private_options(options, name);
  if (const int rc = avcodec_open2(&context, codec, &options.entries); rc < 0)
    return av_fail(rc, Errc::unsupported, "opening it");
  if (context.extradata != nullptr)
    keep_parameter_sets(
        {reinterpret_cast<const std::byte*>(context.extradata), static_cast<std::size_t>(context.extradata_size)});
  return {};
}

/// The encoder's time runs at the configured rate: with half the pictures, each may have twice the bits.
void FfmpegEncoder::apply_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) noexcept {
  const double per_picture = bitrate.value() / rate;
  context_->bit_rate = std::llround(per_picture * config_.rate);
  context_->rc_max_rate = context_->bit_rate;
  // A buffer below one picture is not possible.
  auto buffer = std::llround(std::max(bitrate.value() * static_cast<double>(vbv.count()) / 1000, per_picture));
  if (const auto max_bits = max_unit(config_); max_bits != 0) buffer = std::min<long long>(buffer, max_bits);
  context_->rc_buffer_size = static_cast<int>(buffer);
}

Result<> FfmpegEncoder::do_set_bitrate(BitsPerSecond bitrate, double rate, std::chrono::milliseconds vbv) {
  if (rate == 0) rate = config_.rate;
  if (rate > config_.rate) return fail(Errc::invalid_argument, "rate of the encoder");
  const auto good = check_bitrate(BitsPerSecond(static_cast<std::uint32_t>(bitrate.value() * config_.rate / rate)));
  if (!good) return std::unexpected(good.error());
  // FFmpeg compares these fields before every picture for libx264; for the others it reads them once.
  if (config_.codec != x264) return fail(Errc::unsupported, "changing the bitrate of this encoder while it runs");
  apply_bitrate(bitrate, rate, vbv.count() == 0 ? config_.vbv : vbv);
  return {};
}

Result<AVFrame*> FfmpegEncoder::input_frame(const Picture& picture) {
  const bool same = picture.size == config_.size && picture.colors == config_.colors;
  if (masks_.empty() && same && picture.format == input_format(config_)) {
    view_planes(*frame_, picture);
    return frame_.get();
  }
  const auto converted = converter_.convert(picture);
  if (converted) paint_areas(**converted, masks_.list());
  return converted;
}

Luma FfmpegEncoder::do_luma() const noexcept {
  if (input_ == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(input_->data[0]), static_cast<std::size_t>(input_->linesize[0]),
          config_.size};
}

Result<> FfmpegEncoder::send(AVFrame& frame, FrameNumber number) {
  frame.pict_type = keyframe_requested_ ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
  frame.pts = sequence_;
  frame.duration = 1;
  numbers_.put(static_cast<std::uint64_t>(sequence_), number);
  const int rc = avcodec_send_frame(context_.get(), &frame);
  if (rc < 0) {
    broken_ = true;
    return av_fail(rc, Errc::device_lost, "sending a picture to the encoder");
  }
  ++sequence_;
  keyframe_requested_ = false;
  return {};
}

Result<std::optional<AccessUnit>> FfmpegEncoder::do_encode(const Picture& picture) {
  if (broken_) return fail(Errc::device_lost, "the encoder has already failed");
  if (picture.size != (config_.picture == Size{} ? config_.size : config_.picture))
    return fail(Errc::invalid_argument, "size of a picture to encode");
  if (picture.format == PixelFormat::h264 || picture.planes[0].data == nullptr)
    return fail(Errc::invalid_argument, "format of a picture to encode");
  input_ = nullptr;
  const auto frame = input_frame(picture);
  if (!frame) return std::unexpected(frame.error());
  const auto sent = send(**frame, picture.number);
  if (!sent) return std::unexpected(sent.error());
  input_ = *frame;
  auto unit = receive();
  // The caller may now destroy the picture. An encoder that still reads it must not be used again.
  if (unit && av_buffer_get_ref_count((*frame)->buf[0]) != 1) {
    broken_ = true;
    return fail(Errc::device_lost, "the encoder still uses the picture");
  }
  return unit;
}

Result<std::optional<AccessUnit>> FfmpegEncoder::receive() {
  for (;;) {
    const int rc = avcodec_receive_packet(context_.get(), packet_.get());
    if (rc == AVERROR(EAGAIN)) return std::optional<AccessUnit>();
    if (rc < 0) {
      broken_ = true;
      return av_fail(rc, Errc::device_lost, "fetching from the encoder");
    }
    const ByteView bytes(reinterpret_cast<const std::byte*>(packet_->data), static_cast<std::size_t>(packet_->size));
    const bool keyframe = is_keyframe(bytes);
    if (!keyframe && !has_slice(bytes)) {
      keep_parameter_sets(bytes);  // some drivers return the headers before the first picture
      continue;
    }
    const auto number = numbers_.take(static_cast<std::uint64_t>(packet_->pts));
    if (!number) {
      broken_ = true;
      return fail(Errc::device_lost, "the encoder returned an access unit of an unknown picture");
    }
    if (!keyframe) return AccessUnit{bytes, *number, false};
    auto unit = finish_keyframe(bytes, *number);
    if (!unit) return std::unexpected(unit.error());
    return *unit;
  }
}

Result<AccessUnit> FfmpegEncoder::finish_keyframe(ByteView bytes, FrameNumber number) {
  if (check_access_unit(bytes) && has_colors(bytes, config_.colors)) {
    if (parameter_sets_.empty()) keep_parameter_sets(bytes);
    return AccessUnit{bytes, number, true};
  }
  keep_parameter_sets(bytes);
  if (parameter_sets_.empty()) {
    broken_ = true;
    return fail(Errc::device_lost, "the encoder wrote a key frame without SPS and PPS");
  }
  keyframe_.assign(parameter_sets_.begin(), parameter_sets_.end());
  NalReader reader(bytes);
  while (const auto unit = reader.next()) {
    if (unit->type() != NalType::sps && unit->type() != NalType::pps) append(keyframe_, *unit);
  }
  if (!check_access_unit(keyframe_)) {
    broken_ = true;
    return fail(Errc::device_lost, "the encoder wrote a key frame that is not one picture");
  }
  return AccessUnit{keyframe_, number, true};
}

void FfmpegEncoder::keep_parameter_sets(ByteView bytes) {
  found_.clear();
  NalReader reader(bytes);
  while (const auto unit = reader.next()) {
    if (unit->type() == NalType::sps) append_with_colors(found_, *unit, config_.colors);
    if (unit->type() == NalType::pps) append(found_, *unit);
  }
  if (!found_.empty()) std::swap(found_, parameter_sets_);
}

}  // namespace sealcam::hal::ffmpeg
