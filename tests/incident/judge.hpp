// SPDX-License-Identifier: Apache-2.0
/// Determines the camera of a picture from decoded pixels, never from the message.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "crypto/psa.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "support/lenient_decoder.hpp"

namespace sealcam::incident {

/// The visible content of an access unit.
struct Sight {
  bool picture = false;  ///< a picture could be decoded
  bool damaged = false;  ///< only by a decoder that conceals damage
  std::optional<hal::fake::PictureMark> mark;
  int image = -1;
};

/// Judges stills and key frames. Decodes equal bytes once. Conceals damage as a consumer's display does. Thread-bound.
/// Throws std::runtime_error if FFmpeg cannot be opened.
class Judge {
 public:
  Judge();
  /// `keep`: adds the picture to the gallery.
  [[nodiscard]] Sight look(ByteView access_unit, bool keep);
  /// JPEG files.
  [[nodiscard]] const std::vector<Bytes>& gallery() const noexcept { return gallery_; }

 private:
  [[nodiscard]] Sight decode(ByteView access_unit, bool keep);
  [[nodiscard]] Bytes as_jpeg(const hal::Picture& picture);
  std::unique_ptr<hal::ffmpeg::FfmpegDecoder> strict_;
  std::unique_ptr<test::LenientDecoder> lenient_;
  std::unique_ptr<hal::ffmpeg::JpegEncoder> jpeg_;  ///< for pictures of jpeg_size_
  hal::Size jpeg_size_;
  std::map<crypto::Digest, Sight> seen_;
  std::vector<Bytes> gallery_;
};

/// Judges the whole stream of one hub, with deltas. Thread-bound.
class FilmJudge {
 public:
  FilmJudge();
  /// The mark of the picture on the screen after this access unit. Nothing if there is no readable picture.
  [[nodiscard]] std::optional<hal::fake::PictureMark> look(ByteView access_unit);

 private:
  std::unique_ptr<hal::ffmpeg::FfmpegDecoder> decoder_;
};

}  // namespace sealcam::incident
