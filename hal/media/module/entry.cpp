// SPDX-License-Identifier: Apache-2.0
// The module sealcam-media.so: MPEG-TS with libavformat, and the function that opens the module.

#include <new>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
}

#include "hal/ffmpeg/codec.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/media.hpp"
#include "hal/media/mp4/mp4_muxer.hpp"
#include "hal/modules/modules.hpp"

struct AVFormatContext;
struct AVIOContext;
struct AVPacket;

namespace sealcam::hal::media {

/// libavformat adds missing access unit delimiters, PCR and the tables. Thread-bound.
class MpegTsMuxer final : public StreamMuxer {
 public:
  /// Errors: unsupported (this FFmpeg cannot write MPEG-TS), no_memory.
  [[nodiscard]] static Result<std::unique_ptr<MpegTsMuxer>> open();
  MpegTsMuxer(const MpegTsMuxer&) = delete;
  MpegTsMuxer& operator=(const MpegTsMuxer&) = delete;
  ~MpegTsMuxer() override;

 private:
  struct Deleter {
    void operator()(AVFormatContext* p) const noexcept;
    void operator()(AVIOContext* p) const noexcept;
    void operator()(AVPacket* p) const noexcept;
  };

  MpegTsMuxer() = default;
  Result<ByteView> do_write(const StreamUnit& unit) override;
  Result<> begin();
  static int take(void* self, const unsigned char* data, int size) noexcept;

  Bytes out_;
  std::unique_ptr<AVIOContext, Deleter> io_;
  std::unique_ptr<AVFormatContext, Deleter> format_;
  std::unique_ptr<AVPacket, Deleter> packet_;
  bool begun_ = false;
  std::chrono::microseconds last_{0};
};

namespace {

constexpr AVRational microseconds{1, 1'000'000};
/// A multiple of the packet size, so that libavformat writes whole packets.
constexpr int buffer_size = 188 * 64;
/// Some players do not play a stream that starts at 0.
constexpr std::chrono::seconds begins_at{1};

}  // namespace

using ffmpeg::av_fail;

void MpegTsMuxer::Deleter::operator()(AVFormatContext* p) const noexcept { avformat_free_context(p); }
void MpegTsMuxer::Deleter::operator()(AVIOContext* p) const noexcept {
  av_freep(static_cast<void*>(&p->buffer));
  avio_context_free(&p);
}
void MpegTsMuxer::Deleter::operator()(AVPacket* p) const noexcept { av_packet_free(&p); }

// Only av_write_trailer() frees libavformat's memory of a stream.
MpegTsMuxer::~MpegTsMuxer() {
  const ffmpeg::LogCapture quiet;
  if (begun_) av_write_trailer(format_.get());
}

int MpegTsMuxer::take(void* self, const unsigned char* data, int size) noexcept {
  try {
    const auto bytes = std::as_bytes(std::span(data, static_cast<std::size_t>(size)));
    auto& out = static_cast<MpegTsMuxer*>(self)->out_;
    out.insert(out.end(), bytes.begin(), bytes.end());
    return size;
  } catch (const std::bad_alloc&) {
    return AVERROR(ENOMEM);
  }
}

Result<std::unique_ptr<MpegTsMuxer>> MpegTsMuxer::open() {
  const ffmpeg::LogCapture quiet;
  std::unique_ptr<MpegTsMuxer> muxer(new MpegTsMuxer);
  AVFormatContext* format = nullptr;
  if (const int rc = avformat_alloc_output_context2(&format, nullptr, "mpegts", nullptr); rc < 0)
    return av_fail(rc, Errc::unsupported, "this FFmpeg does not write MPEG-TS");
  muxer->format_.reset(format);
  auto* const buffer = static_cast<unsigned char*>(av_malloc(buffer_size));
  if (buffer == nullptr) return fail(Errc::no_memory, "opening a stream");
  muxer->io_.reset(avio_alloc_context(buffer, buffer_size, 1, muxer.get(), nullptr, take, nullptr));
  if (!muxer->io_) {
    av_free(buffer);
    return fail(Errc::no_memory, "opening a stream");
  }
  muxer->packet_.reset(av_packet_alloc());
  AVStream* const stream = avformat_new_stream(format, nullptr);
  if (stream == nullptr || !muxer->packet_) return fail(Errc::no_memory, "opening a stream");
  stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
  stream->codecpar->codec_id = AV_CODEC_ID_H264;
  stream->time_base = {1, 90'000};
  format->pb = muxer->io_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
  format->max_delay = 0;  // no delay between PCR and pictures
  return muxer;
}

Result<> MpegTsMuxer::begin() {
  if (const int rc = avformat_write_header(format_.get(), nullptr); rc < 0)
    return av_fail(rc, Errc::unsupported, "beginning a stream");
  begun_ = true;
  return {};
}

Result<ByteView> MpegTsMuxer::do_write(const StreamUnit& unit) {
  const ffmpeg::LogCapture quiet;
  const auto at = unit.at + begins_at;
  if (begun_ ? at <= last_ : !unit.key) return fail(Errc::invalid_argument, "order of a stream's pictures");
  if (unit.bytes.empty()) return fail(Errc::malformed, "access unit of a stream");  // FFmpeg would end the stream
  out_.clear();
  if (!begun_)
    if (auto r = begin(); !r) return std::unexpected(r.error());
  last_ = at;
  // FFmpeg does not own the data of a packet without a buffer.
  packet_->data = const_cast<std::uint8_t*>(c_bytes(unit.bytes));
  packet_->size = static_cast<int>(unit.bytes.size());
  packet_->stream_index = 0;
  packet_->flags = unit.key ? AV_PKT_FLAG_KEY : 0;
  packet_->pts = packet_->dts = av_rescale_q(at.count(), microseconds, format_->streams[0]->time_base);
  const int rc = av_write_frame(format_.get(), packet_.get());
  avio_flush(io_.get());
  if (rc < 0) return av_fail(rc, Errc::malformed, "writing a picture into a stream");
  return out_;
}

}  // namespace sealcam::hal::media

using namespace sealcam;
using namespace sealcam::hal;

namespace {

/// Uses a new decoder and a new encoder for each still, so that no picture stays in memory.
class FfmpegStillBuilder final : public StillBuilder {
  Result<Bytes> do_make(std::span<const ByteView> group) override {
    auto decoder = ffmpeg::FfmpegDecoder::open();
    if (!decoder) return std::unexpected(decoder.error());
    std::optional<Picture> last;
    for (const auto unit : group) {
      auto picture = (*decoder)->decode(unit);
      if (!picture) return std::unexpected(picture.error());
      last = std::move(*picture);
    }
    if (!last) return fail(Errc::malformed, "a group of pictures without a picture");
    auto encoder = ffmpeg::JpegEncoder::open(last->size);
    if (!encoder) return std::unexpected(encoder.error());
    const auto jpeg = (*encoder)->encode(*last);
    if (!jpeg) return std::unexpected(jpeg.error());
    return Bytes(jpeg->begin(), jpeg->end());
  }
};

class FfmpegMedia final : public Media {
  Result<std::unique_ptr<StreamMuxer>> do_open_muxer() override { return media::MpegTsMuxer::open(); }
  Result<std::unique_ptr<Mp4Muxer>> do_open_mp4_muxer(Size size) override { return media::open_mp4_muxer(size); }
  Result<std::unique_ptr<StillBuilder>> do_open_still_builder() override {
    return std::make_unique<FfmpegStillBuilder>();
  }
};

}  // namespace

extern "C" [[gnu::visibility("default")]] Media* sealcam_media_open(modules::ModuleCall* call) noexcept {
  return modules::open_module<Media>(*call, SEALCAM_VERSION, [] { return std::make_unique<FfmpegMedia>(); });
}
