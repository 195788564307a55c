// SPDX-License-Identifier: Apache-2.0
/// The samples of a JPEG picture.
#pragma once

#include <memory>
#include <stdexcept>

#include "base/bytes.hpp"
#include "hal/picture.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace sealcam::test {

/// Decodes 4:2:0 with FFmpeg, and converts nothing. Throws on failure.
class DecodedJpeg {
 public:
  explicit DecodedJpeg(ByteView jpeg) : frame_(av_frame_alloc()) {
    const std::unique_ptr<AVCodecContext, Free> context(
        avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG)));
    const std::unique_ptr<AVPacket, Free> packet(av_packet_alloc());
    Bytes padded(jpeg.begin(), jpeg.end());
    padded.resize(jpeg.size() + AV_INPUT_BUFFER_PADDING_SIZE);
    packet->data = reinterpret_cast<std::uint8_t*>(padded.data());
    packet->size = static_cast<int>(jpeg.size());
    if (avcodec_open2(context.get(), nullptr, nullptr) < 0 || avcodec_send_packet(context.get(), packet.get()) < 0 ||
        avcodec_receive_frame(context.get(), frame_.get()) < 0 || frame_->format != AV_PIX_FMT_YUVJ420P)
      throw std::runtime_error("this is not a JPEG picture in 4:2:0");
  }
  /// YU12 with the colors of JFIF. Valid as long as this object lives.
  [[nodiscard]] hal::Picture picture() const {
    hal::Picture picture;
    picture.size = {frame_->width, frame_->height};
    picture.colors = {.matrix = hal::Colors::bt601, .full_range = true};
    for (std::size_t i = 0; i < 3; ++i)
      picture.planes[i] = {reinterpret_cast<const std::byte*>(frame_->data[i]),
                           static_cast<std::size_t>(frame_->linesize[i])};
    return picture;
  }

 private:
  struct Free {
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
  };
  std::unique_ptr<AVFrame, Free> frame_;
};

}  // namespace sealcam::test
