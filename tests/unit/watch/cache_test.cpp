// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;

namespace {
std::vector<std::uint32_t> numbers(const watch::PictureGroup* group) {
  std::vector<std::uint32_t> found;
  if (group != nullptr)
    group->for_each([&](const watch::PictureInfo& p, ByteView) { found.push_back(p.header.number.value()); });
  return found;
}
}  // namespace

TEST_CASE("the cache has the current group of pictures of each camera") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "IPPIPP", s.challenge(epoch)));
  const auto* group = s.watcher->newest(s.camera.id());
  CHECK(numbers(group) == std::vector<std::uint32_t>{4, 5, 6});
  CHECK(group->complete());
  CHECK(s.watcher->newest(Actor().id()) == nullptr);
}

TEST_CASE("a group that exceeds its limit keeps its first picture") {
  watch::PictureGroup group(1000);
  watch::PictureInfo key, delta;
  key.kind = FrameKind::key;
  group.add(delta, Bytes(10));
  CHECK(group.empty());
  group.add(key, Bytes(600));
  group.add(delta, Bytes(300));
  CHECK(group.complete());
  group.add(delta, Bytes(300));
  CHECK_FALSE(group.complete());
  CHECK(group.bytes() == 600);
  group.add(delta, Bytes(10));
  CHECK(numbers(&group).size() == 1);
  group.add(key, Bytes(1001));
  CHECK(group.empty());
  group.add(key, Bytes(1000));
  CHECK(group.complete());
}
