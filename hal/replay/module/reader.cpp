// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/reader.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

namespace sealcam::hal::replay {

namespace {

std::unexpected<Error> av_fail(int averror, Errc otherwise, const char* what) noexcept {
  Errc code = otherwise;
  if (averror == AVERROR(ENOENT)) code = Errc::not_found;
  if (averror == AVERROR(ENOMEM)) code = Errc::no_memory;
  if (averror == AVERROR(EACCES) || averror == AVERROR(EPERM)) code = Errc::permission;
  if (averror == AVERROR_INVALIDDATA) code = Errc::malformed;
  return fail(code, what, averror);
}

}  // namespace

void Reader::Deleter::operator()(AVCodecContext* p) const noexcept { avcodec_free_context(&p); }
void Reader::Deleter::operator()(AVFormatContext* p) const noexcept { avformat_close_input(&p); }
void Reader::Deleter::operator()(AVFrame* p) const noexcept { av_frame_free(&p); }
void Reader::Deleter::operator()(AVPacket* p) const noexcept { av_packet_free(&p); }
void Reader::Deleter::operator()(SwsContext* p) const noexcept { sws_freeContext(p); }

Result<std::unique_ptr<Reader>> Reader::open(const ReplayConfig& config) {
  std::unique_ptr<Reader> reader(new Reader(config));
  reader->packet_.reset(av_packet_alloc());
  reader->frame_.reset(av_frame_alloc());
  if (!reader->packet_ || !reader->frame_) return fail(Errc::no_memory, "opening a recording");
  const auto file = reader->open_file();
  if (!file) return std::unexpected(file.error());
  const auto decoder = reader->open_decoder();
  if (!decoder) return std::unexpected(decoder.error());
  return reader;
}

Result<> Reader::open_file() {
  AVFormatContext* file = nullptr;
  int rc = avformat_open_input(&file, config_.file.c_str(), nullptr, nullptr);
  if (rc < 0) return av_fail(rc, Errc::io, "opening a recording");
  file_.reset(file);
  rc = avformat_find_stream_info(file, nullptr);
  if (rc < 0) return av_fail(rc, Errc::malformed, "reading a recording");
  stream_ = av_find_best_stream(file, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (stream_ < 0) return av_fail(stream_, Errc::malformed, "looking for pictures in a recording");
  for (unsigned i = 0; i < file->nb_streams; ++i)
    file->streams[i]->discard = static_cast<int>(i) == stream_ ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  const AVRational rate = av_guess_frame_rate(file, file->streams[stream_], nullptr);
  if (config_.rate > 0) {
    rate_ = config_.rate;
  } else if (rate.num > 0 && rate.den > 0 && av_q2d(rate) <= 1000) {
    rate_ = av_q2d(rate);
  }
  return {};
}

Result<> Reader::open_decoder() {
  const AVCodecParameters* parameters = file_->streams[stream_]->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
  if (codec == nullptr) return fail(Errc::unsupported, "no decoder for this recording");
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_) return fail(Errc::no_memory, "opening a recording");
  int rc = avcodec_parameters_to_context(decoder_.get(), parameters);
  // One thread: pictures are decoded ahead of time anyway, and the encoder needs the other cores.
  decoder_->thread_count = 1;
  if (rc >= 0) rc = avcodec_open2(decoder_.get(), codec, nullptr);
  if (rc < 0) return av_fail(rc, Errc::unsupported, "opening the recording's decoder");
  return {};
}

Result<> Reader::rewind() {
  if (!any_since_begin_) return fail(Errc::malformed, "no picture of the recording could be decoded");
  any_since_begin_ = false;
  at_end_ = false;
  if (avformat_seek_file(file_.get(), -1, INT64_MIN, 0, INT64_MAX, 0) >= 0) {
    avcodec_flush_buffers(decoder_.get());
    return {};
  }
  // Not every container can seek (single images, raw streams).
  decoder_.reset();
  file_.reset();
  const auto file = open_file();
  if (!file) return std::unexpected(file.error());
  return open_decoder();
}

/// True when frame_ holds a picture; false when the decoder wants to be called again.
Result<bool> Reader::decode_next() {
  int rc = avcodec_receive_frame(decoder_.get(), frame_.get());
  if (rc >= 0) return true;
  if (rc == AVERROR_EOF) {
    if (!config_.loop) return fail(Errc::end_of_stream, "the recording is finished");
    const auto rewound = rewind();
    if (!rewound) return std::unexpected(rewound.error());
    return false;
  }
  if (rc != AVERROR(EAGAIN)) return false;  // a damaged picture
  rc = at_end_ ? AVERROR_EOF : av_read_frame(file_.get(), packet_.get());
  if (rc < 0) {
    // A read error in the middle is the end too: what came before it can be shown again.
    at_end_ = true;
    avcodec_send_packet(decoder_.get(), nullptr);
    return false;
  }
  // A damaged packet is passed over: its error shows only in pictures that do not come.
  if (packet_->stream_index == stream_) avcodec_send_packet(decoder_.get(), packet_.get());
  av_packet_unref(packet_.get());
  return false;
}

Result<> Reader::read(MutableBytes out) {
  for (;;) {
    const auto decoded = decode_next();
    if (!decoded) return std::unexpected(decoded.error());
    if (!*decoded) continue;
    any_since_begin_ = true;
    return scale(out);
  }
}

Result<> Reader::scale(MutableBytes out) {
  const Size to = config_.size;
  const auto pixels = static_cast<std::size_t>(to.width) * static_cast<std::size_t>(to.height);
  SC_ASSERT(out.size() >= pixels * 3 / 2);
  const auto context = [&](int flags) {
    scaler_.reset(sws_getCachedContext(scaler_.release(), frame_->width, frame_->height,
                                       static_cast<AVPixelFormat>(frame_->format), to.width, to.height,
                                       AV_PIX_FMT_YUV420P, flags, nullptr, nullptr, nullptr));
  };
  context(SWS_FAST_BILINEAR);
  // The fast scaler writes code at run time on some machines, which hardened services forbid.
  if (!scaler_) context(SWS_BILINEAR);
  if (!scaler_) return fail(Errc::unsupported, "pixel format of the recording");
  auto* const luma = reinterpret_cast<std::uint8_t*>(out.data());
  std::uint8_t* const planes[4] = {luma, luma + pixels, luma + pixels + pixels / 4, nullptr};
  const int strides[4] = {to.width, to.width / 2, to.width / 2, 0};
  const int rows = sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, frame_->height, planes, strides);
  if (rows != to.height) return fail(Errc::io, "scaling a picture of the recording");
  return {};
}

}  // namespace sealcam::hal::replay
