// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"

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

TEST_CASE("the cache holds the current group of each camera") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "IPPIPP", w.challenge(epoch)));
  const auto* group = w.watcher->newest(w.camera.id());
  CHECK(numbers(group) == std::vector<std::uint32_t>{4, 5, 6});
  CHECK(group->complete());
  CHECK(w.watcher->newest(Actor().id()) == nullptr);
}

TEST_CASE("a group that outgrows its limit keeps its first picture") {
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
