// SPDX-License-Identifier: Apache-2.0
/// Starts of a recorder, and files with a receipt.
#pragma once

#include "support/recording_scene.hpp"

namespace sealcam::test {

/// The recorder starts, and has completed nothing yet.
inline void start(RecordingScene& scene) {
  scene.core = std::make_unique<RecorderCore>(
      scene.config, RecorderDependencies{*scene.index, *scene.keys, scene.hub.keys().identity, scene.owner.account(),
                                         scene.clock, scene.log});
  scene.core->start();
}

/// One file with a receipt.
inline void record_file(RecordingScene& scene, RecordedStream& stream, int groups = 2) {
  scene.groups(stream, groups);
  scene.core->end_all(EndReason::stopped);
}

}  // namespace sealcam::test
