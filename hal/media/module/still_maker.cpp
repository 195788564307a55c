// SPDX-License-Identifier: Apache-2.0
#include "hal/media/module/still_maker.hpp"

#include "hal/ffmpeg/decoder.hpp"
#include "hal/ffmpeg/jpeg_encoder.hpp"

namespace sealcam::hal::media {

Result<Bytes> FfmpegStillMaker::do_make(std::span<const ByteView> group) {
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

}  // namespace sealcam::hal::media
