// SPDX-License-Identifier: Apache-2.0
#include "appliance/pairing_notice.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <format>
#include <fstream>
#include <sstream>

#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view one = "sealcam:1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:bbbbbbbb@192.168.1.20:8421";
constexpr std::string_view other = "sealcam:1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:cccccccc@[fe80::1]:8421";

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
  s.say(one);
  CHECK(notice.look());
  const auto shown = Scene::read(s.console);
  CHECK(shown.contains(std::format("    {}\r\n", one)));
  CHECK(shown.contains("\u2588"));  // the QR code
  CHECK(Scene::read(s.card / "pairing.txt") == std::format("{}\r\n", one));
  CHECK(notice.look());
  s.say(other);
  CHECK(notice.look());
  CHECK(Scene::read(s.card / "pairing.txt") == std::format("{}\r\n", other));
  fs::remove(s.file);
  CHECK_FALSE(notice.look());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(Scene::read(s.console).contains("counts no longer"));
}

TEST_CASE("ending takes the pairing string away too") {
  Scene s;
  s.say(one);
  {
    appliance::PairingNotice notice(s.places(), s.log);
    CHECK(notice.look());
    CHECK(fs::exists(s.card / "pairing.txt"));
  }
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  for (const auto& line : s.log.lines()) CHECK_FALSE(line.contains("bbbbbbbb"));
}

TEST_CASE("a card that cannot be written does not keep the string from the console") {
  Scene s;
  fs::remove(s.card);
  s.say(one);
  appliance::PairingNotice notice(s.places(), s.log);
  CHECK(notice.look());
  CHECK(Scene::read(s.console).contains("bbbbbbbb"));
  CHECK(s.log.contains("not on the card"));
}

TEST_CASE("the camera's user cannot have anything else shown in root's name") {
  Scene s;
  appliance::PairingNotice notice(s.places(), s.log);
  const auto secret = s.folder.path() / "profile";
  std::ofstream(secret) << "[wifi-security]\npsk=geheimes1\n";
  SECTION("a link to a file of root's") { fs::create_symlink(secret, s.file); }
  SECTION("words that steer a terminal") { s.say("\x1b[2J\x1b[31mThis camera was moved. Call 0900 geheimes1"); }
  SECTION("a pairing string with more behind it") { s.say(std::format("{}\ngeheimes1", one)); }
  SECTION("too much") { s.say(std::string(100'000, 'x') + "geheimes1"); }
  SECTION("no file") { fs::create_directory(s.file); }
  // It goes on looking: ending while the file is there would be begun again without end.
  CHECK(notice.look());
  CHECK(notice.look());
  CHECK(Scene::read(s.console).empty());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(s.log.lines().size() == 1);
  CHECK(s.log.contains(s.file.string()));
  CHECK_FALSE(s.log.contains("geheimes1"));
  fs::remove(s.file);
  s.say(one);  // control
  CHECK(notice.look());
  CHECK(Scene::read(s.console).contains(one));
  fs::remove(s.file);
  s.say("nonsense");
  CHECK(notice.look());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(s.log.lines().size() == 2);
}

TEST_CASE("a console that takes nothing holds neither the card nor the next console up") {
  Scene s;
  const auto stuck = s.folder.path() / "stuck";
  REQUIRE(::mkfifo(stuck.c_str(), 0600) == 0);
  const UniqueFd reader(::open(stuck.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));  // and never reads
  REQUIRE(reader);
  const std::string full(4096, 'x');
  while (::write(reader.get(), full.data(), full.size()) > 0) {
  }
  auto places = s.places();
  places.consoles = {stuck, s.console};
  places.patience = std::chrono::milliseconds(1);
  s.say(one);
  appliance::PairingNotice notice(places, s.log);
  CHECK(notice.look());
  CHECK(Scene::read(s.card / "pairing.txt") == std::format("{}\r\n", one));
  CHECK(Scene::read(s.console).contains(one));
  CHECK(s.log.contains(stuck.string()));
}

TEST_CASE("consoles are the kernel's, the first screen for all of them") {
  CHECK(appliance::consoles_of("tty0 ttyAMA0\n") == std::vector<fs::path>{"/dev/tty1", "/dev/ttyAMA0"});
  CHECK(appliance::consoles_of("tty1 .. tty0\n") == std::vector<fs::path>{"/dev/tty1"});
  CHECK(appliance::consoles_of("../../etc/passwd ttyS1") == std::vector<fs::path>{"/dev/ttyS1"});
  CHECK(appliance::consoles_of("").empty());
}
