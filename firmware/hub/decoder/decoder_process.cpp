// SPDX-License-Identifier: Apache-2.0
#include "hub/decoder/decoder.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace sealcam::hub::decoder {

namespace {

using std::chrono::steady_clock;

/// The variables that find and control libraries. The others may contain paths of secrets.
std::vector<char*> child_environment() {
  static constexpr std::array<std::string_view, 6> names{
      "SEALCAM_MODULE_PATH=", "LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "TSAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};
  std::vector<char*> out;
  for (char** variable = environ; *variable != nullptr; ++variable)
    for (const auto name : names)
      if (std::string_view(*variable).starts_with(name)) out.push_back(*variable);
  out.push_back(nullptr);
  return out;
}

/// posix_spawn(3) of a process whose only file is `socket`, as standard input, until it loaded its libraries also
/// standard error.
class Spawn {
 public:
  explicit Spawn(int socket) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_adddup2(&actions_, socket, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t none{};
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  [[nodiscard]] Result<pid_t> run(const std::filesystem::path& program) const {
    std::string name = program.string(), argument = child_argument;
    std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
    auto environment = child_environment();
    pid_t pid = 0;
    if (const int rc = ::posix_spawn(&pid, name.c_str(), &actions_, &attributes_, arguments.data(), environment.data());
        rc != 0)
      return fail(Errc::io, "starting the decoder", rc);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// A running decoder. Its destructor kills it and waits for its end.
class Child {
 public:
  [[nodiscard]] static Result<Child> start(const std::filesystem::path& program, steady_clock::time_point until) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      return fail(Errc::io, "making the socket of the decoder", errno);
    UniqueFd own(ends[0]);
    const UniqueFd other(ends[1]);
    const auto pid = Spawn(other.get()).run(program);
    if (!pid) return std::unexpected(pid.error());
    return Child(*pid, std::move(own), until);
  }
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), socket_(std::move(other.socket_)), until_(other.until_) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  Result<> send(ByteView bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
      else if (auto r = proceed(POLLOUT); !r) return r;
    }
    return {};
  }
  Result<> receive(MutableBytes out) {
    while (!out.empty()) {
      const auto n = ::recv(socket_.get(), out.data(), out.size(), MSG_DONTWAIT);
      if (n == 0) return fail(Errc::io, "the decoder ended without an answer");
      if (n > 0) out = out.subspan(static_cast<std::size_t>(n));
      else if (auto r = proceed(POLLIN); !r) return r;
    }
    return {};
  }

 private:
  Child(pid_t pid, UniqueFd socket, steady_clock::time_point until)
      : pid_(pid), socket_(std::move(socket)), until_(until) {}

  /// After a call that failed with errno: waits for the event, or fails.
  Result<> proceed(short event) {
    if (errno == EPIPE || errno == ECONNRESET) return fail(Errc::io, "the decoder ended without an answer");
    if (errno != EAGAIN && errno != EINTR) return fail(Errc::io, "exchanging data with the decoder", errno);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - steady_clock::now());
    if (left.count() <= 0) return fail(Errc::io, "the decoder took too long");
    pollfd wait{socket_.get(), event, 0};
    (void)::poll(&wait, 1, static_cast<int>(left.count()));
    return {};
  }

  pid_t pid_;
  UniqueFd socket_;
  steady_clock::time_point until_;
};

Result<> send_group(Child& child, std::span<const ByteView> group) {
  std::array<std::byte, 4> number{};
  const auto send_number = [&](std::size_t value) {
    store_be(MutableBytes(number), static_cast<std::uint32_t>(value));
    return child.send(number);
  };
  if (auto r = send_number(group.size()); !r) return r;
  for (const auto unit : group) {
    if (auto r = send_number(unit.size()); !r) return r;
    if (auto r = child.send(unit); !r) return r;
  }
  return {};
}

/// The decoder may be under control of a camera, so only these errors and this size are accepted.
Result<Bytes> receive_still(Child& child) {
  std::array<std::byte, answer_size> head{};
  if (auto r = child.receive(head); !r) return std::unexpected(r.error());
  const ByteView in(head);
  const auto error = load_be<std::uint32_t>(in);
  for (const auto code : {Errc::unsupported, Errc::no_memory})
    if (error == static_cast<std::uint32_t>(code) + 1)
      return fail(code, "decoding a snapshot", static_cast<int>(load_be<std::uint32_t>(in.subspan(4))));
  if (error != 0)
    return fail(Errc::malformed, "decoding a snapshot", static_cast<int>(load_be<std::uint32_t>(in.subspan(4))));
  const auto size = load_be<std::uint32_t>(in.subspan(8));
  if (size > max_jpeg) return fail(Errc::malformed, "size of a decoded snapshot");
  Bytes jpeg(size);
  if (auto r = child.receive(jpeg); !r) return std::unexpected(r.error());
  if (size < 2 || jpeg[0] != std::byte{0xff} || jpeg[1] != std::byte{0xd8})
    return fail(Errc::malformed, "a decoded snapshot that is no JPEG");
  return jpeg;
}

}  // namespace

class DecoderProcesses::Builder final : public hal::StillBuilder {
 public:
  Builder(std::filesystem::path program, std::chrono::milliseconds timeout)
      : program_(std::move(program)), timeout_(timeout) {}

 private:
  Result<Bytes> do_make(std::span<const ByteView> group) override {
    std::size_t total = 0;
    for (const auto unit : group) total += unit.size();
    if (total > max_request || group.size() > max_units) return fail(Errc::malformed, "a group that is too large");
    auto child = Child::start(program_, steady_clock::now() + timeout_);
    if (!child) return std::unexpected(child.error());
    if (auto r = send_group(*child, group); !r) return std::unexpected(r.error());
    return receive_still(*child);
  }

  std::filesystem::path program_;
  std::chrono::milliseconds timeout_;
};

Result<std::unique_ptr<hal::StillBuilder>> DecoderProcesses::do_open_still_builder() {
  return std::make_unique<Builder>(program_, timeout_);
}

}  // namespace sealcam::hub::decoder
