// SPDX-License-Identifier: Apache-2.0
// Kills, power cuts and alterations at random places. SEALCAM_RECORDING_ROUNDS is the number of each, by default 25
// kills, 100 power cuts and 100 alterations.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "support/recording_scene.hpp"

namespace {

namespace fs = std::filesystem;

/// What a disk has for certain: the sizes of files at their last fdatasync, and the names at the last fsync of their
/// folder.
struct Durable {
  std::map<fs::path, std::uintmax_t> sizes;
  std::set<fs::path> names;

  void note(int fd) {
    std::error_code ec;
    const auto path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), ec);
    if (!fs::is_directory(path, ec)) sizes[path] = fs::file_size(path, ec);
    else
      for (const auto& entry : fs::directory_iterator(path, ec)) names.insert(entry.path());
  }
};
Durable* durable = nullptr;

int sync_with(long call, int fd) {
  if (durable != nullptr) durable->note(fd);
  return static_cast<int>(::syscall(call, fd));
}

}  // namespace

// In place of the functions of the C library.
extern "C" int fdatasync(int fd) { return sync_with(SYS_fdatasync, fd); }
extern "C" int fsync(int fd) { return sync_with(SYS_fsync, fd); }

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

int rounds(int usual) {
  const char* const text = std::getenv("SEALCAM_RECORDING_ROUNDS");
  return text != nullptr ? std::atoi(text) : usual;
}

constexpr int group_size = 6;

TEST_CASE("a recorder that is killed at random moments loses at most one group, and its folder stays readable") {
  std::mt19937 random(11);
  std::optional<RecordingScene> recorded;
  std::size_t kept = 0;
  for (int round = 0; round < rounds(25); ++round) {
    if (round % 25 == 0) {  // each check reads the whole folder
      recorded.emplace();
      kept = 0;
    }
    auto& scene = *recorded;
    // The child writes until it is killed, and reports each frame after it was passed to the recorder.
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    scene.core.reset();
    scene.index.reset();
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(ends[0]);
      auto epoch = scene.begin(1000 + static_cast<std::uint64_t>(round));
      scene.restart();
      for (int i = 0; i < 100'000; ++i) {
        scene.record(epoch, i % group_size == 0 ? key : delta, 2000);
        const char done = 1;
        if (::write(ends[1], &done, 1) != 1) break;
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 80));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::size_t reported = 0;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
      reported += static_cast<std::size_t>(n);
    ::close(ends[0]);
    CAPTURE(round, reported);
    scene.clock.advance(1h);
    scene.restart();
    const auto report = scene.verify();
    CHECK(report.faults.empty());
    CHECK(report.without_receipt == 0);
    const auto now = static_cast<std::size_t>(report.frames);
    CHECK(now - kept + group_size >= reported);
    CHECK(scene.read().size() == now);
    kept = now;
  }
}

/// Deletes names and content that were not durable.
void cut_power(const fs::path& folder, std::mt19937& random) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".seal") files.push_back(entry.path());
  for (const auto& file : files) {
    bool named = true;
    for (auto path = file; path != folder; path = path.parent_path()) named = named && durable->names.contains(path);
    if (!named && random() % 2 == 0) {
      fs::remove(file);
      continue;
    }
    auto content = RecordingScene::content(file);
    const auto certain = durable->sizes[file];
    if (content.size() <= certain) continue;
    const auto size = content.size() - certain;
    const auto begin = content.begin() + static_cast<std::ptrdiff_t>(certain + random() % size);
    if (const auto way = random() % 3; way == 0) content.erase(begin, content.end());
    else  // blocks that the disk did not write, also before others
      std::fill(begin,
                way == 1 ? content.end() : begin + static_cast<std::ptrdiff_t>(random()) % (content.end() - begin),
                random() % 2 == 0 ? std::byte{0} : std::byte{0x81});
    RecordingScene::write(file, content);
  }
}

TEST_CASE("a power cut at a random moment costs at most one group, and the folder stays readable") {
  std::mt19937 random(12);
  std::size_t lost = 0;
  for (int round = 0; round < rounds(100); ++round) {
    RecordingScene scene;
    Durable disk;
    durable = &disk;
    auto stream = scene.begin();
    const auto frames = random() % 40, next_epoch = random() % 80;
    // A large group is written in pieces before it is durable.
    const std::size_t size = random() % 4 == 0 ? 200'000 : 300;
    for (std::size_t i = 0; i < frames; ++i) {
      if (i == next_epoch) stream = scene.begin(101);
      scene.record(stream, i % group_size == 0 || i == next_epoch ? key : delta, size);
    }
    scene.core.reset();
    scene.index.reset();
    cut_power(fs::canonical(scene.folder), random);
    durable = nullptr;
    if (random() % 4 == 0) must(Index::delete_files(scene.state / "recordings.db"));
    scene.restart();
    CAPTURE(round, frames, next_epoch, size);
    const auto found = scene.read();
    CHECK(found.size() + group_size >= scene.pictures.size());
    CHECK(found.size() <= scene.pictures.size());
    CHECK(std::equal(found.begin(), found.end(), scene.pictures.begin()));
    const auto report = scene.verify();
    CHECK(report.faults.empty());
    CHECK(report.without_receipt == 0);
    lost += scene.pictures.size() - found.size();
  }
  CHECK(lost > 0);  // control
}

/// A file with recordings, and where its items begin. The last one is the receipt.
struct Whole {
  fs::path path;
  Bytes content;
  std::vector<std::size_t> items{0};
  std::vector<std::size_t> groups{0};  ///< header, groups and receipt

  explicit Whole(fs::path file) : path(std::move(file)), content(RecordingScene::content(path)) {
    std::size_t at = 0;
    (void)must(decode_header(content, at));
    while (at < content.size()) {
      const auto head = must(item_head(ByteView(content).subspan(at)));
      items.push_back(at);
      if (head.kind != ItemKind::frame) groups.push_back(at);
      at += head.size;
    }
  }
  [[nodiscard]] Bytes part(std::size_t from, std::size_t to) const {
    return {content.begin() + static_cast<std::ptrdiff_t>(from), content.begin() + static_cast<std::ptrdiff_t>(to)};
  }
  [[nodiscard]] std::size_t end_of(std::size_t item) const {
    return item + 1 < items.size() ? items[item + 1] : content.size();
  }
};

/// One of seven alterations. `others`: files of the same camera, of another one, and of another account.
Bytes altered(const Whole& file, const std::vector<Whole>& others, std::mt19937& random) {
  const auto& other = others[random() % others.size()];
  auto out = file.content;
  const auto replace = [&](std::size_t from, std::size_t to, const Bytes& part) {
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(from), out.begin() + static_cast<std::ptrdiff_t>(to));
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(from), part.begin(), part.end());
  };
  const auto a = random() % out.size(), b = random() % out.size();
  const auto from = std::min(a, b), to = std::max(a, b) + 1;
  const auto item = random() % file.items.size(), taken = random() % other.items.size();
  const auto item_begin = file.items[item], item_end = file.end_of(item);
  switch (random() % 7) {
    case 0: out[a] ^= static_cast<std::byte>(1U << (random() % 8)); break;
    case 1: out.resize(a); break;
    case 2: replace(from, to, {}); break;
    case 3: {  // two places are exchanged
      const auto size = std::min({out.size() - to, to - from, std::size_t{1} + random() % 500});
      std::swap_ranges(out.begin() + static_cast<std::ptrdiff_t>(from),
                       out.begin() + static_cast<std::ptrdiff_t>(from + size),
                       out.begin() + static_cast<std::ptrdiff_t>(to));
      break;
    }
    case 4: replace(item_begin, item_end, other.part(other.items[taken], other.end_of(taken))); break;
    case 5: replace(item_begin, item_begin, other.part(other.items[taken], other.end_of(taken))); break;
    default: replace(file.items.back(), out.size(), other.part(other.items.back(), other.content.size()));
  }
  return out;
}

TEST_CASE("random alterations of recordings are all found, with the place; control: without one, there is no fault") {
  std::mt19937 random(13);
  RecordingScene scene, stranger;
  const auto record = [](RecordingScene& of, std::uint64_t epoch, int groups) {
    auto stream = of.begin(epoch);
    of.groups(stream, groups);
    of.core->end_all(EndReason::stopped);
  };
  record(scene, 100, 6);
  record(scene, 101, 4);
  record(stranger, 100, 3);
  std::vector<Whole> own{Whole(scene.path(0)), Whole(scene.path(1))};
  test::Actor neighbor;
  const auto route = test::route_of(scene.owner, neighbor);
  test::StreamBuilder of_neighbor(route, neighbor);
  auto stream = scene.begin(of_neighbor, route, neighbor, 100);
  for (int i = 0; i < 12; ++i) {
    const auto kind = i % group_size == 0 ? key : delta;
    scene.clock.advance(100ms);
    const auto message = of_neighbor.frame(stream.keys, kind, {.captured = scene.clock.wall()});
    scene.core->add(stream.epoch, kind, must(protocol::parse_frame(message)).counter, message, scene.clock.wall(),
                    {scene.clock.wall(), false});
  }
  scene.core->end_all(EndReason::stopped);
  std::vector<Whole> others = own;
  for (const auto& file : scene.files())
    if (file.file.camera == neighbor.id()) others.emplace_back(file.file.below(scene.folder));
  REQUIRE(others.size() == 3);
  others.emplace_back(stranger.path());
  CHECK(scene.verify().faults.empty());
  int missed = 0, without_place = 0;
  for (int round = 0; round < rounds(100);) {
    const auto& file = own[random() % own.size()];
    const auto content = altered(file, others, random);
    if (content == file.content) continue;
    ++round;
    RecordingScene::write(file.path, content);
    const auto faults = scene.verify().faults;
    RecordingScene::write(file.path, file.content);
    // The place: in the group with the first altered byte, which other items may have made longer, or at its end.
    const auto first = static_cast<std::size_t>(
        std::mismatch(content.begin(), content.end(), file.content.begin(), file.content.end()).second -
        file.content.begin());
    const auto next = std::ranges::upper_bound(file.groups, first);
    const auto begin = *(next - 1), end = (next == file.groups.end() ? file.content.size() : *next) +
                                          (content.size() - std::min(content.size(), file.content.size()));
    CAPTURE(round, file.path, first, begin, end);
    if (faults.empty()) ++missed;
    else if (std::ranges::none_of(faults, [&](const Fault& fault) {
               return fault.file && fault.file->below(scene.folder) == file.path && fault.offset >= begin &&
                      fault.offset <= end;
             })) {
      ++without_place;
      for (const auto& fault : faults) UNSCOPED_INFO(name(fault.kind) << " at " << fault.offset << ": " << fault.text);
      FAIL_CHECK("no fault has the place");
    }
  }
  CHECK(missed == 0);
  CHECK(without_place == 0);
  CHECK(scene.verify().faults.empty());
}

}  // namespace
}  // namespace sealcam::recordings
