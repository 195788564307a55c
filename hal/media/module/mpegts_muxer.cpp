// SPDX-License-Identifier: Apache-2.0
#include "hal/media/module/mpegts_muxer.hpp"

#include <new>

#include "hal/ffmpeg/support.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
}

namespace sealcam::hal::media {

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
  av_freep(&p->buffer);
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
