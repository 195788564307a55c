// SPDX-License-Identifier: Apache-2.0
/// Owners of FFmpeg's objects. Declares no FFmpeg header to whom includes it.
#pragma once

#include <memory>

struct AVCodecContext;
struct AVFrame;
struct AVPacket;
struct SwsContext;

namespace sealcam::hal::ffmpeg {

/// One deleter for each of FFmpeg's kinds of object.
struct Deleter {
  void operator()(AVCodecContext* p) const noexcept;
  void operator()(AVFrame* p) const noexcept;
  void operator()(AVPacket* p) const noexcept;
  void operator()(SwsContext* p) const noexcept;
};

using CodecPtr = std::unique_ptr<AVCodecContext, Deleter>;
using FramePtr = std::unique_ptr<AVFrame, Deleter>;
using PacketPtr = std::unique_ptr<AVPacket, Deleter>;
using ScalerPtr = std::unique_ptr<SwsContext, Deleter>;

}  // namespace sealcam::hal::ffmpeg
