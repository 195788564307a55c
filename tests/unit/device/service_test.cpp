// SPDX-License-Identifier: Apache-2.0
/// Tests sd_notify(3) with a datagram socket that stands for systemd.
#include "device/program.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace std::chrono_literals;

namespace {

/// Sets the environment as systemd does. One at a time, because the environment belongs to the process.
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
  /// The messages since the last call. A datagram of a local socket arrives at once.
  [[nodiscard]] std::vector<std::string> received() {
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

using Messages = std::vector<std::string>;

}  // namespace

TEST_CASE("ready and stopping are sent") {
  FakeSystemd systemd;
  const FakeClock clock;
  device::ServiceManager manager(clock);
  manager.ready();
  manager.stopping();
  CHECK(systemd.received() == Messages{"READY=1", "STOPPING=1"});
}

TEST_CASE("a running loop notifies once per half of the watchdog's time") {
  FakeSystemd systemd;
  systemd.watch("30000000");
  FakeClock clock;
  device::ServiceManager manager(clock);
  CHECK(systemd.received().empty());
  manager.alive();
  CHECK(systemd.received() == Messages{"WATCHDOG=1"});
  for (int tick = 1; tick < 150; ++tick) {
    clock.advance(100ms);
    manager.alive();
  }
  CHECK(systemd.received().empty());
  clock.advance(100ms);
  manager.alive();
  CHECK(systemd.received() == Messages{"WATCHDOG=1"});
}

TEST_CASE("a hanging loop sends nothing") {
  FakeSystemd systemd;
  systemd.watch("30000000");
  FakeClock clock;
  device::ServiceManager manager(clock);
  manager.alive();
  CHECK(systemd.received() == Messages{"WATCHDOG=1"});
  clock.advance(1h);
  CHECK(systemd.received().empty());
}

TEST_CASE("without a watchdog of this process, alive() sends nothing") {
  FakeSystemd systemd;
  FakeClock clock;
  SECTION("no watchdog") {}
  SECTION("watchdog of another process") { systemd.watch("30000000", ::getppid()); }
  SECTION("not a number") { systemd.watch("soon"); }
  SECTION("an interval of zero") { systemd.watch("0"); }
  device::ServiceManager manager(clock);
  for (int tick = 0; tick < 100; ++tick) {
    manager.alive();
    clock.advance(1s);
  }
  CHECK(systemd.received().empty());
}

TEST_CASE("without a service manager, the calls do nothing") {
  const FakeClock clock;
  device::ServiceManager manager(clock);
  manager.ready();
  manager.alive();
  manager.stopping();
}

TEST_CASE("a status file replaces links of other users and does not write through them") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "status.json", temporary = folder.path() / "status.json.new",
             victim = folder.path() / "victim";
  REQUIRE(write_file_durably(victim, as_bytes("untouched")));
  const auto text_of = [](const std::filesystem::path& file) {
    const auto content = read_file(file, 1024);
    REQUIRE(content);
    return std::string(as_text(*content));
  };
  for (const auto& name : {temporary, path}) {
    for (const bool hard : {false, true}) {
      std::filesystem::remove(name);
      if (hard) std::filesystem::create_hard_link(victim, name);
      else std::filesystem::create_symlink(victim, name);
      REQUIRE(device::replace_status_file(path, "{}\n"));
      CHECK(text_of(victim) == "untouched");
      CHECK(text_of(path) == "{}\n");
      CHECK_FALSE(std::filesystem::is_symlink(path));
      CHECK_FALSE(std::filesystem::exists(temporary));
    }
  }
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK_FALSE(device::replace_status_file(path, "x"));  // not a file
  CHECK_FALSE(std::filesystem::exists(temporary));
  CHECK(device::replace_status_file(folder.path() / "missing" / "status", "x").error().code == Errc::not_found);
}
