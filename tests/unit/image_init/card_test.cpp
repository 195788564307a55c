// SPDX-License-Identifier: Apache-2.0
#include "image_init/card.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
namespace fs = std::filesystem;
using image_init::Taken;

namespace {

struct Scene {
  test::TemporaryFolder folder;
  image_init::CardFolders folders{folder.path() / "card", folder.path() / "settings", folder.path() / "connections",
                                  folder.path() / "regulatory.db"};
  MemoryLog log;

  Scene() {
    for (const auto& f : {folders.card, folders.settings, folders.connections}) fs::create_directory(f);
  }
  void put(std::string_view text) const { std::ofstream(folders.card / "sealcam.json") << text; }
  [[nodiscard]] std::string country() const { return read(folders.settings / "country"); }
  [[nodiscard]] static std::string read(const fs::path& path) {
    const auto bytes = read_file(path, 4096);
    return bytes ? std::string(as_text(*bytes)) : "";
  }
};

constexpr auto good = R"({"name": "Shed", "wifi": {"ssid": "net", "psk": "geheimes1"}, "country": "DE"})";

}  // namespace

TEST_CASE("a card without settings changes nothing") {
  Scene s;
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::none);
  CHECK(image_init::host_name(s.folders) == "sealcam");
  CHECK(fs::is_empty(s.folders.connections));
}

TEST_CASE("the settings are stored, and the file is deleted") {
  Scene s;
  s.put(good);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::taken);
  CHECK_FALSE(fs::exists(s.folders.card / "sealcam.json"));
  CHECK(image_init::host_name(s.folders) == "shed");
  CHECK(s.country() == "DE");
  for (const auto& file : image_init::connection_files) {
    const auto connection = s.folders.connections / file.name;
    CHECK(Scene::read(connection).contains("psk=geheimes1"));
    // NetworkManager ignores files that others may read.
    CHECK((fs::status(connection).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
  }
  for (const auto& line : s.log.lines()) CHECK_FALSE(line.contains("geheimes1"));
}

TEST_CASE("the content is overwritten before the file is deleted") {
  Scene s;
  s.put(good);
  const auto other = s.folders.card / "same-file";
  fs::create_hard_link(s.folders.card / "sealcam.json", other);
  REQUIRE(Scene::read(other).contains("geheimes1"));  // control
  CHECK(image_init::take_settings(s.folders, s.log).has_value());
  CHECK_FALSE(Scene::read(other).contains("geheimes1"));
}

TEST_CASE("rejected settings stay on the card, and the error file gives the reason until they are correct") {
  Scene s;
  s.put(R"({"wlan": {"ssid": "net"}})");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK(fs::exists(s.folders.card / "sealcam.json"));
  CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").contains("/wlan"));
  CHECK(fs::is_empty(s.folders.connections));
  s.put(std::string(image_init::max_settings + 1, ' '));
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").contains("larger than"));
  fs::remove(s.folders.card / "sealcam.json");
  fs::create_directory(s.folders.card / "sealcam.json");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").contains("folder"));
  fs::remove(s.folders.card / "sealcam.json");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::none);
  CHECK_FALSE(fs::exists(s.folders.card / "sealcam-settings-error.txt"));  // the rejected file is gone
  s.put("{");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  s.put(good);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::taken);
  CHECK_FALSE(fs::exists(s.folders.card / "sealcam-settings-error.txt"));
}

TEST_CASE("a file sealcam.json.txt is not read, and each start reports it") {
  Scene s;
  const auto misnamed = s.folders.card / "sealcam.json.txt";
  const auto error_text = [&] { return Scene::read(s.folders.card / "sealcam-settings-error.txt"); };
  const auto lines = [&] {
    return std::ranges::count_if(s.log.lines(), [](const auto& line) { return line.contains("sealcam.json.txt"); });
  };
  std::ofstream(misnamed) << good;
  for (int start = 1; start <= 2; ++start) {
    CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::none);
    CHECK(error_text().starts_with("sealcam.json.txt was not read."));
    CHECK(lines() == start);
  }
  CHECK(fs::is_empty(s.folders.connections));
  CHECK(Scene::read(misnamed) == good);
  s.put("{\n");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK(error_text().contains("line 2"));
  CHECK(error_text().contains("sealcam.json.txt"));
  s.put(good);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::taken);
  CHECK(error_text().starts_with("sealcam.json.txt"));
  fs::remove(misnamed);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::none);
  CHECK(error_text().empty());
  for (const auto& line : s.log.lines()) CHECK_FALSE(line.contains("geheimes1"));
}

TEST_CASE("a file with a similar name is not read, and each start reports what was found and what is expected") {
  for (const std::string_view name :
       {"sealcam.json.txt", "Sealcam.json", "SEALCAM.JSON", "sealcam.txt", "sealcam", "sealcam.jsn", "sealcam (1).json",
        "sealcam-1.json", "sealcam.json.bak", " sealcam.json", "seal-cam.json"}) {
    CAPTURE(name);
    Scene s;
    std::ofstream(s.folders.card / name) << good;
    CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::none);
    CHECK(s.log.contains("'" + std::string(name) + "' on the SD card is not read: rename it to sealcam.json"));
    CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").starts_with(std::string(name) + " was not read."));
    CHECK(fs::is_empty(s.folders.connections));
  }
  Scene others;  // controls
  for (const auto* name : {"sealcamera.json", "pairing.txt", "autoboot.txt", "sealcam-notes.txt"})
    std::ofstream(others.folders.card / name) << good;
  fs::create_directory(others.folders.card / "sealcam");
  CHECK(image_init::take_settings(others.folders, others.log).value() == Taken::none);
  CHECK(others.log.lines().empty());
  Scene many;
  for (int i = 10; i < 30; ++i)
    std::ofstream(many.folders.card / ("sealcam \x1b" + std::to_string(i) + ".json")) << good;
  CHECK(image_init::take_settings(many.folders, many.log).value() == Taken::none);
  CHECK(many.log.lines().size() == 4);
  for (const auto& line : many.log.lines()) CHECK_FALSE(line.contains('\x1b'));
}

TEST_CASE("FAT finds the file by a name with capital letters, and then it is no other file") {
  Scene s;
  s.put("{");
  fs::create_hard_link(s.folders.card / "sealcam.json", s.folders.card / "Sealcam.json");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK_FALSE(s.log.contains("is not read"));
}

TEST_CASE("settings in the form of an editor stay on the card, and the error file gives the next step") {
  std::string wide = "\xff\xfe";  // as Notepad stores "Unicode"
  for (const char c : std::string_view(good)) wide.append({c, '\0'});
  for (const auto& [text, next] :
       {std::pair(wide, "save it as UTF-8"), std::pair(std::string("{\\rtf1 }"), "plain text"),
        std::pair(std::string("{\u201cname\u201d: 1}"), "straight")}) {
    Scene s;
    s.put(text);
    CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
    CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").contains(next));
    CHECK(s.log.contains(next));
  }
  Scene marked;
  marked.put("\xef\xbb\xbf" + std::string(good));
  CHECK(image_init::take_settings(marked.folders, marked.log).value() == Taken::taken);
  CHECK(image_init::host_name(marked.folders) == "shed");
}

TEST_CASE("a country without radio rules is rejected if regulatory.db is readable") {
  Scene s;
  CHECK(s.country().empty());
  s.put(R"({"name": "Shed", "country": "ZZ"})");
  std::ofstream(s.folders.rules) << std::string_view(
      "RGDB\0\0\0\x14"
      "00\1\2DE\1\2\0\0\0\0",
      20);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").contains("/country"));
  CHECK(image_init::host_name(s.folders) == "sealcam");
  CHECK(s.country().empty());
  s.put(good);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::taken);
  CHECK(s.country() == "DE");
  fs::remove(s.folders.rules);  // the rules are unknown
  s.put(R"({"country": "ZZ"})");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::taken);
  CHECK(s.country() == "ZZ");
}

TEST_CASE("the file is not deleted if its settings are not stored") {
  Scene s;
  s.put(good);
  fs::remove(s.folders.connections);
  CHECK_FALSE(image_init::take_settings(s.folders, s.log).has_value());
  CHECK(fs::exists(s.folders.card / "sealcam.json"));
  fs::create_directory(s.folders.connections);
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::taken);
}

TEST_CASE("control characters of the settings do not reach the log or the error file") {
  Scene s;
  s.put(R"({"\u001b[2J": 1})");
  CHECK(image_init::take_settings(s.folders, s.log).value() == Taken::rejected);
  CHECK(Scene::read(s.folders.card / "sealcam-settings-error.txt").contains("/?[2J"));
  for (const auto& line : s.log.lines()) CHECK_FALSE(line.contains('\x1b'));
}

TEST_CASE("a huge file on the card does not delay the start") {
  Scene s;
  const auto huge = s.folders.card / "pairing.txt", other = s.folders.card / "same-file";
  std::ofstream(huge) << std::string(100'000, 'x');
  fs::create_hard_link(huge, other);
  fs::resize_file(huge, std::uintmax_t{1} << 36);  // a hole
  REQUIRE(image_init::erase_file(huge));
  CHECK_FALSE(fs::exists(huge));
  std::ifstream rest(other);
  std::string begin(64 << 10, ' ');
  rest.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  CHECK(begin == std::string(64 << 10, '\0'));
}

TEST_CASE("a link on the card is not followed") {
  Scene s;
  const auto victim = s.folder.path() / "victim";
  std::ofstream(victim) << "precious";
  fs::create_symlink(victim, s.folders.card / "pairing.txt");
  CHECK_FALSE(image_init::erase_file(s.folders.card / "pairing.txt").has_value());
  CHECK(Scene::read(victim) == "precious");
}
