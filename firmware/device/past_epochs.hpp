// SPDX-License-Identifier: Apache-2.0
/// Finds runs of a program that does not know the kept frames.
#pragma once

#include <filesystem>

#include "device/stores.hpp"

namespace sealcam::device {

/// A version of the camera that keeps no frames deletes none at a change of privacy, masks or hubs. Each run of a
/// camera reserves epochs. Therefore the folder of the kept frames has the last counter that a run with this class
/// reserved. If another one was reserved since, the frames must be deleted. Thread-bound.
class PastEpochStore final : public EpochStore {
 public:
  /// `epochs` must outlive the object. `folder`: of the kept frames; empty if the camera keeps none.
  PastEpochStore(EpochStore& epochs, std::filesystem::path folder) : epochs_(epochs), folder_(std::move(folder)) {}

  /// Whether `reserved`, the last counter of the store, was reserved by a run that knew the frames in the folder. False
  /// also if that is not known.
  [[nodiscard]] static bool covers(const std::filesystem::path& folder, std::uint32_t reserved);

 private:
  /// A power cut, or an error of the disk, between the two steps costs the kept frames.
  [[nodiscard]] Result<std::uint32_t> do_reserve(std::uint32_t count) override;
  EpochStore& epochs_;
  std::filesystem::path folder_;
};

}  // namespace sealcam::device
