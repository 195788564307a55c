// SPDX-License-Identifier: Apache-2.0
#include "device/past_store.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "support/stream_builder.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::device;
using namespace sealcam::test;

namespace {

struct Kept {
  Actor owner, camera, hub;
  protocol::Route route = route_of(owner, camera);
  StreamBuilder builder{route, camera};
  TemporaryFolder disk;
  crypto::Digest digest{};
  PastLimits limits{.bytes = 1U << 20, .file = 64U << 10, .reserve = 0};
  std::optional<PastFolder> store;

  Kept() { open(); }
  void open() {
    store.reset();
    store.emplace(must(PastFolder::open(folder(), limits, route, camera.identity(), digest)));
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
    std::vector<PastFrame> frames;
    for (std::size_t i = 0; i < count; ++i)
      messages.push_back(
          builder.frame(epoch, i == 0 ? protocol::FrameKind::key : protocol::FrameKind::delta, {.size = size}));
    for (const auto& message : messages) frames.push_back({must(protocol::parse_frame(message)).counter, message});
    must(store->add(epoch.epoch, grants(epoch), frames));
    return messages;
  }
  [[nodiscard]] std::vector<Bytes> read(Epoch epoch) {
    std::vector<Bytes> all;
    Bytes out;
    for (Counter from{};;) {
      const auto counter = must(store->read(epoch, from, out));
      if (!counter) return all;
      all.push_back(out);
      from = counter->next();
    }
  }
};

}  // namespace

TEST_CASE("kept frames are read as they were added, in order, also after a restart") {
  Kept s;
  auto first = s.builder.make_epoch(100), second = s.builder.make_epoch(200);
  auto of_first = s.add(first, 30);
  const auto more = s.add(first, 100);
  of_first.insert(of_first.end(), more.begin(), more.end());
  const auto of_second = s.add(second, 5);
  for (int round = 0; round < 2; ++round) {
    CHECK(s.store->ranges() ==
          std::vector<PastRange>{{Epoch(100), Counter(0), Counter(129)}, {Epoch(200), Counter(0), Counter(4)}});
    CHECK(s.read(Epoch(100)) == of_first);
    CHECK(s.read(Epoch(200)) == of_second);
    CHECK(s.read(Epoch(150)).empty());
    Bytes out;
    CHECK(must(s.store->read(Epoch(100), Counter(77), out)) == Counter(77));
    CHECK(out == of_first[77]);
    must(s.store->grants(Epoch(100), out));
    CHECK(must(protocol::decode_grants(out, s.route, s.camera.verifier())).epoch == Epoch(100));
    CHECK_FALSE(s.store->grants(Epoch(150), out));
    s.open();
  }
  CHECK(s.files().size() >= 3);  // more than one file of the first epoch
}

TEST_CASE("a missing counter begins another range") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 3);
  (void)s.builder.frame(epoch, protocol::FrameKind::delta, {});
  (void)s.add(epoch, 2);
  const std::vector<PastRange> ranges{{Epoch(100), Counter(0), Counter(2)}, {Epoch(100), Counter(4), Counter(5)}};
  CHECK(s.store->ranges() == ranges);
  s.open();
  CHECK(s.store->ranges() == ranges);
  Bytes out;
  CHECK(must(s.store->read(Epoch(100), Counter(3), out)) == Counter(4));
}

TEST_CASE("the newest frames stay within the limit, and the oldest are deleted") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  std::vector<Bytes> all;
  for (int i = 0; i < 100; ++i) {
    const auto added = s.add(epoch, 20);
    all.insert(all.end(), added.begin(), added.end());
    CHECK(s.store->bytes() <= s.limits.bytes + protocol::max_message_size);
  }
  const auto kept = s.read(Epoch(100));
  REQUIRE(kept.size() < all.size());
  CHECK(kept.size() > 100);
  CHECK(std::equal(kept.rbegin(), kept.rend(), all.rbegin()));
  std::uint64_t on_disk = 0;
  for (const auto& file : s.files()) on_disk += std::filesystem::file_size(file);
  CHECK(on_disk == s.store->bytes());
}

TEST_CASE("a torn end is cut at the start, wherever it is, and the frames before it stay") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  const auto all = s.add(epoch, 6, 100);
  const auto path = s.files().at(0);  // unfinished
  const auto size = std::filesystem::file_size(path);
  const auto content = must(read_file(path, 1U << 20));
  for (std::uint64_t cut = 0; cut < size; cut += 31) {
    std::filesystem::resize_file(path, cut);
    s.open();
    const auto kept = s.read(Epoch(100));
    CHECK(kept.size() < all.size());
    CHECK(std::equal(kept.begin(), kept.end(), all.begin()));
    for (const auto& file : s.files()) std::filesystem::remove(file);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(size));
  }
  // The size is durable, and the content is not.
  auto zeros = content;
  std::fill(zeros.end() - 150, zeros.end(), std::byte{0});
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(zeros.data()), static_cast<std::streamsize>(size));
  s.open();
  CHECK(s.read(Epoch(100)).size() == 5);
  // New frames follow in another file.
  (void)s.add(epoch, 3);
  CHECK(s.store->ranges().back() == PastRange{Epoch(100), Counter(6), Counter(8)});
}

TEST_CASE("without free space nothing is kept, and frames are kept again when there is some") {
  Kept s;
  s.limits.reserve = std::uint64_t{1} << 60;
  s.open();
  auto epoch = s.builder.make_epoch(100);
  const auto message = s.builder.frame(epoch, protocol::FrameKind::key, {});
  const PastFrame frame{Counter(0), message};
  const auto failed = s.store->add(epoch.epoch, s.grants(epoch), std::span(&frame, 1));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::exhausted);
  CHECK(s.store->ranges().empty());
  s.limits.reserve = 0;
  s.open();
  must(s.store->add(epoch.epoch, s.grants(epoch), std::span(&frame, 1)));
  CHECK(s.read(Epoch(100)) == std::vector<Bytes>{message});
}

namespace {

/// System calls that this process made to read, or nothing if the kernel does not count them.
std::optional<std::uint64_t> reads() {
  std::ifstream file("/proc/self/io");
  for (std::string name; file >> name;) {
    std::uint64_t value = 0;
    file >> value;
    if (name == "syscr:") return value;
  }
  return {};
}

}  // namespace

TEST_CASE("a start with 2,000 files reads none of them, except one that a power cut left unfinished") {
  if (!reads()) SKIP("this kernel does not count reads");
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 3);
  s.open();  // finishes the file
  const auto first = s.files().at(0);
  const auto content = must(read_file(first, 1U << 20));
  const auto put = [&](const std::string& name) {
    std::ofstream(first.parent_path() / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  };
  for (std::uint32_t i = 1; i < 2000; ++i) put(sealcam::format("{:08x}-{:08x}.past", 3 * i, 3 * i + 2));
  const auto count = [&] {
    const auto before = *reads();
    s.open();
    return *reads() - before;
  };
  const auto finished = count();
  CHECK(s.store->ranges() == std::vector<PastRange>{{Epoch(100), Counter(0), Counter(5999)}});
  CHECK(s.store->bytes() == 2000 * content.size());
  CHECK(finished < 20);
  // Control: frames of an unfinished file are read. Here they have counters of another place, so that it is deleted.
  put("00001770.past");
  CHECK(count() >= finished + 3);
  CHECK(s.files().size() == 2000);
}

TEST_CASE("a deletion is durable with one rename, whenever a power cut follows, and frees the files a few at a time") {
  Kept s;
  s.limits.bytes = 16U << 20;
  s.open();
  auto first = s.builder.make_epoch(100), second = s.builder.make_epoch(200);
  for (int i = 0; i < 40; ++i) (void)s.add(first, 3, 30000);
  const auto kept = s.add(second, 3);
  const auto before = s.files().size();
  REQUIRE(before > 2 * PastFolder::max_unlinks);
  const Epoch removed(100);
  must(s.store->remove(std::span(&removed, 1)));
  CHECK(s.files().size() == before);  // a rename only
  for (std::size_t ticks = 0; ticks < before; ++ticks) {
    s.open();  // a power cut
    CHECK(s.store->ranges() == std::vector<PastRange>{{Epoch(200), Counter(0), Counter(2)}});
    CHECK(s.read(Epoch(200)) == kept);
    const auto files = s.files().size();
    must(s.store->tick());
    CHECK(files - s.files().size() <= PastFolder::max_unlinks);
    if (s.files().size() == 1) break;
  }
  CHECK(s.files().size() == 1);
  must(s.store->clear());
  s.open();
  CHECK(s.store->ranges().empty());
  must(s.store->tick());
  CHECK(s.files().empty());
}

TEST_CASE("a deletion that fails is hidden at once, prevents new frames, and succeeds later") {
  Kept s;
  auto epoch = s.builder.make_epoch(100), next = s.builder.make_epoch(200);
  (void)s.add(epoch, 3);
  // Another program made what the next deletion would replace.
  const auto obstacle = s.folder() / "deleted-00000000";
  std::filesystem::create_directories(obstacle / "folder");
  const Epoch removed(100);
  const auto failed = s.store->remove(std::span(&removed, 1));
  CHECK_FALSE(failed);
  CHECK(s.store->ranges().empty());
  CHECK(s.read(Epoch(100)).empty());
  CHECK(s.files().size() == 1);
  must(s.store->tick());
  CHECK(s.files().empty());
  (void)s.add(next, 2);
  CHECK(s.store->ranges().size() == 1);
}

TEST_CASE("a link among deleted files is deleted, and not followed") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 3);
  must(s.store->clear());
  const auto file = s.files().at(0);
  std::filesystem::remove(file);
  std::filesystem::create_symlink("/dev/null", file);
  must(s.store->tick());
  CHECK(std::filesystem::is_empty(s.folder()));
  CHECK(std::filesystem::exists("/dev/null"));
}

TEST_CASE("frames with another digest are deleted, by a call and by the next start") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 3);
  s.open();
  CHECK_FALSE(s.store->ranges().empty());  // control: the same digest
  must(s.store->set_digest(s.digest));
  CHECK_FALSE(s.store->ranges().empty());
  s.digest[0] = std::byte{1};
  s.open();  // the process ended between the change and the deletion
  CHECK(s.store->ranges().empty());
  (void)s.add(epoch, 3);
  crypto::Digest other = s.digest;
  other[1] = std::byte{1};
  must(s.store->set_digest(other));
  CHECK(s.store->ranges().empty());
  s.open();
  CHECK(s.store->ranges().empty());
}

TEST_CASE("a camera that keeps nothing deletes the folder, so that a later start finds nothing") {
  Kept s;
  auto epoch = s.builder.make_epoch(100);
  (void)s.add(epoch, 3);
  s.store.reset();
  must(PastFolder::erase(s.folder()));
  CHECK_FALSE(std::filesystem::exists(s.folder()));
  must(PastFolder::erase(s.folder()));
  s.open();
  CHECK(s.store->ranges().empty());
}

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
