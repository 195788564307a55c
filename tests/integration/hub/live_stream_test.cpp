// SPDX-License-Identifier: Apache-2.0
// /live/CAMERA.ts over real sockets, with the real muxer.
#include "support/film.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;
using enum protocol::FrameKind;

namespace {

const std::string path = "/live/" + std::string(32, 'a') + ".ts";

class Player {
 public:
  explicit Player(const World& w, const std::string& request = get(path)) {
    socket.connect({asio::ip::address_v4::loopback(), w.port});
    asio::write(socket, asio::buffer(request));
  }
  /// Reads until so many pictures (PES packets of the video track) have come, or the stream ends.
  std::size_t read_pictures(std::size_t wanted) {
    boost::system::error_code ec;
    while (!ec && pictures() < wanted) read_some(ec);
    return pictures();
  }
  std::string read_all() {
    boost::system::error_code ec;
    while (!ec) read_some(ec);
    return text;
  }
  [[nodiscard]] std::size_t pictures() const {
    const auto head = text.find("\r\n\r\n");
    std::size_t n = 0;
    for (std::size_t at = head + 4; head != std::string::npos && at + 188 <= text.size(); at += 188) {
      const bool starts = (static_cast<unsigned char>(text[at + 1]) & 0x40) != 0;
      n += starts && text.substr(at, 188).contains(std::string("\0\0\1\xe0", 4));
    }
    return n;
  }
  std::string text;
  asio::io_context io;
  tcp::socket socket{io};

 private:
  void read_some(boost::system::error_code& ec) {
    std::array<char, 65536> part;
    text.append(part.data(), socket.read_some(asio::buffer(part), ec));
  }
};

}  // namespace

TEST_CASE("a stream begins with the group that is there and goes on with what comes") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  for (std::uint32_t i = 6; i < 9; ++i) w.show_live(i == 6 ? key : delta, i, units[i]);
  Player player(w);
  CHECK(player.read_pictures(3) == 3);
  CHECK(player.text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(player.text.contains("Content-Type: video/mp2t\r\n"));
  CHECK(player.text.contains("Connection: close\r\n"));
  CHECK(w.on_network([&] { return w.host.wanted.size(); }) == 1);
  for (std::uint32_t i = 9; i < 12; ++i) w.show_live(delta, i, units[i]);
  CHECK(player.read_pictures(6) == 6);
  CHECK(w.on_network([&] { return w.server->clients(); }) == 1);
}

TEST_CASE("a stream stands still while its camera is STALE, and goes on at a key frame") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  w.show_live(key, 0, units[0]);
  Player player(w);
  REQUIRE(player.read_pictures(1) == 1);
  w.show_live(delta, 1, units[1], 5001ms);  // its age says that it is STALE
  w.show_live(delta, 2, units[2]);
  w.show_live(key, 6, units[6]);
  w.show_live(delta, 7, units[7]);
  CHECK(player.read_pictures(3) == 3);
  w.on_network([&] { w.server->stop(); });
  (void)player.read_all();
  CHECK(player.pictures() == 3);
}

TEST_CASE("a cached group that is no longer LIVE is not sent") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  w.show_live(key, 0, units[0]);
  w.show_live(delta, 1, units[1]);
  w.advance(6s);
  Player player(w);
  REQUIRE(w.eventually([&] { return w.host.wanted.size() == 1; }));
  w.show_live(delta, 2, units[2]);  // follows a picture that the player did not get
  w.show_live(key, 6, units[6]);
  CHECK(player.read_pictures(1) == 1);
  CHECK(player.text.size() < 4 * units[0].size());
}

TEST_CASE("a stream ends 10 s after its last picture, and is refused when it never had one") {
  World w;
  const auto units = sealcam::test::film(6, 6);
  w.show_live(key, 0, units[0]);
  Player begun(w);
  REQUIRE(begun.read_pictures(1) == 1);
  w.advance(9900ms);
  Player never(w);
  REQUIRE(w.eventually([&] { return w.server->clients() == 2; }));
  CHECK(w.on_network([&] { return w.host.wanted.size(); }) == 1);
  w.advance(200ms);
  (void)begun.read_all();
  CHECK(w.on_network([&] { return w.server->clients(); }) == 1);
  w.advance(10s);
  const auto answer = never.read_all();
  CHECK(answer.starts_with("HTTP/1.1 503"));
  CHECK(answer.contains("There is no live picture"));
  CHECK(w.on_network([&] { return w.server->clients() == 0 && w.host.wanted.empty(); }));
}

TEST_CASE("a player that goes in the middle frees everything") {
  World w;
  const auto units = sealcam::test::film(6, 6);
  for (int i = 0; i < 40; ++i) {  // more than there may be connections
    Player player(w);
    REQUIRE(w.eventually([&] { return w.server->clients() == 1 && w.host.wanted.size() == 1; }));
    w.show_live(key, 0, units[0]);
    if (i % 2 == 0) (void)player.read_pictures(1);
    player.socket.close();
    CHECK(w.eventually([&] { return w.server->clients() == 0 && w.host.wanted.empty(); }));
  }
}

TEST_CASE("a player that does not read loses whole groups, and goes when it takes nothing for 30 s") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  Player slow(w), quick(w);
  REQUIRE(w.eventually([&] { return w.server->clients() == 2; }));
  Bytes large = units[0];  // filler data (NAL type 12) up to half a megabyte
  for (const int b : {0, 0, 0, 1, 12}) large.push_back(static_cast<std::byte>(b));
  large.resize(500'000, std::byte{0xff});
  for (std::uint32_t i = 0; i < 60; ++i) {
    w.show_live(i % 10 == 0 ? key : delta, i, large);
    CHECK(quick.read_pictures(i + 1) == i + 1);
  }
  CHECK(w.on_network([&] { return w.server->dropped(); }) > 0);
  for (int i = 0; i < 31; ++i) {
    w.advance(1s);
    w.show_live(key, 100, units[0]);
  }
  CHECK(w.eventually([&] { return w.server->clients() == 1; }));  // control: the quick one stays
}

TEST_CASE("one that goes on talking, HEAD, and a missing module") {
  World w;
  Player talks(w);
  REQUIRE(w.eventually([&] { return w.server->clients() == 1; }));
  asio::write(talks.socket, asio::buffer(std::string("more")));
  CHECK(w.eventually([&] { return w.server->clients() == 0; }));
  const auto head = http(w, "HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(head.contains("video/mp2t"));
  class NoMedia final : public hal::Media {
    Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::not_found, "no module"); }
    Result<std::unique_ptr<hal::StillMaker>> do_open_still_maker() override {
      return fail(Errc::not_found, "no module");
    }
  } none;
  World without(&none);
  CHECK(http(without, get(path)).contains("media module is missing"));
  without.on_network([&] { without.host.known[0].wanted = true; });
  const auto units = sealcam::test::film(1, 6);
  without.show_live(key, 0, units[0]);
  CHECK(http(without, get("/snapshot/Door.jpg")).contains("media module is missing"));
}

TEST_CASE("a stream ends when nothing of its camera may be shown any more") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  w.show_live(key, 0, units[0]);
  Player player(w);
  REQUIRE(player.read_pictures(1) == 1);
  w.on_network([&] { w.server->withdraw(DeviceId()); });
  w.show_live(delta, 1, units[1]);
  player.read_all();
  CHECK(player.pictures() == 1);
  CHECK(w.eventually([&] { return w.server->clients() == 0; }));
}
