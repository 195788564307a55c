// SPDX-License-Identifier: Apache-2.0
// Attacks on the disk with recordings, and on the events of a hub. The hub's state folder is not stolen.
#include <algorithm>
#include <random>

#include "attacks/row.hpp"
#include "base/format.hpp"
#include "hub/events/event_post.hpp"
#include "support/recording_scene.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;
using test::must;
using test::RecordingScene;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

void expect(Outcome& out, bool condition, const std::string& text) {
  if (!condition) out.deviations.push_back(text);
}

/// Two files of one camera; the first one has motion in each group.
struct Recorded : RecordingScene {
  Recorded() {
    for (const std::uint64_t epoch : {100U, 101U}) {
      auto stream = begin(epoch);
      for (int i = 0; i < 24; ++i) record(stream, i % 6 == 0 ? key : delta, 400, epoch == 100 && i % 6 == 3);
      clock.advance(20s);
    }
    core->end_all(recordings::EndReason::stopped);
  }
  /// Changes the file at a random place, in one of five ways.
  static Bytes altered(const Bytes& whole, const Bytes& other, std::mt19937& random) {
    auto content = whole;
    const auto a = random() % content.size(), b = random() % content.size();
    const auto from = static_cast<std::ptrdiff_t>(std::min(a, b)), to = static_cast<std::ptrdiff_t>(std::max(a, b)) + 1;
    switch (random() % 5) {
      case 0: content[a] ^= static_cast<std::byte>(1U << (random() % 8)); break;
      case 1: content.resize(a); break;
      case 2: content.erase(content.begin() + from, content.begin() + to); break;
      case 3: content.insert(content.begin() + from, other.begin(), other.begin() + to % std::ssize(other)); break;
      default: std::reverse(content.begin() + from, content.begin() + to);
    }
    return content;
  }
};

Row altered_recordings() {
  Row row;
  row.name = "an attacker with write access to the disk alters recordings";
  row.rejected_as = "altered";
  row.control_is = "pictures of the unaltered recordings";
  row.n = 60;
  row.alone = [](const Row& self, Outcome& out) {
    Recorded scene;
    std::mt19937 random(5);
    const std::array files{scene.path(0), scene.path(1)};
    const std::array whole{RecordingScene::content(files[0]), RecordingScene::content(files[1])};
    out.control = scene.read().size();
    expect(out, scene.verify().faults.empty(), "the unaltered recordings have a fault");
    while (out.messages < static_cast<std::uint64_t>(self.n)) {
      const auto which = random() % 2;
      const auto content = Recorded::altered(whole[which], whole[1 - which], random);
      if (content == whole[which]) continue;
      ++out.messages;
      RecordingScene::write(files[which], content);
      const auto faults = scene.verify().faults;
      // With its place.
      bool found = std::ranges::any_of(
          faults, [&](const auto& fault) { return fault.file && fault.file->below(scene.folder) == files[which]; });
      for (const auto& picture : scene.read())
        if (!std::ranges::contains(scene.pictures, picture)) found = false;
      if (found) ++out.rejected["altered"];
      else ++out.wrong;
      RecordingScene::write(files[which], whole[which]);
    }
  };
  return row;
}

Row stolen_disk() {
  Row row;
  row.name = "a thief has the disk with recordings, without the hub's state folder";
  row.rejected_as = "no key";
  row.control_is = "pictures that open with the state folder";
  row.n = 20;
  row.alone = [](const Row& self, Outcome& out) {
    for (int i = 0; i < self.n; ++i, ++out.messages) {
      Recorded scene;
      out.control += scene.read().size();
      // Also with the state folder of another hub, whose archive key differs.
      RecordingScene other;
      if (i % 2 == 1)
        std::filesystem::copy(scene.state / "recording-keys" / scene.camera.id().to_string(),
                              other.state / "recording-keys" / scene.camera.id().to_string(),
                              std::filesystem::copy_options::recursive);
      recordings::FileArchive archive(scene.folder, scene.owner.account(), *scene.index,
                                      i % 2 == 1 ? &*other.keys : nullptr, nullptr);
      auto reader = must(archive.read(scene.camera.id(), RecordingScene::all));
      std::uint64_t opened = 0;
      while (must(reader->next())) ++opened;
      if (opened == 0) ++out.rejected["no key"];
      out.wrong += opened;
    }
  };
  return row;
}

Row motion_on_disk() {
  Row row;
  row.name = "the disk changes groups with motion before the hub builds its index again";
  row.rejected_as = "altered";
  row.control_is = "events of the unaltered recordings";
  row.n = 10;
  row.alone = [](const Row& self, Outcome& out) {
    std::mt19937 random(6);
    for (int i = 0; i < self.n; ++i, ++out.messages) {
      Recorded scene;
      const auto build_again = [&] {
        scene.core.reset();
        scene.index.reset();
        must(recordings::Index::delete_files(scene.state / "recordings.db"));
        scene.restart();
        return must(scene.archive().motion(scene.camera.id(), RecordingScene::all, 100)).size();
      };
      out.control += build_again();
      auto content = RecordingScene::content(scene.path(0));
      // Bytes of each of the four groups; header and receipt stay valid.
      const auto group = 6 * (400 + 32 + 16 + 12 + 110), receipt = 800;
      for (auto at = static_cast<std::ptrdiff_t>(random() % 300); at + receipt < std::ssize(content); at += group / 2)
        if (std::ssize(content) - at < 4 * group + receipt) content[static_cast<std::size_t>(at)] ^= std::byte{4};
      RecordingScene::write(scene.path(0), content);
      const auto found = build_again();
      out.wrong += found;
      if (found == 0) ++out.rejected["altered"];
    }
  };
  return row;
}

Row motion_without_end() {
  Row row;
  row.name = "a camera of the account reports motion without end";
  row.rejected_as = "suppressed";
  row.control_is = "events of another camera";
  row.n = 1000;
  row.note = "60 messages of a camera in an hour leave the hub";
  row.alone = [](const Row& self, Outcome& out) {
    const test::Actor hostile, honest;
    hub::events::EventTracker tracker;
    BootTime now{1000s};
    std::uint64_t sent = 0;
    for (int i = 0; i < self.n; ++i, ++out.messages, now = now + 11s) {
      if (tracker.on_motion(hostile.id(), {}, now)) ++sent;
      else ++out.rejected["suppressed"];
      if (i % 100 == 0 && tracker.on_motion(honest.id(), {}, now)) ++out.control;
    }
    const auto allowed = 60 * (1 + self.n * 11 / 3600);
    if (sent > static_cast<std::uint64_t>(allowed)) out.wrong = sent - static_cast<std::uint64_t>(allowed);
    expect(out, out.control == 10, "events of another camera were not reported");
  };
  return row;
}

}  // namespace

void add_recording_rows(std::vector<Row>& rows) {
  for (const auto make : {altered_recordings, stolen_disk, motion_on_disk, motion_without_end}) rows.push_back(make());
}

}  // namespace sealcam::attacks
