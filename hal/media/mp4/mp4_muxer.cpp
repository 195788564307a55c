// SPDX-License-Identifier: Apache-2.0
#include "hal/media/mp4/mp4_muxer.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "hal/ffmpeg/support.hpp"
#include "hal/h264.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
}

namespace sealcam::hal::media {

namespace {

using ffmpeg::av_fail;

constexpr AVRational microseconds{1, 1'000'000};
constexpr int buffer_size = 64 << 10;
/// A fragment is in memory. It ends with the next key frame, which a camera may never send, or with these limits.
constexpr std::int64_t max_fragment_size = 8 << 20;
constexpr std::chrono::microseconds max_fragment_time = std::chrono::seconds(30);
/// Of a file with one picture.
constexpr std::chrono::microseconds one_picture{33'333};

struct FreeFormat {
  void operator()(AVFormatContext* context) const { avformat_free_context(context); }
};
struct FreeIo {
  void operator()(AVIOContext* io) const {
    av_freep(static_cast<void*>(&io->buffer));
    avio_context_free(&io);
  }
};

/// SPS and PPS of a key frame with their start codes, in their order.
Bytes parameter_sets(ByteView unit) {
  Bytes out;
  NalReader reader(unit);
  while (const auto nal = reader.next())
    if (nal->type() == NalType::sps || nal->type() == NalType::pps) append(out, *nal);
  return out;
}

class FfmpegMp4Muxer final : public Mp4Muxer {
 public:
  explicit FfmpegMp4Muxer(Size size) : size_(size) {}
  FfmpegMp4Muxer(const FfmpegMp4Muxer&) = delete;
  FfmpegMp4Muxer& operator=(const FfmpegMp4Muxer&) = delete;
  ~FfmpegMp4Muxer() override { (void)end(); }

  Result<> open();

 private:
  Result<ByteView> do_write(const StreamUnit& unit) override;
  Result<ByteView> do_finish() override;
  Result<> begin(ByteView key_frame);
  Result<> write_held(std::chrono::microseconds next);
  Result<> end();
  void clear_output() noexcept;
  static int take(void* self, const std::uint8_t* data, int size) noexcept;

  Size size_;
  Bytes out_;
  std::unique_ptr<AVIOContext, FreeIo> io_;
  std::unique_ptr<AVFormatContext, FreeFormat> format_;
  ffmpeg::PacketPtr packet_;
  Bytes held_;
  std::chrono::microseconds held_at_{0}, last_step_ = one_picture;
  bool held_key_ = false;
  bool begun_ = false, header_waits_ = false, first_fragment_written_ = false;
};

int FfmpegMp4Muxer::take(void* self, const std::uint8_t* data, int size) noexcept {
  try {
    const auto bytes = std::as_bytes(std::span(data, static_cast<std::size_t>(size)));
    auto& out = static_cast<FfmpegMp4Muxer*>(self)->out_;
    out.insert(out.end(), bytes.begin(), bytes.end());
    return size;
  } catch (const std::bad_alloc&) {
    return AVERROR(ENOMEM);
  }
}

Result<> FfmpegMp4Muxer::open() {
  AVFormatContext* format = nullptr;
  if (const int e = avformat_alloc_output_context2(&format, nullptr, "mp4", nullptr); e < 0)
    return av_fail(e, Errc::unsupported, "this FFmpeg does not write MP4");
  format_.reset(format);
  auto* buffer = static_cast<unsigned char*>(av_malloc(buffer_size));
  if (buffer == nullptr) return fail(Errc::no_memory, "starting the MP4 writer");
  io_.reset(avio_alloc_context(buffer, buffer_size, 1, this, nullptr, &take, nullptr));
  if (!io_) {
    av_free(buffer);
    return fail(Errc::no_memory, "starting the MP4 writer");
  }
  packet_.reset(av_packet_alloc());
  AVStream* stream = avformat_new_stream(format, nullptr);
  if (packet_ == nullptr || stream == nullptr) return fail(Errc::no_memory, "starting the MP4 writer");
  format->pb = io_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
  stream->codecpar->codec_id = AV_CODEC_ID_H264;
  stream->codecpar->width = size_.width;
  stream->codecpar->height = size_.height;
  stream->time_base = {1, 90'000};
  return {};
}

Result<> FfmpegMp4Muxer::begin(ByteView key_frame) {
  auto& parameters = *format_->streams[0]->codecpar;
  const auto sets = parameter_sets(key_frame);
  if (sets.empty()) return fail(Errc::malformed, "the key frame has no parameter sets");
  av_freep(static_cast<void*>(&parameters.extradata));  // of an earlier attempt
  parameters.extradata = static_cast<std::uint8_t*>(av_mallocz(sets.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) return fail(Errc::no_memory, "starting the MP4 writer");
  parameters.extradata_size = static_cast<int>(sets.size());
  std::ranges::copy(sets, reinterpret_cast<std::byte*>(parameters.extradata));
  AVDictionary* options = nullptr;
  av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
  av_dict_set_int(&options, "frag_size", max_fragment_size, 0);
  av_dict_set_int(&options, "frag_duration", max_fragment_time.count(), 0);
  const int e = avformat_write_header(format_.get(), &options);
  av_dict_free(&options);
  if (e < 0) return av_fail(e, Errc::malformed, "writing the MP4 header");
  begun_ = true;
  return {};
}

Result<ByteView> FfmpegMp4Muxer::do_write(const StreamUnit& unit) {
  const ffmpeg::LogCapture quiet;
  if (begun_ ? unit.at <= held_at_ : !unit.key) return fail(Errc::invalid_argument, "order of a file's pictures");
  if (unit.bytes.empty()) return fail(Errc::malformed, "access unit of a file");
  const bool first = !begun_;
  clear_output();
  if (first)
    if (auto r = begin(unit.bytes); !r) return std::unexpected(r.error());
  if (auto r = write_held(unit.at); !r) return std::unexpected(r.error());
  held_.assign(unit.bytes.begin(), unit.bytes.end());
  held_at_ = unit.at;
  held_key_ = unit.key;
  header_waits_ = first;
  if (first) return ByteView();
  avio_flush(io_.get());
  return out_;
}

Result<> FfmpegMp4Muxer::write_held(std::chrono::microseconds next) {
  if (held_.empty()) return {};
  last_step_ = next - held_at_;
  const auto* stream = format_->streams[0];
  if (const int e = av_new_packet(packet_.get(), static_cast<int>(held_.size())); e < 0)
    return fail(Errc::no_memory, "writing a picture", e);
  std::ranges::copy(held_, reinterpret_cast<std::byte*>(packet_->data));
  packet_->pts = packet_->dts = av_rescale_q(held_at_.count(), microseconds, stream->time_base);
  packet_->duration = av_rescale_q(next.count(), microseconds, stream->time_base) - packet_->pts;
  packet_->flags = held_key_ ? AV_PKT_FLAG_KEY : 0;
  packet_->stream_index = 0;
  held_.clear();
  int e = av_write_frame(format_.get(), packet_.get());
  av_packet_unref(packet_.get());
  if (e >= 0 && !std::exchange(first_fragment_written_, true))
    e = av_write_frame(format_.get(), nullptr);  // ends the fragment
  if (e < 0) return av_fail(e, Errc::malformed, "writing a picture");
  return {};
}

Result<ByteView> FfmpegMp4Muxer::do_finish() {
  clear_output();
  if (auto r = end(); !r) return std::unexpected(r.error());
  return out_;
}

// The header stays until a picture follows it.
void FfmpegMp4Muxer::clear_output() noexcept {
  if (!std::exchange(header_waits_, false)) out_.clear();
}

// Only av_write_trailer() frees libavformat's memory of a file.
Result<> FfmpegMp4Muxer::end() {
  const ffmpeg::LogCapture quiet;
  if (!std::exchange(begun_, false)) return {};
  auto result = write_held(held_at_ + last_step_);
  if (const int e = av_write_trailer(format_.get()); e < 0 && result)
    result = av_fail(e, Errc::malformed, "finishing the MP4 file");
  avio_flush(io_.get());
  return result;
}

}  // namespace

Result<std::unique_ptr<Mp4Muxer>> open_mp4_muxer(Size size) {
  const ffmpeg::LogCapture quiet;
  auto muxer = std::make_unique<FfmpegMp4Muxer>(size);
  if (auto r = muxer->open(); !r) return std::unexpected(r.error());
  return muxer;
}

}  // namespace sealcam::hal::media
