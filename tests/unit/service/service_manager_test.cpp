// SPDX-License-Identifier: Apache-2.0
/// The other end of sd_notify(3): a datagram socket that a test reads.
#include "service/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace std::chrono_literals;

namespace {

/// A service manager as systemd shows itself to a program. One at a time: the environment is the process's.
class FakeSystemd {
 public:
  FakeSystemd() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const std::string path = (folder_.path() / "notify").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;
  ~FakeSystemd() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  void watch(const std::string& microseconds, pid_t pid = ::getpid()) {
    ::setenv("WATCHDOG_USEC", microseconds.c_str(), 1);
    ::setenv("WATCHDOG_PID", std::to_string(pid).c_str(), 1);
  }
  /// What was said since the last call. A datagram of a local socket is there once it is sent.
  [[nodiscard]] std::vector<std::string> heard() {
    std::vector<std::string> all;
    std::array<char, 256> buffer;
    for (;;) {
      const auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (n < 0) return all;
      all.emplace_back(buffer.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  test::TemporaryFolder folder_;
  UniqueFd socket_;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("ready and stopping are said") {
  FakeSystemd systemd;
  const FakeClock clock;
  service::ServiceManager manager(clock);
  manager.ready();
  manager.stopping();
  CHECK(systemd.heard() == Words{"READY=1", "STOPPING=1"});
}

TEST_CASE("a live loop says so each half of the watchdog's time") {
  FakeSystemd systemd;
  systemd.watch("30000000");
  FakeClock clock;
  service::ServiceManager manager(clock);
  CHECK(systemd.heard().empty());
  manager.alive();
  CHECK(systemd.heard() == Words{"WATCHDOG=1"});
  for (int tick = 1; tick < 150; ++tick) {
    clock.advance(100ms);
    manager.alive();
  }
  CHECK(systemd.heard().empty());
  clock.advance(100ms);
  manager.alive();
  CHECK(systemd.heard() == Words{"WATCHDOG=1"});
}

TEST_CASE("a loop that hangs says nothing") {
  FakeSystemd systemd;
  systemd.watch("30000000");
  FakeClock clock;
  service::ServiceManager manager(clock);
  manager.alive();
  CHECK(systemd.heard() == Words{"WATCHDOG=1"});
  clock.advance(1h);
  CHECK(systemd.heard().empty());
}

TEST_CASE("without a watchdog, or with another process's, nothing is said of life") {
  FakeSystemd systemd;
  FakeClock clock;
  SECTION("none is asked for") {}
  SECTION("another process's") { systemd.watch("30000000", ::getppid()); }
  SECTION("not a number") { systemd.watch("soon"); }
  SECTION("none, by zero") { systemd.watch("0"); }
  service::ServiceManager manager(clock);
  for (int tick = 0; tick < 100; ++tick) {
    manager.alive();
    clock.advance(1s);
  }
  CHECK(systemd.heard().empty());
}

TEST_CASE("without a service manager nothing happens") {
  const FakeClock clock;
  service::ServiceManager manager(clock);
  manager.ready();
  manager.alive();
  manager.stopping();
}
