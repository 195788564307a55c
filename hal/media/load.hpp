// SPDX-License-Identifier: Apache-2.0
/// Media through a module that is loaded with the first call: libavcodec and libavformat are not to be paid for by a
/// hub that nobody asks for snapshots and streams.
#pragma once

#include <optional>

#include "core/log.hpp"
#include "hal/media.hpp"

namespace sealcam::hal::media {

/// Loads sealcam-media.so as hal/modules/load.hpp says, once: a module that was missing is not looked for again.
/// Thread-bound; the first call takes about 50 ms.
class ModuleMedia final : public Media {
 public:
  /// `log` must outlive it.
  explicit ModuleMedia(Log& log) : log_(log) {}

 private:
  Result<std::unique_ptr<StreamMuxer>> do_open_muxer() override;
  Result<std::unique_ptr<StillMaker>> do_open_still_maker() override;
  [[nodiscard]] Result<Media*> module_media();

  Log& log_;
  std::optional<Result<std::unique_ptr<Media>>> loaded_;
};

}  // namespace sealcam::hal::media
