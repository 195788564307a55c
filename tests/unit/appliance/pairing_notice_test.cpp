// SPDX-License-Identifier: Apache-2.0
#include "appliance/pairing_notice.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "support/temporary_folder.hpp"

using namespace sealcam;
namespace fs = std::filesystem;

namespace {

struct Scene {
  test::TemporaryFolder folder;
  MemoryLog log;
  fs::path file = folder.path() / "pairing.txt", card = folder.path() / "card", console = folder.path() / "console";

  Scene() {
    fs::create_directory(card);
    std::ofstream{console};
  }
  [[nodiscard]] appliance::NoticePlaces places() const { return {.file = file, .card = card, .consoles = {console}}; }
  void say(std::string_view text) const { std::ofstream(file) << text << '\n'; }
  [[nodiscard]] static std::string read(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
};

}  // namespace

TEST_CASE("a pairing string is shown, once, and taken away when it counts no longer") {
  Scene s;
  appliance::PairingNotice notice(s.places(), s.log);
  CHECK_FALSE(notice.look());
  CHECK(Scene::read(s.console).empty());
  s.say("sealcam:1:aaaa");
  CHECK(notice.look());
  const auto shown = Scene::read(s.console);
  CHECK(shown.contains("    sealcam:1:aaaa\r\n"));
  CHECK(shown.contains("\u2588"));  // the QR code
  CHECK(Scene::read(s.card / "pairing.txt") == "sealcam:1:aaaa\r\n");
  CHECK(notice.look());
  s.say("sealcam:1:bbbb");
  CHECK(notice.look());
  CHECK(Scene::read(s.card / "pairing.txt") == "sealcam:1:bbbb\r\n");
  fs::remove(s.file);
  CHECK_FALSE(notice.look());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(Scene::read(s.console).contains("counts no longer"));
}

TEST_CASE("ending takes the pairing string away too") {
  Scene s;
  s.say("sealcam:1:aaaa");
  {
    appliance::PairingNotice notice(s.places(), s.log);
    CHECK(notice.look());
    CHECK(fs::exists(s.card / "pairing.txt"));
  }
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  for (const auto& line : s.log.lines()) CHECK_FALSE(line.contains("aaaa"));
}

TEST_CASE("a card that cannot be written does not keep the string from the console") {
  Scene s;
  fs::remove(s.card);
  s.say("sealcam:1:aaaa");
  appliance::PairingNotice notice(s.places(), s.log);
  CHECK(notice.look());
  CHECK(Scene::read(s.console).contains("aaaa"));
  CHECK(s.log.contains("not on the card"));
}

TEST_CASE("consoles are the kernel's, the first screen for all of them") {
  CHECK(appliance::consoles_of("tty0 ttyAMA0\n") == std::vector<fs::path>{"/dev/tty1", "/dev/ttyAMA0"});
  CHECK(appliance::consoles_of("tty1 .. tty0\n") == std::vector<fs::path>{"/dev/tty1"});
  CHECK(appliance::consoles_of("../../etc/passwd ttyS1") == std::vector<fs::path>{"/dev/ttyS1"});
  CHECK(appliance::consoles_of("").empty());
}
