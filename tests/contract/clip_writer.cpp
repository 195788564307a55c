// SPDX-License-Identifier: Apache-2.0
#include "contract/clip_writer.hpp"

#include <cmath>
#include <cstring>
#include <memory>
#include <stdexcept>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace sealcam::test {

namespace {

constexpr AVRational milliseconds{1, 1000};

void check(int rc) {
  if (rc < 0) throw std::runtime_error("writing a clip: FFmpeg's error " + std::to_string(rc));
}

struct Free {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVFormatContext* p) const {
    if (p->pb != nullptr) avio_closep(&p->pb);
    avformat_free_context(p);
  }
};

void draw(AVFrame& frame) {
  for (int y = 0; y < frame.height; ++y)
    for (int x = 0; x < frame.width; ++x)
      frame.data[0][y * frame.linesize[0] + x] = static_cast<std::uint8_t>(
          quarters[static_cast<std::size_t>(y / ((frame.height + 1) / 2) * 2 + x / ((frame.width + 1) / 2))]);
  for (int plane = 1; plane < 3; ++plane)
    for (int y = 0; y < (frame.height + 1) / 2; ++y)
      std::memset(frame.data[plane] + y * frame.linesize[plane], 128, static_cast<std::size_t>((frame.width + 1) / 2));
}

class Writer {
 public:
  Writer(const std::filesystem::path& path, const ClipConfig& config) {
    const AVCodec* codec = avcodec_find_encoder_by_name(config.codec);
    if (codec == nullptr) throw std::runtime_error("this FFmpeg has no encoder for a clip");
    encoder_.reset(avcodec_alloc_context3(codec));
    encoder_->width = config.size.width;
    encoder_->height = config.size.height;
    encoder_->pix_fmt = std::string_view(config.codec) == "mjpeg" ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    encoder_->time_base = milliseconds;
    encoder_->sample_aspect_ratio = {config.sar_width, config.sar_height};
    encoder_->flags |= AV_CODEC_FLAG_QSCALE;
    encoder_->global_quality = 2 * FF_QP2LAMBDA;
    AVFormatContext* format = nullptr;
    check(avformat_alloc_output_context2(&format, nullptr, nullptr, path.c_str()));
    format_.reset(format);
    if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    check(avcodec_open2(encoder_.get(), codec, nullptr));
    stream_ = avformat_new_stream(format, nullptr);
    stream_->time_base = milliseconds;
    stream_->sample_aspect_ratio = encoder_->sample_aspect_ratio;
    check(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()));
    if (config.display_matrix)
      std::memcpy(add_side_data(AV_PKT_DATA_DISPLAYMATRIX, sizeof(*config.display_matrix)),
                  config.display_matrix->data(), sizeof(*config.display_matrix));
    if (config.cropping) set_cropping(*config.cropping);
    if ((format->oformat->flags & AVFMT_NOFILE) == 0) check(avio_open(&format->pb, path.c_str(), AVIO_FLAG_WRITE));
    check(avformat_write_header(format, nullptr));
  }

  void add(AVFrame* frame) {
    check(avcodec_send_frame(encoder_.get(), frame));
    for (;;) {
      const int rc = avcodec_receive_packet(encoder_.get(), packet_.get());
      if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return;
      check(rc);
      packet_->stream_index = 0;
      packet_->duration = 33;
      av_packet_rescale_ts(packet_.get(), milliseconds, stream_->time_base);
      check(av_write_frame(format_.get(), packet_.get()));
    }
  }
  void finish() {
    add(nullptr);
    check(av_write_trailer(format_.get()));
  }

 private:
  std::uint8_t* add_side_data(AVPacketSideDataType type, std::size_t size) {
    auto& parameters = *stream_->codecpar;
    return av_packet_side_data_new(&parameters.coded_side_data, &parameters.nb_coded_side_data, type, size, 0)->data;
  }
  /// Four numbers of 32 bits, little endian.
  void set_cropping(const std::array<std::uint8_t, 4>& cropping) {
    auto* const data = add_side_data(AV_PKT_DATA_FRAME_CROPPING, 16);
    std::memset(data, 0, 16);
    for (std::size_t i = 0; i < cropping.size(); ++i) data[i * 4] = cropping[i];
  }

  std::unique_ptr<AVCodecContext, Free> encoder_;
  std::unique_ptr<AVFormatContext, Free> format_;
  std::unique_ptr<AVPacket, Free> packet_{av_packet_alloc()};
  AVStream* stream_ = nullptr;
};

}  // namespace

void write_clip(const std::filesystem::path& path, const ClipConfig& config) {
  Writer writer(path, config);
  const std::unique_ptr<AVFrame, Free> frame(av_frame_alloc());
  frame->format = std::string_view(config.codec) == "mjpeg" ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
  frame->width = config.size.width;
  frame->height = config.size.height;
  frame->quality = 2 * FF_QP2LAMBDA;
  check(av_frame_get_buffer(frame.get(), 0));
  for (const double time : config.times) {
    check(av_frame_make_writable(frame.get()));
    draw(*frame);
    frame->pts = std::llround(time * 1000);
    writer.add(frame.get());
  }
  writer.finish();
}

}  // namespace sealcam::test
