// SPDX-License-Identifier: Apache-2.0
// The limits of a camera's kept frames, files that cannot be read, and a thief of the files.
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "unit/device/past_store_scene.hpp"

using namespace sealcam;
using namespace sealcam::device;
using namespace sealcam::test;

TEST_CASE("at most 16 ranges are kept, and the oldest one of the shortest makes room") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  for (int i = 0; i < 20; ++i) {
    (void)s.add(epoch, 2);
    (void)s.builder.frame(epoch, protocol::FrameKind::delta, {});  // a counter that is missing
  }
  const auto ranges = s.store->ranges();
  REQUIRE(ranges.size() == PastRange::max);
  CHECK(ranges.front().first == Counter(12));
  CHECK(ranges.back().last == Counter(58));
  s.open();
  CHECK(s.store->ranges() == ranges);
}

TEST_CASE("a limit that became lower is reached in some calls, each of which deletes a few files") {
  Kept s;
  s.limits = {.bytes = 16U << 20, .file = 2U << 10, .reserve = 0};
  s.open();
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 100);
  REQUIRE(s.files().size() == 100);
  s.limits.bytes = 20U << 10;
  s.open();
  const auto message = s.builder.frame(epoch, protocol::FrameKind::key, {});
  const PastFrame frame{Counter(100), message};
  CHECK_FALSE(s.store->add(epoch.epoch, s.grants(epoch), std::span(&frame, 1)));
  CHECK(s.files().size() == 100 - PastFolder::max_unlinks);
  must(s.store->tick());
  CHECK(s.files().size() == 100 - 2 * PastFolder::max_unlinks);
  for (int i = 0; i < 4; ++i) must(s.store->tick());
  CHECK(s.store->bytes() <= s.limits.bytes);
  CHECK(s.files().size() > 10);
  must(s.store->add(epoch.epoch, s.grants(epoch), std::span(&frame, 1)));
  CHECK(s.store->ranges().back().last == Counter(100));
}

TEST_CASE("files that no hub can open any more are deleted") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 200);
  s.open();
  const auto files = s.files();
  REQUIRE(files.size() >= 3);
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(files[0], now - PastFolder::max_age - std::chrono::hours(1));
  std::filesystem::last_write_time(files[1], now - PastFolder::max_age + std::chrono::hours(1));
  for (unsigned i = 0; i <= PastFolder::age_interval; ++i) must(s.store->tick());
  CHECK(s.files() == std::vector(files.begin() + 1, files.end()));
  std::filesystem::last_write_time(files[1], now - PastFolder::max_age - std::chrono::hours(1));
  for (unsigned i = 0; i <= PastFolder::age_interval; ++i) must(s.store->tick());
  CHECK(s.files() == std::vector(files.begin() + 2, files.end()));
}

TEST_CASE("many short ranges do not delete a long one, and the files of a dropped range are deleted a few at a time") {
  Kept s;
  s.limits = {.bytes = 16U << 20, .file = 2U << 10, .reserve = 0};
  s.open();
  auto epoch = s.builder.make_epoch(100);
  const auto add = [&](std::size_t count) {
    (void)s.add(epoch, count);
    (void)s.builder.frame(epoch, protocol::FrameKind::delta, {});  // a counter that is missing
  };
  add(60);
  for (int i = 0; i < 50; ++i) add(2);
  REQUIRE(s.store->ranges().size() == PastRange::max);
  CHECK(s.store->ranges().front() == PastRange{Epoch(100), Counter(0), Counter(59)});
  for (int i = 0; i < 15; ++i) add(70);  // now the first one is the shortest
  for (int i = 0; i < 10; ++i) must(s.store->tick());
  CHECK(s.store->ranges().front().first == Counter(0));
  const auto before = s.files().size();
  REQUIRE(before == 60 + 15 * 70);
  add(65);
  CHECK(s.store->ranges().front().first > Counter(59));
  CHECK(s.files().size() == before + 65);
  must(s.store->tick());
  CHECK(s.files().size() == before + 65 - PastFolder::max_unlinks);
  s.open();  // a power cut
  CHECK(s.store->ranges().size() == PastRange::max);
  CHECK(s.store->ranges().front().first > Counter(59));
  for (int i = 0; i < 2; ++i) must(s.store->tick());
  CHECK(s.files().size() == before + 65 - 60);
}

TEST_CASE("an unreadable file costs its own frames only") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  const auto all = s.add(epoch, 200);
  s.open();
  const auto files = s.files();
  REQUIRE(files.size() >= 3);
  std::filesystem::resize_file(files[1], 100);
  Bytes out;
  std::size_t errors = 0, frames = 0;
  for (Counter from{};;) {
    const auto counter = s.store->read(Epoch(100), from, out);
    if (!counter) {
      ++errors;
      continue;
    }
    if (!*counter) break;
    ++frames;
    from = (*counter)->next();
  }
  CHECK(errors == 1);
  CHECK(frames > 100);
  CHECK(frames < all.size());
  CHECK(s.files().size() == files.size() - 1);
}

TEST_CASE("a file that cannot be read for another reason is left out until the next start") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  const auto all = s.add(epoch, 200);
  s.open();
  const auto files = s.files();
  REQUIRE(files.size() >= 3);
  const auto away = s.folder() / "away";
  std::filesystem::rename(files[1], away);
  std::filesystem::create_symlink(away, files[1]);  // which is not followed
  Bytes out;
  std::size_t errors = 0;
  for (Counter from{};;) {
    const auto counter = s.store->read(Epoch(100), from, out);
    if (!counter) ++errors;
    else if (!*counter) break;
    else from = (*counter)->next();
  }
  CHECK(errors == 1);
  CHECK(s.store->ranges().size() == 2);
  CHECK(std::filesystem::is_symlink(files[1]));  // not deleted
  std::filesystem::remove(files[1]);
  std::filesystem::rename(away, files[1]);
  s.open();
  CHECK(s.read(Epoch(100)) == all);
}

TEST_CASE("a thief of the files opens no picture, and a hub with its key opens all") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 10);
  const Actor thief;
  Bytes out;
  must(s.store->grants(Epoch(100), out));
  const auto grants = must(protocol::decode_grants(out, s.route, s.camera.verifier()));
  CHECK_FALSE(protocol::open_grant(grants, s.route, thief.id(), thief.keys().hpke));
  CHECK_FALSE(protocol::open_grant(grants, s.route, s.hub.id(), thief.keys().hpke));
  const auto secret = epoch.content.base_key.reveal().first<16>();
  const auto opened_with = [&](const crypto::sframe::OpeningKey& key) {
    int opened = 0;
    const protocol::FrameOpener opener(s.route);
    for (const auto& message : s.read(Epoch(100))) {
      const auto frame = must(protocol::parse_frame(message));
      Bytes plain(frame.sealed.size());
      opened += opener.open(plain, frame, key) ? 1 : 0;
    }
    return opened;
  };
  const auto other = s.builder.make_epoch(100);
  CHECK(opened_with(must(crypto::sframe::OpeningKey::open(grants.suite, Epoch(100), other.content.base_key))) == 0);
  // Control: the hub's key.
  const auto content = must(protocol::open_grant(grants, s.route, s.hub.id(), s.hub.keys().hpke));
  CHECK(opened_with(must(crypto::sframe::OpeningKey::open(grants.suite, Epoch(100), content.base_key))) == 10);
  for (const auto& path : s.files()) {
    const auto bytes = must(read_file(path, 1U << 20));
    CHECK(std::ranges::search(bytes, secret).empty());
    CHECK(std::ranges::search(bytes, Bytes(100, std::byte{0xab})).empty());
  }
}
