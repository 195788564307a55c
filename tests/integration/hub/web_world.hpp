// SPDX-License-Identifier: Apache-2.0
/// The web server on a loopback address with a fake hub behind it, and clients for it, in one process. Only
/// web_world.cpp includes Boost.Beast.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "hal/modules/modules.hpp"
#include "hub/access/testing/memory_tokens.hpp"
#include "hub/web/server.hpp"

namespace sealcam::hub::web::test {

using namespace std::chrono_literals;

class FakeWebBackend final : public WebBackend {
 public:
  bool all = false;
  std::set<DeviceId> desired;
  std::size_t changes = 0;  ///< of `all` and `desired`
  watch::PictureGroup group{8U << 20};
  std::vector<std::pair<DeviceId, bool>> switched;
  Result<> answer;  ///< to privacy requests
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
    desired = std::move(some);
    ++changes;
    for (auto& camera : known) camera.watched = all || desired.contains(camera.id);
  }
};

/// Tokens of the world's clients, by their right.
inline const std::string privacy_token(43, 'p'), view_token(43, 'v'), metrics_token(43, 'm');

/// The server and its network thread.
class World {
 public:
  FakeClock clock;  // used on the network thread
  MemoryLog log;
  access::MemoryTokens tokens;
  access::Access access{tokens, clock, log};
  FakeWebBackend backend;
  hal::modules::MediaModule media{log};
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;

  explicit World(hal::Media* other = nullptr, recordings::Archive* archive = nullptr);
  ~World();
  /// Ends like the hub.
  void stop();

  /// Runs `f` on the network thread and returns its result.
  template <class F>
  auto on_network(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto done = task.get_future();
    post([&task] { task(); });
    return done.get();
  }
  bool eventually(const std::function<bool()>& condition);
  void advance(std::chrono::milliseconds time);
  /// Shows a LIVE picture like the watcher: the cache has it already.
  void show_live(protocol::FrameKind kind, std::uint32_t number, ByteView unit, std::chrono::milliseconds age = 40ms);
  void show(protocol::FrameKind kind, std::uint32_t number, std::size_t size = 10);

 private:
  struct Network;
  void post(std::function<void()> job);

  std::unique_ptr<Network> network_;
  std::jthread thread_;
};

/// The headers of a WebSocket client.
struct ClientHeaders {
  std::optional<std::string> origin = {};  ///< nothing: the hub's own; empty: no such header
  std::string token = privacy_token;       ///< empty: none
  std::vector<std::pair<std::string, std::string>> more = {};
};

/// A WebSocket client.
class Client {
 public:
  explicit Client(const World& world, ClientHeaders headers = {});
  ~Client();
  /// False if the server rejects the handshake.
  [[nodiscard]] bool handshake(const std::string& host = {});
  void send(const std::string& text);
  /// Throws at the end of the connection.
  std::string read();
  /// Skips texts. Returns the number of the next picture.
  std::uint32_t read_picture();
  /// Reads up to the end of the connection. Returns the code of the close frame, 0 without one.
  std::uint16_t read_close_code();

 private:
  struct Socket;
  std::unique_ptr<Socket> socket_;
  std::uint16_t port_;
};

/// A TCP client that sends a request and reads what it needs of the answer.
class RawClient {
 public:
  RawClient(const World& world, const std::string& request);
  ~RawClient();
  void send(const std::string& more);
  /// Appends data to `text`. False at the end of the connection.
  bool read_some();
  void close();
  std::string text;

 private:
  UniqueFd socket_;
};

/// Sends a request and returns everything up to the end of the connection.
std::string http(const World& world, const std::string& request);

inline std::string bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

/// A request without a credential.
inline std::string anonymous_get(const std::string& path, const std::string& host = "localhost",
                                 const std::string& more = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + more + "\r\n";
}

inline std::string get(const std::string& path, const std::string& host = "localhost", const std::string& more = {}) {
  return anonymous_get(path, host, bearer(privacy_token) + more);
}

}  // namespace sealcam::hub::web::test
