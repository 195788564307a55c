// SPDX-License-Identifier: Apache-2.0
// The file of the access tokens, and the socket on which a browser's user receives a code.
#include "hub/access/access.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "hub/access/open_socket.hpp"
#include "support/no_descriptors.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hub::access;
namespace fs = std::filesystem;

namespace {

Token token(std::string name, std::string_view secret, bool browser = false) {
  return {std::move(name),           Rights::view, hash_of(secret).value(), {std::chrono::seconds(5)},
          {std::chrono::seconds(6)}, browser};
}

TokenChange add(const Token& one) {
  return [one](Tokens& tokens) -> Result<> {
    tokens.push_back(one);
    return {};
  };
}

mode_t mode_of(const fs::path& path) {
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777U;
}

}  // namespace

TEST_CASE("the file contains the hashes of tokens, never a token, and only its owner can read it") {
  REQUIRE(crypto::init());
  test::TemporaryFolder folder;
  TokenFile file(folder.path());
  const auto secret = make_secret().value();
  REQUIRE(file.update(add(token("player", secret))));
  const auto path = folder.path() / "access.json";
  const auto bytes = read_file(path, 10'000).value();
  const auto text = as_text(bytes);
  CHECK_FALSE(text.contains(secret));
  CHECK(text.contains(to_base64url(hash_of(secret).value())));  // control
  CHECK(mode_of(path) == 0600);
  CHECK(mode_of(folder.path() / "access.lock") == 0600);
}

TEST_CASE("a change by another process is noticed, and no change is lost") {
  REQUIRE(crypto::init());
  test::TemporaryFolder folder;
  TokenFile hub(folder.path()), command(folder.path());
  CHECK(hub.read_if_changed().value().value().empty());
  CHECK_FALSE(hub.read_if_changed().value());
  REQUIRE(command.update(add(token("a", "1"))));
  const auto seen = hub.read_if_changed().value().value();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].name == "a");
  CHECK(seen[0].rights == Rights::view);
  CHECK(seen[0].created == CaptureTime{std::chrono::seconds(5)});
  CHECK(seen[0].used == CaptureTime{std::chrono::seconds(6)});
  REQUIRE(hub.update(add(token("b", "2", true))));
  CHECK_FALSE(hub.read_if_changed().value());
  REQUIRE(command.update(add(token("c", "3"))));
  CHECK(hub.read_if_changed().value().value().size() == 3);
  fs::remove(folder.path() / "access.json");
  CHECK(hub.read_if_changed().value().value().empty());
}

TEST_CASE("a failed change leaves the file as it was") {
  REQUIRE(crypto::init());
  test::TemporaryFolder folder;
  TokenFile file(folder.path());
  REQUIRE(file.update(add(token("a", "1"))));
  const auto before = read_file(folder.path() / "access.json", 10'000).value();
  CHECK(file.update([](Tokens& tokens) -> Result<> {
              tokens.clear();
              return fail(Errc::exists, "test");
            })
            .error()
            .code == Errc::exists);
  CHECK(read_file(folder.path() / "access.json", 10'000).value() == before);
}

TEST_CASE("a damaged file of tokens is an error") {
  REQUIRE(crypto::init());
  test::TemporaryFolder folder;
  const auto good = to_json({token("a", "1")});
  REQUIRE(parse_tokens(good));
  const auto changed = [&](std::string_view from, std::string_view to) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const auto& text : {std::string(), std::string("{}"), good.substr(0, good.size() / 2),
                           changed("\"view\"", "\"all\""), changed("\"a\"", "\"\""),
                           changed("\"version\": 1", "\"version\": 2"), changed("\"hash\": \"", "\"hash\": \"AA"),
                           changed("\"created\": 5", "\"created\": -5"), changed("\"browser\"", "\"admin\"")}) {
    CAPTURE(text);
    CHECK_FALSE(parse_tokens(text));
    std::ofstream(folder.path() / "access.json") << text;
    TokenFile file(folder.path());
    CHECK_FALSE(file.read_if_changed());
    CHECK_FALSE(file.update(add(token("b", "2"))));
  }
  CHECK_FALSE(parse_tokens(to_json({token("a", "1"), token("b", "1")})));  // one token twice
  Tokens many;
  for (std::size_t i = 0; i <= max_tokens + max_browsers; ++i) many.push_back(token("a", std::to_string(i)));
  CHECK_FALSE(parse_tokens(to_json(many)));
}

TEST_CASE("names of tokens") {
  for (const auto* good : {"a", "Home Assistant", "user@host", "grafana-2.x_y"}) CHECK(is_name(good));
  for (const auto* bad : {"", " a", "a ", "a\nb", "a\"b", "\xc3\xa4", "a/b"}) CHECK_FALSE(is_name(bad));
  CHECK(is_name(std::string(64, 'a')));
  CHECK_FALSE(is_name(std::string(65, 'a')));
}

TEST_CASE("the socket gives an address to a client, and its mode keeps other users out") {
  // Longer than the address of a socket can be.
  test::TemporaryFolder folder;
  const auto deep = folder.path() / std::string(120, 'd');
  fs::create_directory(deep);
  const auto path = deep / "open.socket";
  boost::asio::io_context io;
  auto socket = OpenSocket::open(io, path, false, [](std::string_view name) {
    return name == "nobody" ? std::string() : "http://127.0.0.1/" + std::string(name);
  });
  REQUIRE(socket);
  CHECK(mode_of(path) == 0600);
  const auto work = boost::asio::make_work_guard(io);
  std::jthread network([&] { io.run(); });
  CHECK(request_address(path, "alice").value() == "http://127.0.0.1/alice");
  CHECK(request_address(path, std::string(500, 'a')).error().code != Errc::not_found);
  CHECK(request_address(path, "bob").value() == "http://127.0.0.1/bob");
  CHECK(request_address(path, "nobody").error().code == Errc::exhausted);
  io.stop();
  network.join();
  socket->reset();
  CHECK(request_address(path, "alice").error().code == Errc::not_found);
}

TEST_CASE("only root names another user at the socket") {
  const std::string own = ::getpwuid(1)->pw_name;
  CHECK(user_of_peer(0, "alice") == "alice");
  CHECK(user_of_peer(0, "") == "root");
  CHECK(user_of_peer(1, "alice") == own);
  CHECK(user_of_peer(1, own) == own);
  CHECK(user_of_peer(54'321, "alice") == "user 54321");

  // The name reaches the hub from the kernel. Another user's process cannot be made here without root.
  if (::geteuid() != 0) SKIP("needs root");
  test::TemporaryFolder folder;
  const auto path = folder.path() / "open.socket";
  boost::asio::io_context io;
  auto socket = OpenSocket::open(io, path, true, [](std::string_view name) { return std::string(name); });
  REQUIRE(socket);
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  REQUIRE(::chmod(path.c_str(), 0666) == 0);
  const auto work = boost::asio::make_work_guard(io);
  std::jthread network([&] { io.run(); });
  CHECK(request_address(path, "alice").value() == "alice");  // control
  if (::seteuid(1) == 0) {  // of this process; glibc changes all threads, and the thread of the socket needs no rights
    const auto answer = request_address(path, "alice");
    CHECK(::seteuid(0) == 0);
    CHECK(answer.value_or("no answer") == own);
  }
  io.stop();
}

TEST_CASE("root acts as the owner of a folder, without its own groups") {
  if (::geteuid() != 0) SKIP("needs root");
  test::TemporaryFolder folder;
  if (::chown(folder.path().c_str(), 1, 2) != 0) SKIP("this kernel does not permit it here");
  const auto groups = [] {
    std::vector<gid_t> all(static_cast<std::size_t>(::getgroups(0, nullptr)));
    all.resize(static_cast<std::size_t>(::getgroups(static_cast<int>(all.size()), all.data())));
    return all;
  };
  const auto before = groups();
  {
    const AsOwner owner(folder.path());
    if (::geteuid() == 0) SKIP("this kernel does not permit it here");
    CHECK(::geteuid() == 1);
    CHECK(::getegid() == 2);
    CHECK(groups() == std::vector<gid_t>{2});
  }
  CHECK(::geteuid() == 0);
  CHECK(::getegid() == 0);
  CHECK(groups() == before);
}

TEST_CASE("a new socket replaces the one of a hub that was killed, but no other file") {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "open.socket";
  boost::asio::io_context io;
  const auto answer = [](std::string_view) { return std::string(); };
  auto killed = OpenSocket::open(io, path, false, answer);
  REQUIRE(killed);
  auto next = OpenSocket::open(io, path, true, answer);
  REQUIRE(next);
  CHECK(mode_of(path) == 0660);
  const auto file = folder.path() / "file";
  std::ofstream(file) << "kept";
  CHECK_FALSE(OpenSocket::open(io, file, false, answer));
  CHECK(fs::file_size(file) == 4);
}

TEST_CASE("without free file descriptors the socket waits before it accepts again") {
  using boost::asio::local::stream_protocol;
  test::TemporaryFolder folder;
  const auto path = folder.path() / "open.socket";
  boost::asio::io_context io;
  bool answered = false;
  auto socket = OpenSocket::open(io, path, false, [&](std::string_view) {
    answered = true;
    return std::string();
  });
  REQUIRE(socket);
  stream_protocol::socket client(io);
  client.connect(stream_protocol::endpoint(path.string()));
  REQUIRE(client.send(boost::asio::buffer("alice\n", 6)) == 6);
  {
    const test::NoDescriptors none;
    CHECK(io.run_for(std::chrono::milliseconds(250)) < 20);  // handlers; a busy loop runs thousands
    CHECK_FALSE(answered);
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!answered && io.run_one_until(until) > 0) {
  }
  CHECK(answered);
}
