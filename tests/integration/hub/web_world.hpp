// SPDX-License-Identifier: Apache-2.0
/// The page's server over real sockets on loopback, in one process, and clients of it.
#pragma once

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <future>
#include <thread>

#include "hal/media/load.hpp"
#include "hub/web/server.hpp"

namespace sealcam::hub::web::test {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

class FakeHost final : public Host {
 public:
  bool all = false;
  std::set<DeviceId> wanted;
  std::size_t changes = 0;  ///< of what is wanted
  watch::PictureGroup group{8U << 20};
  std::vector<std::pair<DeviceId, bool>> switched;
  Result<> answer;  ///< to a wish for privacy
  std::vector<watch::CameraStatus> known = {one_camera()};

  static watch::CameraStatus one_camera() {
    watch::CameraStatus camera;
    camera.name = "Door";
    camera.member = true;
    return camera;
  }

 private:
  std::string hello() const override { return R"({"type":"hello"})"; }
  std::string state() const override { return R"({"type":"state"})"; }
  std::set<DeviceId> cameras() const override { return {DeviceId()}; }
  std::string metrics() const override { return "# metrics\n"; }
  std::vector<watch::CameraStatus> statuses() const override { return known; }
  const watch::PictureGroup* newest(const DeviceId&) const override { return group.empty() ? nullptr : &group; }
  Result<> switch_privacy(const DeviceId& camera, bool on) override {
    switched.emplace_back(camera, on);
    return answer;
  }
  void on_interest(bool everything, std::set<DeviceId> some) override {
    all = everything;
    wanted = std::move(some);
    ++changes;
    for (auto& camera : known) camera.wanted = all || wanted.contains(camera.id);
  }
};

/// The server on a thread of its own, as in the hub.
class World {
 public:
  FakeClock clock;  // on the network thread
  MemoryLog log;
  FakeHost host;
  hal::media::ModuleMedia media{log};
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};  // also once the server stopped
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

  explicit World(hal::Media* other = nullptr) {
    auto opened = Server::open(io, {asio::ip::address_v4::loopback(), 0}, host, other ? *other : media, clock, log);
    REQUIRE(opened);
    server = std::move(*opened);
    const auto address = server->address();
    port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
    thread_ = std::jthread([this] { io.run(); });
  }
  ~World() {
    if (server) stop();
  }
  /// As the hub ends.
  void stop() {
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
  void advance(std::chrono::milliseconds time) {
    on_network([&] {
      clock.advance(time);
      server->tick();
    });
  }
  /// A LIVE picture as the watcher hands it out: it is in the cache already.
  void show_live(protocol::FrameKind kind, std::uint32_t number, ByteView unit, std::chrono::milliseconds age = 40ms) {
    on_network([&] {
      watch::PictureInfo picture;
      picture.kind = kind;
      picture.state = watch::CameraState::live;
      picture.age = age;
      picture.header.number = FrameNumber(number);
      picture.header.captured = CaptureTime{1'790'000'000s + 33ms * number};
      picture.received = picture.handed_out = clock.monotonic();
      host.group.add(picture, unit);
      server->on_picture(DeviceId(), picture, unit);
    });
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

inline std::string http(const World& world, const std::string& request) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), world.port});
  asio::write(socket, asio::buffer(request));
  std::string answer;
  boost::system::error_code ec;
  asio::read(socket, asio::dynamic_buffer(answer), ec);
  return answer;
}

inline std::string get(const std::string& path, const std::string& host = "localhost", const std::string& more = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more + "\r\n";
}

}  // namespace sealcam::hub::web::test
