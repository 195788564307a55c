// SPDX-License-Identifier: Apache-2.0
// Writes recordings for reader_test.py.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;

TEST_CASE("recordings for the second implementation are written", "[sample]") {
  const char* const folder = std::getenv("SEALCAM_SAMPLE_FOLDER");
  if (folder == nullptr) SKIP("reader_test.py sets the folder");
  test::RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 4);
  scene.report(stream);
  scene.lose(stream);
  scene.groups(stream, 2);
  auto next = scene.begin(101);
  scene.groups(next, 3);
  scene.restart();  // the last group is lost, and the receipt has the reason `interrupted`
  Secret<32> identity;
  std::ranges::fill(identity.fill(), std::byte{0x11});
  must(scene.keys->seal_to(test::Actor(identity, identity).identity()));
  const auto pictures = scene.read();
  CHECK(pictures.size() >= 40);
  Bytes all;
  for (const auto& picture : pictures) all.insert(all.end(), picture.begin(), picture.end());
  constexpr auto deep = std::filesystem::copy_options::recursive;
  std::filesystem::copy(scene.folder, std::filesystem::path(folder) / "recordings", deep);
  std::filesystem::copy(scene.state, std::filesystem::path(folder) / "state", deep);
  std::string hex;
  for (const auto byte : all) hex += sealcam::format("{:02x}", std::to_integer<unsigned>(byte));
  const nlohmann::json json = {{"account", scene.owner.account().to_string()},
                               {"other", scene.hub.account().to_string()},
                               {"files", scene.files().size()},
                               {"archive_identity", to_hex(identity.reveal())},
                               {"lost", scene.verify().lost_frames},
                               {"pictures", hex}};
  test::RecordingScene::write(std::filesystem::path(folder) / "sample.json", as_bytes(json.dump()));
}

}  // namespace
}  // namespace sealcam::recordings
