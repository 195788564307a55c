// SPDX-License-Identifier: Apache-2.0
#include "contract/pictures.hpp"

#include <cmath>
#include <memory>
#include <stdexcept>

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace sealcam::test {

using namespace hal;

namespace {

std::size_t width(const OwnedPicture& p) { return static_cast<std::size_t>(p.size.width); }
std::size_t height(const OwnedPicture& p) { return static_cast<std::size_t>(p.size.height); }

OwnedPicture like(const OwnedPicture& from, PixelFormat format) {
  OwnedPicture out;
  out.format = format;
  out.size = from.size;
  out.number = from.number;
  return out;
}

OwnedPicture to_nv12(const OwnedPicture& from) {
  OwnedPicture out = like(from, PixelFormat::nv12);
  out.planes[0] = from.planes[0];
  out.strides = {width(from), width(from), 0};
  for (std::size_t i = 0; i < from.planes[1].size(); ++i) {
    out.planes[1].push_back(from.planes[1][i]);
    out.planes[1].push_back(from.planes[2][i]);
  }
  return out;
}

/// YUYV or UYVY.
OwnedPicture to_packed(const OwnedPicture& from, PixelFormat format) {
  OwnedPicture out = like(from, format);
  out.strides = {width(from) * 2, 0, 0};
  for (std::size_t y = 0; y < height(from); ++y) {
    for (std::size_t x = 0; x < width(from); x += 2) {
      const std::size_t chroma = y / 2 * (width(from) / 2) + x / 2;
      std::array samples{from.planes[0][y * width(from) + x], from.planes[1][chroma],
                         from.planes[0][y * width(from) + x + 1], from.planes[2][chroma]};
      if (format == PixelFormat::uyvy) samples = {samples[1], samples[0], samples[3], samples[2]};
      out.planes[0].insert(out.planes[0].end(), samples.begin(), samples.end());
    }
  }
  return out;
}

OwnedPicture to_gray(const OwnedPicture& from) {
  OwnedPicture out = like(from, PixelFormat::gray);
  out.strides = {width(from), 0, 0};
  out.planes[0] = from.planes[0];
  return out;
}

OwnedPicture to_mjpeg(const OwnedPicture& from) {
  const auto check = [](bool good) {
    if (!good) throw std::runtime_error("making a JPEG for a test");
  };
  constexpr auto free_context = [](AVCodecContext* p) { avcodec_free_context(&p); };
  constexpr auto free_frame = [](AVFrame* p) { av_frame_free(&p); };
  constexpr auto free_packet = [](AVPacket* p) { av_packet_free(&p); };
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  const std::unique_ptr<AVCodecContext, decltype(free_context)> context(avcodec_alloc_context3(codec));
  const std::unique_ptr<AVFrame, decltype(free_frame)> frame(av_frame_alloc());
  const std::unique_ptr<AVPacket, decltype(free_packet)> packet(av_packet_alloc());
  context->width = frame->width = from.size.width;
  context->height = frame->height = from.size.height;
  context->pix_fmt = AV_PIX_FMT_YUV420P;
  frame->format = AV_PIX_FMT_YUV420P;
  context->color_range = frame->color_range = AVCOL_RANGE_JPEG;
  context->time_base = {1, 30};
  context->flags |= AV_CODEC_FLAG_QSCALE;
  context->global_quality = frame->quality = 2 * FF_QP2LAMBDA;
  check(avcodec_open2(context.get(), codec, nullptr) >= 0 && av_frame_get_buffer(frame.get(), 0) >= 0);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t rows = i == 0 ? height(from) : height(from) / 2;
    for (std::size_t y = 0; y < rows; ++y) {
      for (std::size_t x = 0; x < from.strides[i]; ++x) {
        // JPEGs of sources have the full range, the scene has the limited range.
        const double v = std::to_integer<int>(from.planes[i][y * from.strides[i] + x]);
        const double full = i == 0 ? (v - 16) * 255 / 219 : (v - 128) * 255 / 224 + 128;
        frame->data[i][y * static_cast<std::size_t>(frame->linesize[i]) + x] =
            static_cast<std::uint8_t>(std::lround(std::min(255.0, std::max(0.0, full))));
      }
    }
  }
  frame->pts = 0;
  check(avcodec_send_frame(context.get(), frame.get()) >= 0 &&
        avcodec_receive_packet(context.get(), packet.get()) >= 0);
  OwnedPicture out = like(from, PixelFormat::mjpeg);
  const auto* const data = reinterpret_cast<const std::byte*>(packet->data);
  out.planes[0].assign(data, data + packet->size);
  out.strides[0] = out.planes[0].size();
  // FFmpeg's JPEG decoder reads beyond the end. Buffers of V4L2 are larger than their picture, so that this is safe.
  out.planes[0].resize(out.planes[0].size() + AV_INPUT_BUFFER_PADDING_SIZE);
  return out;
}

}  // namespace

Picture OwnedPicture::view() const {
  Picture p;
  p.format = format;
  p.size = size;
  p.number = number;
  for (std::size_t i = 0; i < 3; ++i) p.planes[i] = {planes[i].empty() ? nullptr : planes[i].data(), strides[i]};
  return p;
}

OwnedPicture copy_of(const Picture& yu12) {
  SC_ASSERT(yu12.format == PixelFormat::yu12);
  OwnedPicture out;
  out.size = yu12.size;
  out.number = yu12.number;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t w = i == 0 ? width(out) : width(out) / 2;
    const std::size_t h = i == 0 ? height(out) : height(out) / 2;
    out.strides[i] = w;
    for (std::size_t y = 0; y < h; ++y) {
      const std::byte* row = yu12.planes[i].data + y * yu12.planes[i].stride;
      out.planes[i].insert(out.planes[i].end(), row, row + w);
    }
  }
  return out;
}

OwnedPicture convert(const OwnedPicture& yu12, PixelFormat format) {
  switch (format) {
    case PixelFormat::nv12: return to_nv12(yu12);
    case PixelFormat::yuyv:
    case PixelFormat::uyvy: return to_packed(yu12, format);
    case PixelFormat::gray: return to_gray(yu12);
    case PixelFormat::mjpeg: return to_mjpeg(yu12);
    case PixelFormat::rgb24:
    case PixelFormat::bgr24: SC_ASSERT(false);
    case PixelFormat::yu12:
    case PixelFormat::h264: break;
  }
  return yu12;
}

OwnedPicture busy_picture(Size size, std::uint32_t number, int detail) {
  OwnedPicture p;
  p.size = size;
  p.number = FrameNumber(number);
  const std::size_t w = width(p);
  const std::size_t h = height(p);
  p.strides = {w, w / 2, w / 2};
  p.planes = {Bytes(w * h), Bytes(w * h / 4, std::byte{128}), Bytes(w * h / 4, std::byte{128})};
  const std::uint32_t scene = number / 45;
  for (std::size_t y = 0; y < h; ++y) {
    for (std::size_t x = 0; x < w; ++x) {
      // A hash of cells of 4x4 pixels: a new pattern with each scene, moving two pixels a picture.
      std::uint32_t v = static_cast<std::uint32_t>((x + number * 2) / 4) * 2654435761u ^
                        static_cast<std::uint32_t>(y / 4) * 2246822519u ^ scene * 3266489917u;
      v ^= v >> 15;
      v *= 2246822519u;
      v ^= v >> 13;
      p.planes[0][y * w + x] = static_cast<std::byte>(118 + static_cast<int>(v % 201) * detail / 100 - detail);
    }
  }
  fake::draw_mark({p.planes[0].data(), w, size}, {p.number, 1});
  return p;
}

double luma_psnr(const Picture& a, const Picture& b) {
  SC_ASSERT(a.size == b.size);
  double sum = 0;
  for (std::size_t y = 0; y < static_cast<std::size_t>(a.size.height); ++y) {
    for (std::size_t x = 0; x < static_cast<std::size_t>(a.size.width); ++x) {
      const int d = std::to_integer<int>(a.planes[0].data[y * a.planes[0].stride + x]) -
                    std::to_integer<int>(b.planes[0].data[y * b.planes[0].stride + x]);
      sum += d * d;
    }
  }
  const double mean = sum / (static_cast<double>(a.size.width) * a.size.height);
  return mean == 0 ? 99 : 10 * std::log10(255.0 * 255.0 / mean);
}

}  // namespace sealcam::test
