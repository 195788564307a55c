// SPDX-License-Identifier: Apache-2.0
/// Stills with FFmpeg.
#pragma once

#include "hal/media.hpp"

namespace sealcam::hal::media {

/// See StillMaker: a decoder and an encoder of its own for each still.
class FfmpegStillMaker final : public StillMaker {
 private:
  Result<Bytes> do_make(std::span<const ByteView> group) override;
};

}  // namespace sealcam::hal::media
