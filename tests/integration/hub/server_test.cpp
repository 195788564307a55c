// SPDX-License-Identifier: Apache-2.0
// The page's server over real sockets on loopback, in one process.
#include "hub/web/server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <thread>

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

namespace {

class FakeHost final : public Host {
 public:
  bool all = false;
  std::set<DeviceId> wanted;
  watch::PictureGroup group{1U << 20};

 private:
  std::string hello() const override { return R"({"type":"hello"})"; }
  std::string state() const override { return R"({"type":"state"})"; }
  std::set<DeviceId> cameras() const override { return {DeviceId()}; }
  const watch::PictureGroup* newest(const DeviceId&) const override { return group.empty() ? nullptr : &group; }
  void on_interest(bool everything, std::set<DeviceId> some) override {
    all = everything;
    wanted = std::move(some);
  }
};

/// The server on a thread of its own, as in the hub.
class World {
 public:
  SystemClock clock;
  MemoryLog log;
  FakeHost host;
  asio::io_context io{1};
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;

  /// Runs there and waits for the result.
  template <class F>
  auto on_network(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto done = task.get_future();
    asio::post(io, [&task] { task(); });
    return done.get();
  }

  World() {
    auto opened = Server::open(io, {asio::ip::address_v4::loopback(), 0}, host, clock, log);
    REQUIRE(opened);
    server = std::move(*opened);
    const auto address = server->address();
    port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
    thread_ = std::jthread([this] { io.run(); });
  }
  ~World() {
    on_network([this] { server->stop(); });
    io.stop();
    thread_.join();
    server.reset();
  }
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 500; ++i) {
      if (on_network(condition)) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  void show(protocol::FrameKind kind, std::uint32_t number, std::size_t size = 10) {
    on_network([&] {
      watch::PictureInfo picture;
      picture.kind = kind;
      picture.header.number = FrameNumber(number);
      picture.handed_out = clock.monotonic();
      server->on_picture(DeviceId(), picture, Bytes(size, std::byte{0x42}));
    });
  }

 private:
  std::jthread thread_;
};

class Client {
 public:
  explicit Client(const World& world, const std::string& origin = {}) : port_(world.port) {
    beast::get_lowest_layer(stream).connect({asio::ip::address_v4::loopback(), port_});
    if (!origin.empty())
      stream.set_option(beast::websocket::stream_base::decorator(
          [origin](beast::websocket::request_type& r) { r.set(beast::http::field::origin, origin); }));
  }
  beast::error_code handshake(const std::string& host = {}) {
    beast::error_code ec;
    stream.handshake(host.empty() ? "127.0.0.1:" + std::to_string(port_) : host, "/ws", ec);
    return ec;
  }
  void say(const std::string& text) { stream.write(asio::buffer(text)); }
  std::string read() {
    beast::flat_buffer buffer;
    stream.read(buffer);
    return beast::buffers_to_string(buffer.cdata());
  }
  std::uint32_t read_picture() {
    while (true) {
      const auto message = read();
      if (stream.got_binary()) return load_be<std::uint32_t>(as_bytes(message).subspan(24));
    }
  }
  asio::io_context io;
  beast::websocket::stream<tcp::socket> stream{io};

 private:
  std::uint16_t port_;
};

std::string http(const World& world, const std::string& request) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), world.port});
  asio::write(socket, asio::buffer(request));
  std::string answer;
  boost::system::error_code ec;
  asio::read(socket, asio::dynamic_buffer(answer), ec);
  return answer;
}

std::string get(const std::string& path, const std::string& host = "localhost", const std::string& more = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more + "\r\n";
}

}  // namespace

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
