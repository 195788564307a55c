// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/reader.hpp"

#include <algorithm>
#include <cmath>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
}

namespace sealcam::hal::replay {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr double max_rate = 120;
/// A larger step of the time stamps, or one back, is a fault of the file.
constexpr auto max_step = 60s;
/// Larger pictures would take a second to decode, and a stop must not wait for that.
constexpr std::int64_t max_clip_pixels = std::int64_t{8192} * 5120;

nanoseconds to_time(double seconds) noexcept { return nanoseconds(std::llround(seconds * 1e9)); }

/// Fails with words instead of FFmpeg's code, which means nothing to people.
std::unexpected<Error> clip_error(int averror, Errc fallback, const char* what) noexcept {
  if (averror == AVERROR_EXIT) return fail(Errc::canceled, "reading the recording");
  auto error = ffmpeg::av_fail(averror, fallback, what);
  return fail(error.error().code, what);
}

Orientation side_orientation(const std::uint8_t* data, std::size_t size) noexcept {
  if (data == nullptr || size < 9 * sizeof(std::int32_t)) return {};
  return orientation_of(std::span<const std::int32_t, 9>(reinterpret_cast<const std::int32_t*>(data), 9));
}

/// The values are little endian.
Cropping side_cropping(const std::uint8_t* data, std::size_t size) noexcept {
  std::array<std::size_t, 4> values{};
  if (data == nullptr || size < values.size() * sizeof(std::uint32_t)) return {};
  for (std::size_t i = 0; i < values.size() * sizeof(std::uint32_t); ++i)
    values[i / sizeof(std::uint32_t)] |= std::size_t{data[i]} << (i % sizeof(std::uint32_t) * 8);
  return {values[0], values[1], values[2], values[3]};
}

/// Players use these colors if a file does not describe them.
Colors usual_colors(const AVFrame& frame) noexcept {
  const bool high_definition = frame.width >= 1280 || frame.height > 576;
  return {.matrix = high_definition ? Colors::bt709 : Colors::bt601};
}

}  // namespace

void Reader::CloseFormat::operator()(AVFormatContext* p) const noexcept { avformat_close_input(&p); }

AVStream& Reader::stream() const noexcept { return *format_->streams[stream_]; }

Result<std::unique_ptr<Reader>> Reader::open(const ReplayConfig& config) {
  std::unique_ptr<Reader> reader(new Reader(config));
  reader->packet_.reset(av_packet_alloc());
  reader->frame_.reset(av_frame_alloc());
  if (!reader->packet_ || !reader->frame_) return fail(Errc::no_memory, "opening a recording");
  auto file = ClipFile::open(config.file, config.stop);
  if (!file) return std::unexpected(file.error());
  reader->file_ = std::move(*file);
  const auto opened = reader->open_format().and_then([&] { return reader->open_decoder(); });
  if (!opened) return std::unexpected(opened.error());
  return reader;
}

Result<> Reader::open_format() {
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr) return fail(Errc::no_memory, "opening a recording");
  format->pb = file_->io();
  // Without a name, because FFmpeg takes "%" in the name of an image for the pattern of a sequence of files.
  if (const int rc = avformat_open_input(&format, nullptr, nullptr, nullptr); rc < 0)
    return clip_error(rc, Errc::malformed, "no clip or image that FFmpeg can read, or its end is missing");
  format_.reset(format);
  for (unsigned i = 0; i < format->nb_streams; ++i)
    if (format->streams[i]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) format->streams[i]->discard = AVDISCARD_ALL;
  if (const int rc = avformat_find_stream_info(format, nullptr); rc < 0)
    return clip_error(rc, Errc::malformed, "the clip is damaged");
  return find_pictures();
}

Result<> Reader::find_pictures() {
  stream_ = av_find_best_stream(format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  // The cover of an album is no video.
  if (stream_ < 0 || (stream().disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
    return fail(Errc::malformed,
                format_->nb_streams > 0 ? "it has no pictures, only sound or other data" : "it has no pictures");
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    format_->streams[i]->discard = static_cast<int>(i) == stream_ ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  const AVCodecParameters& parameters = *stream().codecpar;
  if (std::int64_t{parameters.width} * parameters.height > max_clip_pixels)
    return fail(Errc::unsupported, "its pictures have more than 41 million pixels; use smaller ones");
  const auto* const matrix =
      av_packet_side_data_get(parameters.coded_side_data, parameters.nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  if (matrix != nullptr) orientation_ = side_orientation(matrix->data, matrix->size);
  const auto* const cropping =
      av_packet_side_data_get(parameters.coded_side_data, parameters.nb_coded_side_data, AV_PKT_DATA_FRAME_CROPPING);
  if (cropping != nullptr) cropping_ = side_cropping(cropping->data, cropping->size);
  if (config_.rate > 0) {
    rate_ = config_.rate;
    return {};
  }
  // The first one is the time base in files with a variable rate.
  for (const AVRational rate : {av_guess_frame_rate(format_.get(), &stream(), nullptr), stream().avg_frame_rate}) {
    if (rate.num <= 0 || rate.den <= 0 || av_q2d(rate) > 1000) continue;
    rate_ = std::min(av_q2d(rate), max_rate);
    break;
  }
  return {};
}

Result<> Reader::open_decoder() {
  const AVCodecParameters* parameters = stream().codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
  if (codec == nullptr) {
    const Error error{Errc::unsupported, 0, "this FFmpeg has no decoder for its pictures"};
    const auto codec_name = std::string(avcodec_get_name(parameters->codec_id));
    return std::unexpected(located(error, config_.file.string() + " (" + codec_name + ")"));
  }
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_) return fail(Errc::no_memory, "opening a recording");
  int rc = avcodec_parameters_to_context(decoder_.get(), parameters);
  // One thread is enough, because pictures are decoded in advance and the encoder needs the other cores.
  decoder_->thread_count = 1;
  decoder_->max_pixels = max_clip_pixels;
  decoder_->pkt_timebase = stream().time_base;
  if (rc >= 0) rc = avcodec_open2(decoder_.get(), codec, nullptr);
  if (rc < 0) return clip_error(rc, Errc::unsupported, "opening the clip's decoder");
  return {};
}

Result<> Reader::rewind() {
  if (!any_since_begin_) return fail(Errc::malformed, "none of its pictures can be decoded");
  if (!config_.loop || is_still() || !file_->seekable()) return fail(Errc::end_of_stream, "the clip is finished");
  any_since_begin_ = false;
  at_end_ = false;
  timestamp_.reset();
  if (avformat_seek_file(format_.get(), -1, INT64_MIN, 0, INT64_MAX, 0) >= 0) {
    avcodec_flush_buffers(decoder_.get());
    return {};
  }
  // Some formats cannot seek (raw streams).
  decoder_.reset();
  format_.reset();
  return file_->rewind().and_then([&] { return open_format(); }).and_then([&] { return open_decoder(); });
}

/// Returns true if frame_ has a picture, and false if the caller must call again.
Result<bool> Reader::decode_next() {
  if (file_->stopped()) return fail(Errc::canceled, "reading the recording");
  int rc = avcodec_receive_frame(decoder_.get(), frame_.get());
  if (rc >= 0) return true;
  if (rc == AVERROR_EOF) {
    const auto rewound = rewind();
    if (!rewound) return std::unexpected(rewound.error());
    return false;
  }
  if (rc != AVERROR(EAGAIN)) return false;  // a damaged picture
  rc = at_end_ ? AVERROR_EOF : av_read_frame(format_.get(), packet_.get());
  if (rc < 0) {
    // A read error counts as the end of the file.
    at_end_ = true;
    avcodec_send_packet(decoder_.get(), nullptr);
    return false;
  }
  // Errors of a damaged packet are ignored.
  if (packet_->stream_index == stream_) avcodec_send_packet(decoder_.get(), packet_.get());
  av_packet_unref(packet_.get());
  return false;
}

/// The time from the picture before to frame_.
nanoseconds Reader::step() noexcept {
  const double unit = av_q2d(stream().time_base);
  const nanoseconds nominal = to_time(1 / rate_);
  const nanoseconds before = duration_ > 0ns && duration_ <= max_step ? duration_ : nominal;
  duration_ = frame_->duration > 0 ? to_time(static_cast<double>(frame_->duration) * unit) : 0ns;
  std::optional<double> now;
  if (frame_->best_effort_timestamp != AV_NOPTS_VALUE) now = static_cast<double>(frame_->best_effort_timestamp) * unit;
  const auto earlier = std::exchange(timestamp_, now);
  if (config_.rate > 0) return nominal;
  if (!now || !earlier) return before;
  const nanoseconds by_file = to_time(std::clamp(*now - *earlier, -1e6, 1e6));
  return by_file > 0ns && by_file <= max_step ? by_file : nominal;
}

Result<nanoseconds> Reader::read(MutableBytes out) {
  for (;;) {
    const auto decoded = decode_next();
    if (!decoded) return std::unexpected(decoded.error());
    if (!*decoded) continue;
    any_since_begin_ = true;
    const nanoseconds passed = step();
    if (pictures_++ > 0) at_ += passed;
    // Half an interval of tolerance, because time stamps are rounded.
    if (last_ && config_.rate == 0 && at_ - *last_ < to_time(0.5 / max_rate)) continue;
    last_ = at_;
    if (auto drawn = draw(out); !drawn) return std::unexpected(drawn.error());
    return at_;
  }
}

Result<> Reader::prepare(const Rectangle& area, const Orientation& orientation) {
  Size size = area.size;
  if (orientation.transposed) std::swap(size.width, size.height);
  if (scaled_ && scaled_->width == size.width && scaled_->height == size.height) return {};
  scaled_.reset(av_frame_alloc());
  if (!scaled_) return fail(Errc::no_memory, "making a frame");
  scaled_->format = AV_PIX_FMT_YUV420P;
  scaled_->width = size.width;
  scaled_->height = size.height;
  if (av_frame_get_buffer(scaled_.get(), 0) < 0) return fail(Errc::no_memory, "making a frame");
  return {};
}

/// The decoder has cropped as the stream describes it. The container may crop more (clap in MP4, PixelCrop in
/// Matroska).
void Reader::crop() noexcept {
  frame_->crop_top = cropping_.top;
  frame_->crop_bottom = cropping_.bottom;
  frame_->crop_left = cropping_.left;
  frame_->crop_right = cropping_.right;
  // If nothing would be left, it fails and changes nothing.
  (void)av_frame_apply_cropping(frame_.get(), AV_FRAME_CROP_UNALIGNED);
}

Result<> Reader::draw(MutableBytes out) {
  crop();
  if (pictures_ == 1) {
    colors_ = ffmpeg::colors_of(*frame_, usual_colors(*frame_));
    if (colors_.matrix == Colors::rgb) colors_ = {.primaries = colors_.primaries, .transfer = colors_.transfer};
  }
  const auto* const side = av_frame_get_side_data(frame_.get(), AV_FRAME_DATA_DISPLAYMATRIX);
  const Orientation orientation = side != nullptr ? side_orientation(side->data, side->size) : orientation_;
  const AVRational pixel = av_guess_sample_aspect_ratio(format_.get(), &stream(), frame_.get());
  double width = frame_->width * (pixel.num > 0 && pixel.den > 0 ? av_q2d(pixel) : 1), height = frame_->height;
  if (orientation.transposed) std::swap(width, height);
  const Rectangle area = fit(width, height, config_.size);
  if (auto r = prepare(area, orientation); !r) return r;
  ffmpeg::set_colors(*frame_, ffmpeg::colors_of(*frame_, usual_colors(*frame_)));
  ffmpeg::set_colors(*scaled_, colors_);
  if (auto r = scaler_.scale(*frame_, *scaled_); !r) return r;
  auto* plane = reinterpret_cast<std::uint8_t*>(out.data());
  for (int i = 0; i < 3; ++i) {
    const int divide = i == 0 ? 1 : 2;
    const int stride = config_.size.width / divide, rows = config_.size.height / divide;
    const std::ptrdiff_t bytes = std::ptrdiff_t{stride} * rows;
    const int black = i > 0 ? 128 : colors_.full_range ? 0 : 16;
    std::fill_n(plane, area.size == config_.size ? 0 : bytes, static_cast<std::uint8_t>(black));
    const std::ptrdiff_t first = std::ptrdiff_t{stride} * (area.top / divide) + area.left / divide;
    orient({scaled_->data[i], scaled_->linesize[i]}, orientation, area.size.width / divide, area.size.height / divide,
           plane + first, stride);
    plane += bytes;
  }
  return {};
}

}  // namespace sealcam::hal::replay
