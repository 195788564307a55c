// SPDX-License-Identifier: Apache-2.0
// The web server: WebSocket, rejected requests, limits.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/format.hpp"
#include "support/no_descriptors.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;

TEST_CASE("a client receives hello, state and the pictures that it requests") {
  World w;
  Client client(w);
  REQUIRE(client.handshake());
  CHECK(client.read() == R"({"type":"hello"})");
  CHECK(client.read() == R"({"type":"state"})");
  client.send(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.backend.all; }));
  w.show(protocol::FrameKind::delta, 1);
  w.show(protocol::FrameKind::key, 2);
  w.show(protocol::FrameKind::delta, 3);
  CHECK(client.read_picture() == 2);
  CHECK(client.read_picture() == 3);
  client.send(R"({"watch":[]})");
  CHECK(w.eventually([&] { return !w.backend.all; }));
}

TEST_CASE("without free file descriptors the server waits before it accepts again") {
  using boost::asio::ip::tcp;
  FakeClock clock;
  MemoryLog log;
  hub::access::MemoryTokens tokens;
  hub::access::Access rights(tokens, clock, log);
  FakeWebBackend backend;
  hal::modules::MediaModule media(log);
  boost::asio::io_context io;
  auto server = Server::open(io, "127.0.0.1", 0, backend, rights, media, clock, log);
  REQUIRE(server);
  const auto address = (*server)->address();
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  tcp::socket client(io);
  client.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), port));
  const std::string request = anonymous_get("/");
  REQUIRE(client.send(boost::asio::buffer(request)) == request.size());
  {
    const sealcam::test::NoDescriptors none;
    CHECK(io.run_for(250ms) < 20);  // handlers; a busy loop runs thousands
    CHECK(log.contains("cannot accept a connection"));
  }
  bool answered = false;
  client.async_wait(tcp::socket::wait_read, [&](const boost::system::error_code& ec) { answered = !ec; });
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!answered && io.run_one_until(until) > 0) {
  }
  CHECK(answered);
  client.close();
  (*server)->stop();
  io.restart();
  io.run_for(10s);
}

TEST_CASE("a client that comes later receives the cached group first") {
  World w;
  w.on_network([&] {
    watch::PictureInfo picture;
    picture.kind = protocol::FrameKind::key;
    picture.header.number = FrameNumber(7);
    w.backend.group.add(picture, Bytes(3));
    picture.kind = protocol::FrameKind::delta;
    picture.header.number = FrameNumber(8);
    w.backend.group.add(picture, Bytes(3));
  });
  Client client(w);
  REQUIRE(client.handshake());
  client.send(R"({"watch":"all"})");
  CHECK(client.read_picture() == 7);
  const auto second = client.read();
  CHECK(second[3] == 8);
  w.show(protocol::FrameKind::delta, 9);
  CHECK(client.read_picture() == 9);
}

TEST_CASE("the interest in a camera ends with the connection") {
  World w;
  {
    Client client(w);
    REQUIRE(client.handshake());
    client.send(R"({"watch":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]})");
    REQUIRE(w.eventually([&] { return w.backend.desired.size() == 1; }));
  }
  CHECK(w.eventually([&] { return w.backend.desired.empty() && w.server->clients() == 0; }));
}

TEST_CASE("requests of other pages and with other host names are rejected") {
  World w;
  CHECK_FALSE(Client(w).handshake("evil.example"));
  CHECK_FALSE(Client(w, {.origin = "http://evil.example"}).handshake());
  CHECK_FALSE(Client(w, {.origin = "http://127.0.0.1:1"}).handshake());
  CHECK_FALSE(Client(w, {.origin = ""}).handshake());
  CHECK(Client(w, {.origin = "http://127.0.0.1:" + std::to_string(w.port)}).handshake());  // control
  CHECK(http(w, get("/api/state", "evil.example")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get("/api/state", "localhost", "Origin: http://evil.example\r\n")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get("/api/state")).starts_with("HTTP/1.1 200"));  // control
  CHECK(http(w, get("/api/state")).ends_with(R"({"type":"state"})"));
}

TEST_CASE("the limits of a request") {
  World w;
  CHECK(http(w, get("/nothing")).starts_with("HTTP/1.1 404"));
  CHECK(
      http(w, "POST /api/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 405"));
  CHECK(http(w, get("/api/state", "localhost", "Cookie: a=" + std::string(9000, 'x') + "\r\n")).contains("200 OK"));
  CHECK_FALSE(http(w, get("/api/state", "localhost", "Content-Length: 5\r\n") + "12345").contains("200"));
  CHECK(http(w, "\x16\x03\x01 nonsense\r\n\r\n").empty());
}

TEST_CASE("each request gets an answer with the reason") {
  World w;
  const std::string token = bearer(privacy_token);
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "GET", "HEAD"}) {
    for (const std::size_t size : {5UZ, 3UZ << 20}) {
      CAPTURE(method, size);
      const auto answer =
          http(w, sealcam::format("{} /api/state HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n", method,
                                  token, size) +
                      std::string(5, 'x'));
      CHECK(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
      CHECK(answer.contains("\r\nAllow: GET, HEAD\r\n"));
      CHECK(answer.contains("\r\nConnection: close\r\n"));
    }
  }
  const auto chunked =
      http(w, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n");
  CHECK(chunked.starts_with("HTTP/1.1 405"));
  for (const auto& large :
       {get("/" + std::string(40'000, 'x')), get("/api/state", "localhost", "X: " + std::string(40'000, 'x') + "\r\n"),
        get("/api/state", "localhost", "X: " + std::string(3'000'000, 'x') + "\r\n")}) {
    const auto answer = http(w, large);
    CHECK(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    CHECK(answer.contains("\r\nConnection: close\r\n"));
  }
  for (const auto* invalid :
       {"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n"})
    CHECK(http(w, invalid).starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

TEST_CASE("a request without Host is answered only if no browser can have sent it") {
  World w;
  const auto token = bearer(privacy_token);
  CHECK(http(w, "GET /api/state HTTP/1.0\r\n" + token + "\r\n").starts_with("HTTP/1.0 200"));
  CHECK(http(w, "GET /api/state HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 401"));
  for (const std::string browser : {"Origin: http://localhost\r\n", "Sec-Fetch-Site: none\r\n",
                                    "Sec-Fetch-Mode: navigate\r\n", "Sec-Fetch-Dest: document\r\n"})
    CHECK(http(w, "GET /api/state HTTP/1.0\r\n" + token + browser + "\r\n").starts_with("HTTP/1.0 400"));
  CHECK(http(w, "GET /api/state HTTP/1.0\r\nHost: evil.example\r\n" + token + "\r\n").starts_with("HTTP/1.0 403"));
  CHECK(http(w, "GET /api/state HTTP/1.1\r\nConnection: close\r\n" + token + "\r\n").starts_with("HTTP/1.1 400"));
  CHECK(http(w, get("/api/state", "localhost", "Host: localhost\r\n")).starts_with("HTTP/1.1 400"));
}

TEST_CASE("a target with a scheme names the host") {
  World w;
  CHECK(http(w, get("http://localhost:8420/api/state?x", "evil.example")).starts_with("HTTP/1.1 200"));
  CHECK(http(w, get("HTTP://127.0.0.1", "localhost")).starts_with("HTTP/1.1 200"));
  CHECK(http(w, get("http://evil.example/api/state", "localhost")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get("http://evil.example", "localhost")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get("http:///api/state", "localhost")).starts_with("HTTP/1.1 403"));
}

TEST_CASE("the answer to HEAD has the fields of the answer to GET") {
  World w;
  const auto head_of = [&](std::string request) {
    auto answer = http(w, request);
    return answer.substr(0, answer.find("\r\n\r\n"));
  };
  for (const auto* path : {"/", "/main.js", "/api/state", "/metrics", "/nothing", "/snapshot/None.jpg"}) {
    CAPTURE(path);
    const auto get_request = get(path);
    CHECK(head_of("HEAD" + get_request.substr(3)) == head_of(get_request));
  }
}

TEST_CASE("an invalid message of a client ends only its connection") {
  World w;
  for (const auto& invalid : {std::string("{"), std::string(20000, 'x'), std::string(R"({"watch":5})")}) {
    Client client(w);
    REQUIRE(client.handshake());
    client.send(invalid);
    CHECK_THROWS([&] {
      while (true) (void)client.read();
    }());
  }
  Client client(w);
  CHECK(client.handshake());
}

TEST_CASE("the server accepts 32 connections") {
  World w;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < ServerShared::max_connections; ++i) {
    clients.push_back(std::make_unique<Client>(w));
    REQUIRE(clients.back()->handshake());
  }
  CHECK_FALSE(Client(w).handshake());
  clients.pop_back();
  CHECK(w.eventually([&] { return w.server->clients() == ServerShared::max_connections - 1; }));
  CHECK(Client(w).handshake());
}

TEST_CASE("a slow client loses whole groups, other clients lose nothing") {
  World w;
  Client slow(w), quick(w);
  REQUIRE(slow.handshake());
  REQUIRE(quick.handshake());
  quick.send(R"({"watch":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]})");
  slow.send(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.backend.all && w.backend.desired.size() == 1; }));
  for (std::uint32_t i = 0; i < 60; ++i) {
    w.show(i % 10 == 0 ? protocol::FrameKind::key : protocol::FrameKind::delta, i + 1, 500'000);
    CHECK(quick.read_picture() == i + 1);
  }
  CHECK(w.on_network([&] { return w.server->dropped(); }) > 0);
  std::uint32_t before = slow.read_picture();
  bool gap = false;
  while (before < 51) {
    const auto number = slow.read_picture();
    if (number != before + 1) {
      CHECK(number % 10 == 1);
      gap = true;
    }
    before = number;
  }
  CHECK(gap);
}

namespace {

void block(World& w, watch::Reason reason) {
  w.on_network([&] {
    w.backend.known[0].reason = reason;
    w.backend.known[0].state = watch::CameraState::offline;
    w.backend.group.clear();
    w.server->withdraw(DeviceId());
  });
}

const std::string camera_id(32, 'a');

}  // namespace

TEST_CASE("requests for a blocked camera are rejected with the reason, also with ?stale=allow") {
  World w;
  for (const auto& [reason, name, text] :
       {std::tuple{watch::Reason::cloned, "cloned", "Two devices use this camera's identity"},
        {watch::Reason::suspended, "suspended", "suspended the integration"},
        {watch::Reason::removed, "removed", "removed this hub"}}) {
    w.on_network([&] { w.backend.known[0].member = reason == watch::Reason::cloned; });
    block(w, reason);
    for (const auto& path : {"/snapshot/" + camera_id + ".jpg", "/snapshot/" + camera_id + ".jpg?stale=allow",
                             "/live/" + camera_id + ".ts", std::string("/snapshot/Door.jpg")}) {
      const auto answer = http(w, get(path));
      CHECK(answer.starts_with("HTTP/1.1 403"));
      CHECK(answer.contains(std::string("X-Sealcam-Reason: ") + name + "\r\n"));
      CHECK(answer.contains(text));
    }
  }
  CHECK(w.on_network([&] { return w.backend.desired.empty() && !w.backend.all; }));
}

TEST_CASE("queued pictures of a camera are dropped when it is blocked") {
  World w;
  Client client(w);
  REQUIRE(client.handshake());
  client.send(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.backend.all; }));
  // In one job of the network thread: the server writes the first picture at once and queues the second.
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
  w.show(protocol::FrameKind::key, 4);  // control: the camera is no longer blocked
  CHECK(client.read_picture() == 1);
  CHECK(client.read_picture() == 4);
}

TEST_CASE(
    "the hub answers a ping with its time, read after the ping arrived, by the clock that continues during sleep") {
  World w;
  Client client(w);
  REQUIRE(client.handshake());
  (void)client.read();
  (void)client.read();
  for (const auto* slept : {"", "slept"}) {
    if (*slept != '\0') w.on_network([&] { w.clock.suspend(60s); });
    const auto boot =
        w.on_network([&] { return std::chrono::floor<std::chrono::microseconds>(w.clock.boot().since_boot); });
    client.send(R"({"ping":7})");
    CHECK(client.read() == R"({"boot_us":)" + std::to_string(boot.count()) + R"(,"ping":7,"type":"pong"})");
  }
  client.send(R"({"ping":"7"})");
  CHECK(client.read_close_code() == 1008);  // policy violation
}

TEST_CASE("a picture that waits for a page while the machine sleeps is sent as STALE, with its true age") {
  World w;
  Client client(w);
  REQUIRE(client.handshake());
  client.send(R"({"watch":"all"})");
  REQUIRE(w.eventually([&] { return w.backend.all; }));
  // In one job of the network thread: the server writes the first picture at once and queues the second.
  w.on_network([&] {
    watch::PictureInfo picture;
    picture.kind = protocol::FrameKind::key;
    picture.state = watch::CameraState::live;
    picture.age = 40ms;
    picture.handed_out = w.clock.boot();
    for (int i = 0; i < 2; ++i) w.server->on_picture(DeviceId(), picture, Bytes(10, std::byte{0x42}));
    w.clock.suspend(30s);
  });
  const auto boot = std::chrono::floor<std::chrono::microseconds>(w.clock.boot().since_boot);
  for (const auto slept : {0s, 30s}) {
    std::string message;
    while ((message = client.read()).starts_with('{')) {
    }
    const auto header = as_bytes(message);
    CHECK(header[2] == (slept == 0s ? std::byte{1} : std::byte{2}));
    CHECK(load_be<std::uint32_t>(header.subspan(36)) == 40 + 1000 * slept.count());
    CHECK(std::chrono::microseconds(load_be<std::int64_t>(header.subspan(72))) == boot - (30s - slept));
  }
}

TEST_CASE("a privacy request of a page reaches the hub, and the page receives the reason of a rejection") {
  World w;
  Client client(w);
  REQUIRE(client.handshake());
  (void)client.read();
  (void)client.read();
  client.send(R"({"privacy":")" + camera_id + R"(","on":true})");
  REQUIRE(w.eventually([&] { return w.backend.switched.size() == 1; }));
  CHECK(w.on_network([&] { return w.backend.switched[0]; }) == std::pair{DeviceId(), true});
  w.on_network([&] { w.backend.answer = fail(Errc::permission, "test"); });
  client.send(R"({"privacy":")" + camera_id + R"(","on":false})");
  CHECK(client.read() == R"({"camera":")" + camera_id + R"(","type":"privacy_rejected","why":"not_allowed"})");
  client.send(R"({"privacy":")" + camera_id + R"(","on":"yes"})");
  CHECK(client.read_close_code() == 1008);  // policy violation
  CHECK(w.on_network([&] { return w.backend.switched.size() == 2; }));
}
