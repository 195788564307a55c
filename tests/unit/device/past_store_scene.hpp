// SPDX-License-Identifier: Apache-2.0
/// A camera's store of kept frames on a disk.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>

#include "device/past_store.hpp"
#include "support/stream_builder.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::test {

struct Kept {
  Actor owner, camera, hub;
  protocol::Route route = route_of(owner, camera);
  StreamBuilder builder{route, camera};
  TemporaryFolder disk;
  crypto::Digest digest{};
  device::PastLimits limits{.bytes = 1U << 20, .file = 64U << 10, .reserve = 0};
  std::optional<device::PastFolder> store;

  Kept() { open(); }
  void open() {
    store.reset();
    store.emplace(must(device::PastFolder::open(folder(), limits, route, camera.identity(), digest)));
  }
  [[nodiscard]] std::filesystem::path folder() const { return disk.path() / "past"; }
  [[nodiscard]] std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder()))
      if (entry.path().extension() == ".past") all.push_back(entry.path());
    std::ranges::sort(all);
    return all;
  }
  [[nodiscard]] Bytes grants(const TestEpoch& epoch) { return builder.grants(epoch, roster_of(camera, 1, {&hub})); }
  /// Adds frames of the epoch, in one call.
  std::vector<Bytes> add(TestEpoch& epoch, std::size_t count, std::size_t size = 1000) {
    std::vector<Bytes> messages;
    std::vector<device::PastFrame> frames;
    for (std::size_t i = 0; i < count; ++i)
      messages.push_back(
          builder.frame(epoch, i == 0 ? protocol::FrameKind::key : protocol::FrameKind::delta, {.size = size}));
    for (const auto& message : messages) frames.push_back({must(protocol::parse_frame(message)).counter, message});
    must(store->add(epoch.epoch, grants(epoch), frames));
    return messages;
  }
  [[nodiscard]] std::vector<Bytes> read(protocol::Epoch epoch) {
    std::vector<Bytes> all;
    Bytes out;
    for (protocol::Counter from{};;) {
      const auto counter = must(store->read(epoch, from, out));
      if (!counter) return all;
      all.push_back(out);
      from = counter->next();
    }
  }
};

}  // namespace sealcam::test
