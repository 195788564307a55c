// SPDX-License-Identifier: Apache-2.0
#include "recordings/verifier.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;

/// Two files of one epoch, and their items.
class Altered {
 public:
  RecordingScene scene;
  std::filesystem::path first, second;
  Bytes content;
  struct Part {
    std::size_t offset, size;
    ItemKind kind;
  };
  std::vector<Part> parts;

  Altered() {
    auto stream = scene.begin();
    scene.groups(stream, 3);
    scene.clock.advance(20s);
    scene.groups(stream, 2);
    scene.core->end_all(EndReason::stopped);
    REQUIRE(scene.files().size() == 2);
    first = scene.path(0);
    second = scene.path(1);
    content = RecordingScene::content(first);
    std::size_t at = 0;
    (void)must(decode_header(content, at));
    parts.push_back({0, at, ItemKind::header});
    while (at < content.size()) {
      const auto head = must(item_head(ByteView(content).subspan(at)));
      parts.push_back({at, head.size, head.kind});
      at += head.size;
    }
  }
  /// The faults of the folder with this content of the first file.
  [[nodiscard]] std::vector<Fault> faults(ByteView altered) {
    RecordingScene::write(first, altered);
    auto found = scene.verify().faults;
    RecordingScene::write(first, content);
    return found;
  }
  [[nodiscard]] Bytes without(std::size_t part) const {
    Bytes out(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(parts[part].offset));
    out.insert(out.end(), content.begin() + static_cast<std::ptrdiff_t>(parts[part].offset + parts[part].size),
               content.end());
    return out;
  }
  [[nodiscard]] Bytes swapped(std::size_t a, std::size_t b) const {
    Bytes out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto& part = parts[i == a ? b : i == b ? a : i];
      out.insert(out.end(), content.begin() + static_cast<std::ptrdiff_t>(part.offset),
                 content.begin() + static_cast<std::ptrdiff_t>(part.offset + part.size));
    }
    return out;
  }
};

TEST_CASE("control: unaltered recordings have no fault") {
  Altered altered;
  const auto report = altered.scene.verify();
  CHECK(report.faults.empty());
  CHECK(report.files == 2);
  CHECK(report.frames == 25);
}

TEST_CASE("each altered bit is found, and its frame or group is named") {
  Altered altered;
  std::mt19937 random(3);
  for (int i = 0; i < 40; ++i) {
    const auto bit = random() % (altered.content.size() * 8);
    auto content = altered.content;
    content[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    CAPTURE(bit / 8, bit % 8);
    const auto faults = altered.faults(content);
    REQUIRE_FALSE(faults.empty());
    const auto part = std::ranges::find_if(
        altered.parts, [&](const auto& p) { return bit / 8 >= p.offset && bit / 8 < p.offset + p.size; });
    if (part->kind == ItemKind::frame)
      CHECK(std::ranges::any_of(faults, [&](const Fault& f) { return f.offset == part->offset; }));
    CHECK(faults.front().file);
  }
}

TEST_CASE("each cut is found") {
  Altered altered;
  std::mt19937 random(4);
  for (int i = 0; i < 25; ++i) {
    const auto size = random() % altered.content.size();
    CAPTURE(size);
    CHECK_FALSE(altered.faults(ByteView(altered.content).first(size)).empty());
  }
}

TEST_CASE("removed, repeated and exchanged items are found") {
  Altered altered;
  for (std::size_t i = 0; i < altered.parts.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(altered.faults(altered.without(i)).empty());
    auto twice = altered.content;
    const auto& part = altered.parts[i];
    const Bytes copy(altered.content.begin() + static_cast<std::ptrdiff_t>(part.offset),
                     altered.content.begin() + static_cast<std::ptrdiff_t>(part.offset + part.size));
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(part.offset), copy.begin(), copy.end());
    CHECK_FALSE(altered.faults(twice).empty());
    if (i + 1 < altered.parts.size()) CHECK_FALSE(altered.faults(altered.swapped(i, i + 1)).empty());
  }
}

TEST_CASE("frames of another camera, epoch or account, and the receipt of another file are found") {
  Altered altered;
  auto& scene = altered.scene;
  const auto kinds = [&](ByteView content) {
    std::vector<FaultKind> found;
    for (const auto& fault : altered.faults(content)) found.push_back(fault.kind);
    return found;
  };
  const auto insert = [&](const Bytes& frame) {
    auto content = altered.content;
    content.insert(content.begin() + static_cast<std::ptrdiff_t>(altered.parts[3].offset), frame.begin(), frame.end());
    return content;
  };
  test::Actor neighbor;
  test::StreamBuilder of_neighbor(test::route_of(scene.owner, neighbor), neighbor);
  auto epoch = of_neighbor.make_epoch(100);
  CHECK(std::ranges::contains(kinds(insert(of_neighbor.gop(epoch, "I").messages[0])), FaultKind::signature));
  RecordingScene stranger;
  auto strange = stranger.begin();
  CHECK(
      std::ranges::contains(kinds(insert(stranger.builder.gop(strange.keys, "I").messages[0])), FaultKind::signature));
  auto other_epoch = scene.begin(77);
  CHECK(std::ranges::contains(kinds(insert(scene.builder.gop(other_epoch.keys, "I").messages[0])),
                              FaultKind::other_epoch));

  // The receipt of the second file at the end of the first one.
  auto content = altered.without(altered.parts.size() - 1);
  const auto second = RecordingScene::content(altered.second);
  const auto size = receipt_item_size(std::span(second).last<4>());
  content.insert(content.end(), second.end() - static_cast<std::ptrdiff_t>(size), second.end());
  CHECK(std::ranges::contains(kinds(content), FaultKind::receipt));
  // The whole second file in the place of the first one.
  CHECK(std::ranges::contains(kinds(second), FaultKind::repeated));
  // An older receipt: that of the file when it had fewer frames.
  auto shorter =
      Bytes(altered.content.begin(), altered.content.begin() + static_cast<std::ptrdiff_t>(altered.parts[7].offset));
  RecordingScene::write(altered.first, shorter);
  FileInspector inspector(scene.owner.account());
  auto name = scene.files()[0].file;
  FileCompletion completion(scene.folder, name, inspector, scene.hub.keys().identity);
  while (!must(completion.step())) {
  }
  const auto older = RecordingScene::content(altered.first);
  const auto older_size = receipt_item_size(std::span(older).last<4>());
  content = altered.without(altered.parts.size() - 1);
  content.insert(content.end(), older.end() - static_cast<std::ptrdiff_t>(older_size), older.end());
  CHECK(std::ranges::contains(kinds(content), FaultKind::receipt));
  RecordingScene::write(altered.first, altered.content);

  // A receipt that another device signed.
  test::Actor outsider;
  const auto receipt = must(must(RecordingFile::open(altered.first)).read_header());
  Receipt forged;
  forged.number = receipt.header.number;
  forged.groups = {{1, {}, {}}};
  forged.header = receipt.digest;
  const auto item = must(encode_receipt(forged, scene.route, outsider.keys().identity));
  content = altered.without(altered.parts.size() - 1);
  content.insert(content.end(), item.begin(), item.end());
  CHECK(std::ranges::contains(kinds(content), FaultKind::receipt));
}

TEST_CASE("missing and renamed files are found") {
  Altered altered;
  auto& scene = altered.scene;
  auto stream = scene.begin(101);
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.verify().faults.empty());
  const auto away = scene.disk.path() / "away";
  std::filesystem::rename(altered.second, away);
  auto faults = scene.verify().faults;
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].kind == FaultKind::missing_files);
  std::filesystem::rename(away, altered.second.parent_path() / "00-00-00.000.seal");
  faults = scene.verify().faults;
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].kind == FaultKind::name);
}

TEST_CASE("a file that a recorder writes needs no receipt") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 3);
  const auto name = scene.files().at(0).file;
  CHECK(scene.verify().faults.size() == 1);
  CHECK(must(verify_folder(scene.folder, {.account = scene.owner.account(), .open = {name}})).faults.empty());
}

TEST_CASE("another account's recordings are not accepted") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.group(stream);
  scene.core->end_all(EndReason::stopped);
  const auto report = must(verify_folder(scene.folder, {.account = scene.hub.account()}));
  REQUIRE(report.faults.size() == 1);
  CHECK(report.faults[0].kind == FaultKind::header);
  CHECK(verify_folder(scene.folder / "none", {.account = scene.owner.account()}).error().code == Errc::not_found);
}

}  // namespace
}  // namespace sealcam::recordings
