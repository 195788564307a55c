// SPDX-License-Identifier: Apache-2.0
#include "image_init/pairing_notice.hpp"
#include "base/format.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
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
  [[nodiscard]] image_init::NoticePlaces places() const { return {.file = file, .card = card, .consoles = {console}}; }
  void put(std::string_view text) const { std::ofstream(file) << text << '\n'; }
  [[nodiscard]] static std::string read(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
};

}  // namespace

TEST_CASE("a pairing string is shown once and removed when it becomes invalid") {
  Scene s;
  image_init::PairingNotice notice(s.places(), s.log);
  CHECK_FALSE(notice.poll());
  CHECK(Scene::read(s.console).empty());
  s.put(one);
  CHECK(notice.poll());
  const auto shown = Scene::read(s.console);
  CHECK(shown.contains(sealcam::format("    {}\r\n", one)));
  CHECK(shown.contains("\u2588"));  // the QR code
  CHECK(Scene::read(s.card / "pairing.txt") == sealcam::format("{}\r\n", one));
  CHECK(notice.poll());
  s.put(other);
  CHECK(notice.poll());
  CHECK(Scene::read(s.card / "pairing.txt") == sealcam::format("{}\r\n", other));
  fs::remove(s.file);
  CHECK_FALSE(notice.poll());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(Scene::read(s.console).contains("no longer valid"));
}

TEST_CASE("the end of the program removes the pairing string") {
  Scene s;
  s.put(one);
  {
    image_init::PairingNotice notice(s.places(), s.log);
    CHECK(notice.poll());
    CHECK(fs::exists(s.card / "pairing.txt"));
  }
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  for (const auto& line : s.log.lines()) CHECK_FALSE(line.contains("bbbbbbbb"));
}

TEST_CASE("the console shows the pairing string even if the card cannot be written") {
  Scene s;
  fs::remove(s.card);
  s.put(one);
  image_init::PairingNotice notice(s.places(), s.log);
  CHECK(notice.poll());
  CHECK(Scene::read(s.console).contains("bbbbbbbb"));
  CHECK(s.log.contains("not on the SD card"));
}

TEST_CASE("the program shows no other content of the camera's file") {
  Scene s;
  image_init::PairingNotice notice(s.places(), s.log);
  const auto secret = s.folder.path() / "profile";
  std::ofstream(secret) << "[wifi-security]\npsk=geheimes1\n";
  SECTION("a link to a file of root") { fs::create_symlink(secret, s.file); }
  SECTION("control characters for a terminal") { s.put("\x1b[2J\x1b[31mThis camera was moved. Call 0900 geheimes1"); }
  SECTION("a pairing string with more text") { s.put(sealcam::format("{}\ngeheimes1", one)); }
  SECTION("a large file") { s.put(std::string(100'000, 'x') + "geheimes1"); }
  SECTION("a folder") { fs::create_directory(s.file); }
  // It continues: systemd would restart the program again and again while the file exists.
  CHECK(notice.poll());
  CHECK(notice.poll());
  CHECK(Scene::read(s.console).empty());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(s.log.lines().size() == 1);
  CHECK(s.log.contains(s.file.string()));
  CHECK_FALSE(s.log.contains("geheimes1"));
  fs::remove(s.file);
  s.put(one);  // control
  CHECK(notice.poll());
  CHECK(Scene::read(s.console).contains(one));
  fs::remove(s.file);
  s.put("nonsense");
  CHECK(notice.poll());
  CHECK_FALSE(fs::exists(s.card / "pairing.txt"));
  CHECK(s.log.lines().size() == 2);
}

TEST_CASE("a blocked console does not delay the card or the next console") {
  Scene s;
  const auto stuck = s.folder.path() / "stuck";
  REQUIRE(::mkfifo(stuck.c_str(), 0600) == 0);
  const UniqueFd reader(::open(stuck.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));  // never reads
  REQUIRE(reader);
  const std::string full(4096, 'x');
  while (::write(reader.get(), full.data(), full.size()) > 0) {
  }
  auto places = s.places();
  places.consoles = {stuck, s.console};
  places.timeout = std::chrono::milliseconds(1);
  s.put(one);
  image_init::PairingNotice notice(places, s.log);
  CHECK(notice.poll());
  CHECK(Scene::read(s.card / "pairing.txt") == sealcam::format("{}\r\n", one));
  CHECK(Scene::read(s.console).contains(one));
  CHECK(s.log.contains(stuck.string()));
}

TEST_CASE("the consoles are those of the kernel, with tty1 for tty0") {
  CHECK(image_init::consoles_of("tty0 ttyAMA0\n") == std::vector<fs::path>{"/dev/tty1", "/dev/ttyAMA0"});
  CHECK(image_init::consoles_of("tty1 .. tty0\n") == std::vector<fs::path>{"/dev/tty1"});
  CHECK(image_init::consoles_of("../../etc/passwd ttyS1") == std::vector<fs::path>{"/dev/ttyS1"});
  CHECK(image_init::consoles_of("").empty());
}
