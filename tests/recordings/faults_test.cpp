// SPDX-License-Identifier: Apache-2.0
// Kills, power cuts and alterations at random places. SEALCAM_RECORDING_ROUNDS is the number of each, 100 by default.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

int rounds() {
  const char* const text = std::getenv("SEALCAM_RECORDING_ROUNDS");
  return text != nullptr ? std::atoi(text) : 100;
}

constexpr int group_size = 6;

TEST_CASE("a recorder that is killed at random moments loses at most one group, and its folder stays readable") {
  std::mt19937 random(11);
  RecordingScene scene;
  auto stream = scene.begin();
  std::size_t kept = 0;
  for (int round = 0; round < rounds() / 4; ++round) {
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

TEST_CASE("content that was never durable, cut or overwritten at random places, costs at most its group") {
  std::mt19937 random(12);
  for (int round = 0; round < rounds(); ++round) {
    RecordingScene scene;
    auto stream = scene.begin();
    const auto groups = 2 + static_cast<int>(random() % 8);
    scene.groups(stream, groups);
    scene.core->end_all(EndReason::stopped);
    const auto file = scene.path();
    auto content = RecordingScene::content(file);
    // The place of the last group, as at the moment of a power cut: without a receipt.
    content.resize(content.size() - receipt_item_size(std::span(content).last<4>()));
    std::size_t header = 0, last = 0;
    (void)must(decode_header(content, header));
    for (auto at = header; at < content.size();) {
      const auto head = must(item_head(ByteView(content).subspan(at)));
      if (head.kind == ItemKind::mark) last = at;
      at += head.size;
    }
    const auto cut = last + random() % (content.size() - last);
    if (random() % 2 == 0) content.resize(cut);
    else
      std::fill(content.begin() + static_cast<std::ptrdiff_t>(cut), content.end(),
                random() % 2 == 0 ? std::byte{0} : std::byte{0x81});
    RecordingScene::write(file, content);
    scene.restart();
    CAPTURE(round, groups, cut, last);
    const auto found = scene.read();
    CHECK(found.size() + 5 >= scene.pictures.size());
    CHECK(std::equal(found.begin(), found.end(), scene.pictures.begin()));
    CHECK(scene.verify().faults.empty());
  }
}

TEST_CASE("random alterations of recordings are all found; control: without one, there is no fault") {
  std::mt19937 random(13);
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 6);
  auto next = scene.begin(101);
  scene.groups(next, 4);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.verify().faults.empty());
  const std::array files{scene.path(0), scene.path(1)};
  const std::array whole{RecordingScene::content(files[0]), RecordingScene::content(files[1])};
  int missed = 0;
  for (int round = 0; round < rounds(); ++round) {
    const auto which = random() % 2;
    auto content = whole[which];
    const auto a = random() % content.size(), b = random() % content.size();
    const auto from = std::min(a, b), to = std::max(a, b) + 1;
    switch (random() % 5) {
      case 0: content[a] ^= static_cast<std::byte>(1U << (random() % 8)); break;
      case 1: content.resize(a); break;
      case 2:
        content.erase(content.begin() + static_cast<std::ptrdiff_t>(from),
                      content.begin() + static_cast<std::ptrdiff_t>(to));
        break;
      case 3: {  // a part of the other file
        const auto& other = whole[1 - which];
        const auto begin = random() % other.size();
        const auto size = 1 + random() % (other.size() - begin);
        content.insert(content.begin() + static_cast<std::ptrdiff_t>(a),
                       other.begin() + static_cast<std::ptrdiff_t>(begin),
                       other.begin() + static_cast<std::ptrdiff_t>(begin + size));
        break;
      }
      default:
        std::reverse(content.begin() + static_cast<std::ptrdiff_t>(from),
                     content.begin() + static_cast<std::ptrdiff_t>(to));
    }
    if (content == whole[which]) continue;
    RecordingScene::write(files[which], content);
    const auto faults = scene.verify().faults;
    RecordingScene::write(files[which], whole[which]);
    CAPTURE(round);
    if (faults.empty()) ++missed;
  }
  CHECK(missed == 0);
  CHECK(scene.verify().faults.empty());
}

}  // namespace
}  // namespace sealcam::recordings
