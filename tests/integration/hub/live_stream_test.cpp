// SPDX-License-Identifier: Apache-2.0
// /live/CAMERA.ts over TCP with the real muxer.
#include "support/film.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;
using enum protocol::FrameKind;

namespace {

const std::string path = "/live/" + std::string(32, 'a') + ".ts";

class Player : public RawClient {
 public:
  explicit Player(const World& w) : RawClient(w, get(path)) {}
  /// Reads until `count` pictures (PES packets of the video track) arrived, or up to the end of the stream.
  std::size_t read_pictures(std::size_t count) {
    while (pictures() < count && read_some()) {
    }
    return pictures();
  }
  std::string read_all() {
    while (read_some()) {
    }
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
};

}  // namespace

TEST_CASE("a stream starts with the cached group and continues with new pictures") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  for (std::uint32_t i = 6; i < 9; ++i) w.show_live(i == 6 ? key : delta, i, units[i]);
  Player player(w);
  CHECK(player.read_pictures(3) == 3);
  CHECK(player.text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(player.text.contains("Content-Type: video/mp2t\r\n"));
  CHECK(player.text.contains("Connection: close\r\n"));
  CHECK(w.on_network([&] { return w.backend.desired.size(); }) == 1);
  for (std::uint32_t i = 9; i < 12; ++i) w.show_live(delta, i, units[i]);
  CHECK(player.read_pictures(6) == 6);
  CHECK(w.on_network([&] { return w.server->clients(); }) == 1);
}

TEST_CASE("a stream pauses while its camera is STALE and continues with a key frame") {
  World w;
  const auto units = sealcam::test::film(12, 6);
  w.show_live(key, 0, units[0]);
  Player player(w);
  REQUIRE(player.read_pictures(1) == 1);
  w.show_live(delta, 1, units[1], 5001ms);  // STALE because of its age
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
  REQUIRE(w.eventually([&] { return w.backend.desired.size() == 1; }));
  w.show_live(delta, 2, units[2]);  // needs a picture that the player did not receive
  w.show_live(key, 6, units[6]);
  CHECK(player.read_pictures(1) == 1);
  CHECK(player.text.size() < 4 * units[0].size());
}

TEST_CASE("a stream ends 10 s after its last picture and is rejected if there was none") {
  World w;
  const auto units = sealcam::test::film(6, 6);
  w.show_live(key, 0, units[0]);
  Player begun(w);
  REQUIRE(begun.read_pictures(1) == 1);
  w.advance(9900ms);
  Player never(w);
  REQUIRE(w.eventually([&] { return w.server->clients() == 2; }));
  CHECK(w.on_network([&] { return w.backend.desired.size(); }) == 1);
  w.advance(200ms);
  (void)begun.read_all();
  CHECK(w.on_network([&] { return w.server->clients(); }) == 1);
  w.advance(10s);
  const auto answer = never.read_all();
  CHECK(answer.starts_with("HTTP/1.1 503"));
  CHECK(answer.contains("There is no live picture"));
  CHECK(w.on_network([&] { return w.server->clients() == 0 && w.backend.desired.empty(); }));
}

TEST_CASE("a player that disconnects frees its resources") {
  World w;
  const auto units = sealcam::test::film(6, 6);
  for (int i = 0; i < 40; ++i) {  // more than the maximum of connections
    Player player(w);
    REQUIRE(w.eventually([&] { return w.server->clients() == 1 && w.backend.desired.size() == 1; }));
    w.show_live(key, 0, units[0]);
    if (i % 2 == 0) (void)player.read_pictures(1);
    player.close();
    CHECK(w.eventually([&] { return w.server->clients() == 0 && w.backend.desired.empty(); }));
  }
}

TEST_CASE("a slow player loses whole groups and is disconnected after 30 s without reading") {
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

TEST_CASE("pictures that waited while the machine slept are not sent") {
  const auto units = sealcam::test::film(12, 6);
  Bytes large = units[0];  // filler data (NAL type 12): more than the socket holds, so that the next pictures wait
  for (const int b : {0, 0, 0, 1, 12}) large.push_back(static_cast<std::byte>(b));
  large.resize(8'000'000, std::byte{0xff});
  for (const auto slept : {0s, 6s}) {
    World w;
    Player player(w);
    REQUIRE(w.eventually([&] { return w.server->clients() == 1; }));
    w.show_live(key, 0, large);
    REQUIRE(player.read_some());  // the first picture is being written
    w.show_live(key, 6, units[6]);
    w.show_live(delta, 7, units[7]);
    w.on_network([&] { w.clock.suspend(slept); });
    w.show_live(key, 8, units[0]);
    const std::size_t expected = slept == 0s ? 4 : 2;
    CHECK(player.read_pictures(expected) == expected);
    w.on_network([&] { w.server->stop(); });
    (void)player.read_all();
    CHECK(player.pictures() == expected);
  }
}

TEST_CASE("HEAD gets the status and the fields of GET, and waits for a picture as GET does") {
  World w;
  const auto request = "HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\n" + bearer(privacy_token) + "\r\n";
  const auto head_of = [](std::string text) { return text.substr(0, text.find("\r\n\r\n") + 4); };
  const auto read_all = [](RawClient& client) {
    while (client.read_some()) {
    }
    return client.text;
  };
  RawClient early(w, request);
  Player player(w);
  REQUIRE(w.eventually([&] { return w.server->clients() == 2; }));
  CHECK(w.on_network([&] { return w.backend.desired.size(); }) == 1);
  const auto units = sealcam::test::film(6, 6);
  w.show_live(key, 0, units[0]);
  REQUIRE(player.read_pictures(1) == 1);
  const auto found = read_all(early);
  CHECK(found.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(found.contains("Connection: close"));
  CHECK_FALSE(found.contains("Content-Length"));  // RFC 9110 section 8.6: the answer to GET has none
  CHECK(found == head_of(player.text));
  player.close();
  REQUIRE(w.eventually([&] { return w.server->clients() == 0 && w.backend.desired.empty(); }));
  w.advance(6s);  // the cached picture is no longer LIVE
  RawClient head(w, request), full(w, get(path));
  REQUIRE(w.eventually([&] { return w.server->clients() == 2; }));
  w.advance(11s);
  const auto missing = read_all(head);
  CHECK(missing.starts_with("HTTP/1.1 503"));
  CHECK(missing.contains("Content-Length"));
  CHECK(missing == head_of(read_all(full)));
  CHECK(w.on_network([&] { return w.server->clients() == 0 && w.backend.desired.empty(); }));
}

TEST_CASE("a player that sends more data, and a missing module") {
  World w;
  Player talks(w);
  REQUIRE(w.eventually([&] { return w.server->clients() == 1; }));
  talks.send("more");
  CHECK(w.eventually([&] { return w.server->clients() == 0; }));
  class NoMedia final : public hal::Media {
    Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::not_found, "no module"); }
    Result<std::unique_ptr<hal::Mp4Muxer>> do_open_mp4_muxer(hal::Size) override {
      return fail(Errc::not_found, "no module");
    }
    Result<std::unique_ptr<hal::StillBuilder>> do_open_still_builder() override {
      return fail(Errc::not_found, "no module");
    }
  } none;
  World without(&none);
  CHECK(http(without, get(path)).contains("media module is missing"));
  without.on_network([&] { without.backend.known[0].watched = true; });
  const auto units = sealcam::test::film(1, 6);
  without.show_live(key, 0, units[0]);
  CHECK(http(without, get("/snapshot/Door.jpg")).contains("media module is missing"));
}

TEST_CASE("a stream ends when its camera is blocked") {
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
