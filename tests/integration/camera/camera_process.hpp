// SPDX-License-Identifier: Apache-2.0
/// sealcam-camera as a process.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace sealcam::test {

/// The destructor kills the process. Its log goes to a file.
class CameraProcess {
 public:
  CameraProcess(std::filesystem::path log, std::vector<std::string> arguments)
      : log_(std::move(log)), arguments_(std::move(arguments)) {
    arguments_.insert(arguments_.begin(), SEALCAM_CAMERA);
  }
  CameraProcess(const CameraProcess&) = delete;
  CameraProcess& operator=(const CameraProcess&) = delete;
  ~CameraProcess() { (void)end(SIGKILL); }

  void start() {
    std::vector<char*> argv;
    for (auto& a : arguments_) argv.push_back(a.data());
    argv.push_back(nullptr);
    started_ = std::chrono::steady_clock::now();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ > 0) return;
    const int out = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  struct Ended {
    int code = -1;  ///< exit code, or 128 plus the signal
    std::chrono::milliseconds took{};
  };
  /// Sends the signal and waits for the end.
  Ended end(int signal) {
    if (pid_ > 0) ::kill(pid_, signal);
    return wait();
  }
  Ended wait() {
    if (pid_ <= 0) return {};
    const auto begun = std::chrono::steady_clock::now();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun)};
  }
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }
  [[nodiscard]] std::string log() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::filesystem::path log_;
  std::vector<std::string> arguments_;
  pid_t pid_ = -1;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace sealcam::test
