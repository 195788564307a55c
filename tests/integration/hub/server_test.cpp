// SPDX-License-Identifier: Apache-2.0
// The page's server: WebSocket, guards and bounds.
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;

TEST_CASE("a client is greeted, says what it wants and gets pictures") {
  World w;
  Client client(w);
  REQUIRE_FALSE(client.handshake());
  CHECK(client.read() == R"({"type":"hello"})");
  CHECK(client.read() == R"({"type":"state"})");
  client.say(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.host.all; }));
  w.show(protocol::FrameKind::delta, 1);
  w.show(protocol::FrameKind::key, 2);
  w.show(protocol::FrameKind::delta, 3);
  CHECK(client.read_picture() == 2);
  CHECK(client.read_picture() == 3);
  client.say(R"({"watch":[]})");
  CHECK(w.eventually([&] { return !w.host.all; }));
}

TEST_CASE("a late viewer gets the current group at once, marked as cached") {
  World w;
  w.on_network([&] {
    watch::PictureInfo picture;
    picture.kind = protocol::FrameKind::key;
    picture.header.number = FrameNumber(7);
    w.host.group.add(picture, Bytes(3));
    picture.kind = protocol::FrameKind::delta;
    picture.header.number = FrameNumber(8);
    w.host.group.add(picture, Bytes(3));
  });
  Client client(w);
  REQUIRE_FALSE(client.handshake());
  client.say(R"({"watch":"all"})");
  CHECK(client.read_picture() == 7);
  const auto second = client.read();
  CHECK(second[3] == 8);
  w.show(protocol::FrameKind::delta, 9);
  CHECK(client.read_picture() == 9);
}

TEST_CASE("interest ends with the connection") {
  World w;
  {
    Client client(w);
    REQUIRE_FALSE(client.handshake());
    client.say(R"({"watch":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]})");
    REQUIRE(w.eventually([&] { return w.host.wanted.size() == 1; }));
  }
  CHECK(w.eventually([&] { return w.host.wanted.empty() && w.server->clients() == 0; }));
}

TEST_CASE("other pages' scripts and other names of this machine get nothing") {
  World w;
  CHECK(Client(w).handshake("evil.example"));
  CHECK(Client(w, "http://evil.example").handshake());
  CHECK(Client(w, "http://127.0.0.1:1").handshake());
  CHECK_FALSE(Client(w, "http://127.0.0.1:" + std::to_string(w.port)).handshake());  // control
  CHECK(http(w, get("/api/state", "evil.example")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get("/api/state", "localhost", "Origin: http://evil.example\r\n")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get("/api/state")).starts_with("HTTP/1.1 200"));  // control
  CHECK(http(w, get("/api/state")).ends_with(R"({"type":"state"})"));
}

TEST_CASE("bounds of a request") {
  World w;
  CHECK(http(w, get("/nothing")).starts_with("HTTP/1.1 404"));
  CHECK(
      http(w, "POST /api/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 405"));
  CHECK_FALSE(http(w, get("/api/state", "localhost", "X: " + std::string(9000, 'x') + "\r\n")).contains("200"));
  CHECK_FALSE(http(w, get("/api/state", "localhost", "Content-Length: 5\r\n") + "12345").contains("200"));
  CHECK(http(w, "\x16\x03\x01 nonsense\r\n\r\n").empty());
}

TEST_CASE("nonsense of a client ends its connection, not the hub") {
  World w;
  for (const auto& nonsense : {std::string("{"), std::string(20000, 'x'), std::string(R"({"watch":5})")}) {
    Client client(w);
    REQUIRE_FALSE(client.handshake());
    client.say(nonsense);
    CHECK_THROWS([&] {
      while (true) (void)client.read();
    }());
  }
  Client client(w);
  CHECK_FALSE(client.handshake());
}

TEST_CASE("at most 32 connections") {
  World w;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < ServerShared::max_connections; ++i) {
    clients.push_back(std::make_unique<Client>(w));
    REQUIRE_FALSE(clients.back()->handshake());
  }
  CHECK(Client(w).handshake());
  clients.pop_back();
  CHECK(w.eventually([&] { return w.server->clients() == ServerShared::max_connections - 1; }));
  CHECK_FALSE(Client(w).handshake());
}

TEST_CASE("a client that does not read loses whole groups and harms nobody") {
  World w;
  Client slow(w), quick(w);
  REQUIRE_FALSE(slow.handshake());
  REQUIRE_FALSE(quick.handshake());
  quick.say(R"({"watch":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]})");
  slow.say(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.host.all && w.host.wanted.size() == 1; }));
  for (std::uint32_t i = 0; i < 60; ++i) {
    w.show(i % 10 == 0 ? protocol::FrameKind::key : protocol::FrameKind::delta, i + 1, 500'000);
    CHECK(quick.read_picture() == i + 1);
  }
  CHECK(w.on_network([&] { return w.server->dropped(); }) > 0);
  std::uint32_t before = slow.read_picture();
  bool hole = false;
  while (before < 51) {
    const auto number = slow.read_picture();
    if (number != before + 1) {
      CHECK(number % 10 == 1);
      hole = true;
    }
    before = number;
  }
  CHECK(hole);
}

namespace {

void bar(World& w, watch::Reason reason) {
  w.on_network([&] {
    w.host.known[0].reason = reason;
    w.host.known[0].state = watch::CameraState::offline;
    w.host.group.clear();
    w.server->withdraw(DeviceId());
  });
}

const std::string camera_id(32, 'a');

}  // namespace

TEST_CASE("a camera of which nothing may be shown is refused with the reason, also where old pictures are allowed") {
  World w;
  for (const auto& [reason, word, sentence] :
       {std::tuple{watch::Reason::cloned, "cloned", "Two devices live with this camera's identity"},
        {watch::Reason::suspended, "suspended", "suspended the integration"},
        {watch::Reason::removed, "removed", "took this hub off"}}) {
    w.on_network([&] { w.host.known[0].member = reason == watch::Reason::cloned; });
    bar(w, reason);
    for (const auto& path : {"/snapshot/" + camera_id + ".jpg", "/snapshot/" + camera_id + ".jpg?stale=allow",
                             "/live/" + camera_id + ".ts", std::string("/snapshot/Door.jpg")}) {
      const auto answer = http(w, get(path));
      CHECK(answer.starts_with("HTTP/1.1 403"));
      CHECK(answer.contains(std::string("X-Sealcam-Reason: ") + word + "\r\n"));
      CHECK(answer.contains(sentence));
    }
  }
  CHECK(w.on_network([&] { return w.host.wanted.empty() && !w.host.all; }));
}

TEST_CASE("pictures that wait for a client are gone when nothing of the camera may be shown any more") {
  World w;
  Client client(w);
  REQUIRE_FALSE(client.handshake());
  client.say(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.host.all; }));
  // In one go on the network thread: the first is under way at once, the second waits.
  w.on_network([&] {
    watch::PictureInfo picture;
    picture.kind = protocol::FrameKind::key;
    for (const auto number : {1U, 2U}) {
      picture.header.number = FrameNumber(number);
      w.server->on_picture(DeviceId(), picture, Bytes(10, std::byte{0x42}));
    }
    w.server->withdraw(DeviceId());
  });
  w.show(protocol::FrameKind::delta, 3);
  w.show(protocol::FrameKind::key, 4);  // control: of a camera that may be shown again
  CHECK(client.read_picture() == 1);
  CHECK(client.read_picture() == 4);
}

TEST_CASE("a page's wish for privacy reaches the hub, and it is told why when it cannot be done") {
  World w;
  Client client(w);
  REQUIRE_FALSE(client.handshake());
  (void)client.read();
  (void)client.read();
  client.say(R"({"privacy":")" + camera_id + R"(","on":true})");
  REQUIRE(w.eventually([&] { return w.host.switched.size() == 1; }));
  CHECK(w.on_network([&] { return w.host.switched[0]; }) == std::pair{DeviceId(), true});
  w.on_network([&] { w.host.answer = fail(Errc::permission, "test"); });
  client.say(R"({"privacy":")" + camera_id + R"(","on":false})");
  CHECK(client.read() == R"({"camera":")" + camera_id + R"(","type":"privacy_refused","why":"not_allowed"})");
  client.say(R"({"privacy":")" + camera_id + R"(","on":"yes"})");
  beast::flat_buffer buffer;
  beast::error_code ec;
  client.stream.read(buffer, ec);
  CHECK(ec == beast::websocket::error::closed);
  CHECK(client.stream.reason().code == beast::websocket::close_code::policy_error);
  CHECK(w.on_network([&] { return w.host.switched.size() == 2; }));
}
