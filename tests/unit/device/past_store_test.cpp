// SPDX-License-Identifier: Apache-2.0
#include "device/past_store.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "unit/device/past_store_scene.hpp"

using namespace sealcam;
using namespace sealcam::device;
using namespace sealcam::test;

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
