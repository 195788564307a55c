// SPDX-License-Identifier: Apache-2.0
/// Whose picture is it? Read from decoded pixels, never from what a message says of itself.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "crypto/sha256.hpp"
#include "hal/fake/picture_mark.hpp"
#include "hal/ffmpeg/decoder.hpp"
#include "hal/ffmpeg/jpeg_encoder.hpp"
#include "support/lenient_decoder.hpp"

namespace sealcam::incident {

/// What is to be seen in an access unit.
struct Sight {
  bool picture = false;  ///< anything at all could be decoded
  bool damaged = false;  ///< only by a decoder that patches up what is broken
  std::optional<hal::fake::PictureMark> mark;
  int image = -1;
};

/// Judges pictures that stand alone. Equal bytes are decoded once. Damaged ones are patched up as a consumer's display
/// does it. Thread-bound. Throws std::runtime_error when FFmpeg cannot be opened.
class Judge {
 public:
  Judge();
  /// `keep`: the picture goes into the gallery.
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

/// Judges one hub's whole film, deltas included. Thread-bound.
class FilmJudge {
 public:
  FilmJudge();
  /// The mark of what is on the screen after this access unit; nothing when no picture came or none can be read.
  [[nodiscard]] std::optional<hal::fake::PictureMark> look(ByteView access_unit);

 private:
  std::unique_ptr<hal::ffmpeg::FfmpegDecoder> decoder_;
};

}  // namespace sealcam::incident
