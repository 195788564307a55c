// SPDX-License-Identifier: Apache-2.0
/// Writes MP4 with libavformat.
#pragma once

#include <memory>

#include "hal/media.hpp"

namespace sealcam::hal::media {

/// `size`: of all pictures. Errors: unsupported (this FFmpeg does not write MP4), no_memory.
[[nodiscard]] Result<std::unique_ptr<Mp4Muxer>> open_mp4_muxer(Size size);

}  // namespace sealcam::hal::media
