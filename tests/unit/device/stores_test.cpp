// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "device/file_stores.hpp"
#include "device/hub_stores.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::device;
using sealcam::test::Actor;
using sealcam::test::must;
using sealcam::test::TemporaryFolder;

TEST_CASE("a roster folder keeps the newest roster of each camera") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "rosters" / "account";
  const Actor a, b;
  const Bytes message{std::byte{1}, std::byte{2}};
  {
    RosterFolder store(path);
    CHECK(must(store.load()).empty());
    must(store.store(a.id(), message));
    must(store.store(b.id(), Bytes(3)));
    must(store.store(b.id(), message));
  }
  const auto all = must(RosterFolder(path).load());
  REQUIRE(all.size() == 2);
  CHECK(std::ranges::all_of(all, [&](const auto& s) { return s.message == message; }));
}

TEST_CASE("a roster folder ignores the remains of an interrupted write") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "rosters" / "account";
  const Actor a;
  RosterFolder store(path);
  must(store.store(a.id(), as_bytes("abc")));
  must(write_file_durably(path / (a.id().to_string() + ".new"), as_bytes("x")));
  const auto all = must(store.load());
  REQUIRE(all.size() == 1);
  CHECK(all[0].camera == a.id());
  CHECK(as_text(all[0].message) == "abc");
}

TEST_CASE("request numbers continue after a restart, and a damaged file is rejected") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "request-seq";
  {
    auto numbers = must(SequenceFile::open(path));
    CHECK(must(numbers.reserve(1000)) == RequestSeq(1));
    CHECK(must(numbers.reserve(1000)) == RequestSeq(1001));
  }
  auto numbers = must(SequenceFile::open(path));
  CHECK(must(numbers.reserve(1)) == RequestSeq(2001));
  must(write_file_durably(path, as_bytes("SCQ1")));
  CHECK(SequenceFile::open(path).error().code == Errc::malformed);
}

TEST_CASE("epoch counters are reserved in blocks, a restart skips a block, and a damaged file is rejected") {
  const TemporaryFolder folder;
  EpochFile epoch(folder.path() / "epoch");
  CHECK(must(epoch.load()) == 0);
  EpochSequence counters(epoch);
  CHECK(must(counters.next()) == 1);
  CHECK(must(counters.next()) == 2);
  CHECK(must(epoch.load()) == 256);
  for (std::uint32_t n = 3; n <= 700; ++n) CHECK(must(counters.next()) == n);
  CHECK(must(epoch.load()) == 1024);  // half a block ahead
  EpochFile again(folder.path() / "epoch");
  CHECK(must(EpochSequence(again).next()) == 1025);
  for (const auto* text : {"", "x\n", "12", "-1\n", "4294967296\n", "1 \n"}) {
    must(write_file_durably(folder.path() / "epoch", as_bytes(text)));
    CHECK(epoch.load().error().code == Errc::malformed);
    CHECK(epoch.reserve(1).error().code == Errc::malformed);
  }
  must(write_file_durably(folder.path() / "epoch", as_bytes("4294967200\n")));
  CHECK(epoch.reserve(256).error().code == Errc::exhausted);
  EpochFile nowhere(folder.path() / "missing" / "epoch");
  CHECK_FALSE(nowhere.reserve(1));
}

TEST_CASE("if no block can be reserved, the counters of the last one are used") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "epoch";
  EpochFile epoch(path);
  EpochSequence counters(epoch);
  CHECK(must(counters.next()) == 1);
  must(write_file_durably(path, as_bytes("damaged")));
  for (std::uint32_t n = 2; n <= EpochSequence::block; ++n) CHECK(must(counters.next()) == n);
  CHECK(counters.left() == 0);
  CHECK_FALSE(counters.next());
  must(write_file_durably(path, as_bytes("256\n")));
  CHECK(must(counters.next()) == 257);
}

TEST_CASE("a camera's roster folder reserves space for its own roster") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "rosters" / "account";
  const Actor camera;
  RosterFolder store(path);
  must(store.prepare(camera.id()));
  for (const auto* text : {"one", "two", "three"}) {
    must(store.store(camera.id(), as_bytes(text)));
    const auto all = must(store.load());
    REQUIRE(all.size() == 1);
    CHECK(as_text(all[0].message) == text);
  }
}

TEST_CASE("the prekey file keeps the prekeys, and a damaged file is rejected") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "prekeys";
  HubKeyFile file(path);
  CHECK(must(file.load()).empty());
  std::vector<Actor> actors(64);
  std::vector<HubKey> all;
  for (const auto& actor : actors) all.push_back({actor.id(), {protocol::PrekeyNumber(all.size() + 1), actor.hpke()}});
  must(file.prepare());
  must(file.store(all));
  const auto loaded = must(file.load());
  REQUIRE(loaded.size() == 64);
  for (std::size_t i = 0; i < 64; ++i) CHECK((loaded[i].hub == all[i].hub && loaded[i].prekey == all[i].prekey));
  const auto whole = must(read_file(path, 1U << 20));
  const auto damaged = [&](ByteView content) {
    must(write_file_durably(path, content));
    const auto r = file.load();
    return !r && r.error().code == Errc::malformed;
  };
  for (std::size_t n = 0; n < 300; ++n) CHECK(damaged(ByteView(whole).first(n)) == (n < 4 || (n - 4) % 93 != 0));
  auto changed = whole;
  changed[4 + 20 + 8 + 1] ^= std::byte{1};  // not a point on the curve
  CHECK(damaged(changed));
  auto longer = whole;
  longer.insert(longer.end(), whole.begin() + 4, whole.begin() + 97);
  CHECK(damaged(longer));
  CHECK_FALSE(damaged(whole));  // control
}

TEST_CASE("the file of epochs keeps the highest counter of each camera, and damage is rejected") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "epochs";
  const Actor a, b;
  {
    MaxEpochFile store(path);
    CHECK(must(store.load()).empty());
    must(store.store(a.id(), 7));
    must(store.store(b.id(), 4294967295U));
    must(store.store(a.id(), 8));
  }
  const auto all = must(MaxEpochFile(path).load());
  REQUIRE(all.size() == 2);
  CHECK(std::ranges::all_of(all, [&](const auto& e) { return e.counter == (e.camera == a.id() ? 8U : 4294967295U); }));
  const auto id = a.id().to_string();
  for (const auto& text : {id + " 8", id + "\n", id + " -1\n", id + " 4294967296\n", id + " 8\n" + id + " 9\n",
                           std::string("x 8\n"), std::string("\n"), std::string()}) {
    CAPTURE(text);
    must(write_file_durably(path, as_bytes(text)));
    CHECK(MaxEpochFile(path).load().error().code == Errc::malformed);
    CHECK_FALSE(MaxEpochFile(path).store(b.id(), 1));
  }
}
