// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/decoder.hpp"
#include "hal/ffmpeg/jpeg_encoder.hpp"
#include "hal/media/module/mpegts_muxer.hpp"
#include "hal/media/mp4/mp4_muxer.hpp"
#include "hal/modules/plugin_abi.hpp"

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
  return modules::open_module<Media>(*call, [] { return std::make_unique<FfmpegMedia>(); });
}
