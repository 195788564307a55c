// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "base/file.hpp"
#include "update/rauc.hpp"

namespace sealcam::update {

namespace {

using std::chrono::steady_clock;

/// The reading and the writing end of a pipe.
std::optional<std::pair<UniqueFd, UniqueFd>> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

/// The destructor kills the program and waits for its end.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    (void)wait();
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

Result<pid_t> spawn(std::span<const std::string> arguments, int out, int err) {
  std::vector<std::string> copies(arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(copies.size() + 1);
  for (auto& copy : copies) argv.push_back(copy.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t pid = 0;
  const int rc = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) return std::unexpected(located({Errc::io, rc, "starting a program"}, arguments[0]));
  return pid;
}

/// Reads what is there. Returns false at the end.
bool read_some(int fd, std::string& text) {
  std::array<char, 4096> block;
  const auto n = ::read(fd, block.data(), block.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  const auto room = max_answer - std::min(max_answer, text.size());
  text.append(block.data(), std::min(room, static_cast<std::size_t>(n)));
  return n > 0;
}

}  // namespace

Result<Output> SystemCommands::do_run(std::span<const std::string> arguments, std::chrono::seconds timeout) {
  auto out = make_pipe(), err = make_pipe();
  if (!out || !err) return fail(Errc::io, "making a pipe", errno);
  const auto pid = spawn(arguments, out->second.get(), err->second.get());
  if (!pid) return std::unexpected(pid.error());
  Child child(*pid);
  out->second.reset();
  err->second.reset();
  Output output;
  const auto end = steady_clock::now() + timeout;
  std::array<pollfd, 2> files{{{out->first.get(), POLLIN, 0}, {err->first.get(), POLLIN, 0}}};
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    alive_();
    if (left <= 0) return std::unexpected(located({Errc::timeout, 0, "a program did not end in time"}, arguments[0]));
    if (::poll(files.data(), files.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000))) < 0) continue;
    if (files[0].revents != 0 && !read_some(files[0].fd, output.out)) files[0].fd = -1;
    if (files[1].revents != 0 && !read_some(files[1].fd, output.err)) files[1].fd = -1;
  }
  output.code = child.wait();
  return output;
}

}  // namespace sealcam::update
