// SPDX-License-Identifier: Apache-2.0
#include "judge.hpp"

#include "support/actors.hpp"

namespace sealcam::incident {

Judge::Judge()
    : strict_(test::must(hal::ffmpeg::FfmpegDecoder::open())), lenient_(test::must(test::LenientDecoder::open())) {}

Sight Judge::look(ByteView access_unit, bool keep) {
  const auto digest = test::must(crypto::sha256(access_unit));
  const auto known = seen_.find(digest);
  if (known != seen_.end() && (!keep || !known->second.picture || known->second.image >= 0)) return known->second;
  return seen_.insert_or_assign(digest, decode(access_unit, keep)).first->second;
}

Sight Judge::decode(ByteView access_unit, bool keep) {
  std::optional<hal::Picture> picture;
  if (auto decoded = strict_->decode(access_unit); decoded && *decoded) picture = std::move(**decoded);
  const bool damaged = !picture;
  if (!picture)
    if (auto patched = lenient_->decode_alone(access_unit)) picture = std::move(*patched);
  if (!picture) return {};
  Sight sight{true, damaged, hal::fake::read_mark(*picture)};
  if (keep) {
    sight.image = static_cast<int>(gallery_.size());
    gallery_.push_back(as_jpeg(*picture));
  }
  return sight;
}

Bytes Judge::as_jpeg(const hal::Picture& picture) {
  if (!jpeg_ || jpeg_size_ != picture.size) jpeg_ = test::must(hal::ffmpeg::JpegEncoder::open(picture.size));
  jpeg_size_ = picture.size;
  const auto jpeg = test::must(jpeg_->encode(picture));
  return {jpeg.begin(), jpeg.end()};
}

FilmJudge::FilmJudge() : decoder_(test::must(hal::ffmpeg::FfmpegDecoder::open())) {}

std::optional<hal::fake::PictureMark> FilmJudge::look(ByteView access_unit) {
  const auto decoded = decoder_->decode(access_unit);
  if (!decoded || !*decoded) return std::nullopt;
  return hal::fake::read_mark(**decoded);
}

}  // namespace sealcam::incident
