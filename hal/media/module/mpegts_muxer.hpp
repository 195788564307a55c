// SPDX-License-Identifier: Apache-2.0
/// Writes MPEG-TS with libavformat.
#pragma once

#include "hal/media.hpp"

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

}  // namespace sealcam::hal::media
