// SPDX-License-Identifier: Apache-2.0
#include "support/lenient_decoder.hpp"

#include "hal/ffmpeg/support.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace sealcam::test {

Result<std::unique_ptr<LenientDecoder>> LenientDecoder::open() {
  const hal::ffmpeg::LogCapture quiet;
  const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_H264);
  if (codec == nullptr) return fail(Errc::unsupported, "this FFmpeg has no H.264 decoder");
  std::unique_ptr<LenientDecoder> decoder(new LenientDecoder);
  decoder->context_.reset(avcodec_alloc_context3(codec));
  decoder->packet_.reset(av_packet_alloc());
  decoder->frame_.reset(av_frame_alloc());
  if (!decoder->context_ || !decoder->packet_ || !decoder->frame_)
    return fail(Errc::no_memory, "opening the H.264 decoder");
  decoder->context_->thread_count = 1;
  decoder->context_->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT | AV_CODEC_FLAG_LOW_DELAY;
  decoder->context_->flags2 |= AV_CODEC_FLAG2_SHOW_ALL;
  decoder->context_->error_concealment = FF_EC_GUESS_MVS | FF_EC_DEBLOCK;
  if (avcodec_open2(decoder->context_.get(), codec, nullptr) < 0)
    return fail(Errc::unsupported, "opening the H.264 decoder");
  return decoder;
}

Result<hal::Picture> LenientDecoder::decode_alone(ByteView access_unit) {
  const hal::ffmpeg::LogCapture quiet;
  avcodec_flush_buffers(context_.get());
  packet_->data = const_cast<std::uint8_t*>(c_bytes(access_unit));
  packet_->size = static_cast<int>(access_unit.size());
  (void)avcodec_send_packet(context_.get(), packet_.get());
  (void)avcodec_send_packet(context_.get(), nullptr);
  if (avcodec_receive_frame(context_.get(), frame_.get()) < 0)
    return fail(Errc::malformed, "the access unit contains no picture");
  if (frame_->format != AV_PIX_FMT_YUV420P || !hal::is_valid({frame_->width, frame_->height}))
    return fail(Errc::malformed, "the picture has another format or an invalid size");
  hal::Picture picture;
  picture.size = {frame_->width, frame_->height};
  for (std::size_t i = 0; i < 3; ++i)
    picture.planes[i] = {reinterpret_cast<const std::byte*>(frame_->data[i]),
                         static_cast<std::size_t>(frame_->linesize[i])};
  return picture;
}

}  // namespace sealcam::test
