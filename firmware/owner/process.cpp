// SPDX-License-Identifier: Apache-2.0
#include "owner/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <format>

namespace sealcam::owner {

Outcome<> run_self(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"sealcam"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int status = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) return failure(EX_OSERR, std::format("Cannot run this program again: {}", std::strerror(status)));

  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0)
    if (errno != EINTR) return failure(EX_OSERR, "Lost sight of a process of our own");
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return {};
  return failure(WIFEXITED(ended) ? WEXITSTATUS(ended) : EX_SOFTWARE, "");
}

}  // namespace sealcam::owner
