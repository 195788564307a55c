// SPDX-License-Identifier: Apache-2.0
/// RAUC, which verifies, downloads and writes bundles, and the restart of the board. Both are programs with an argument
/// vector; no shell reads it.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "update/release.hpp"

namespace sealcam::update {

/// What a program printed until its end.
struct Output {
  int code = 0;          ///< exit code; 128 + number of the signal that ended it
  std::string out, err;  ///< at most max_answer bytes each; the program's further output is dropped
};

/// Starts programs. Thread-bound.
class Commands {
 public:
  virtual ~Commands() = default;
  /// Runs a program, found by $PATH, without standard input, and waits for its end. After `timeout` (> 0) it is killed.
  /// Errors: io (it could not be started), timeout.
  [[nodiscard]] Result<Output> run(std::span<const std::string> arguments, std::chrono::seconds timeout) {
    SC_ASSERT(!arguments.empty() && timeout.count() > 0);
    return do_run(arguments, timeout);
  }

 private:
  [[nodiscard]] virtual Result<Output> do_run(std::span<const std::string> arguments, std::chrono::seconds timeout) = 0;
};

/// Programs of the operating system.
class SystemCommands final : public Commands {
 public:
  /// `alive` is called at least once a minute while a program runs.
  explicit SystemCommands(std::function<void()> alive = [] {}) : alive_(std::move(alive)) {}

 private:
  [[nodiscard]] Result<Output> do_run(std::span<const std::string> arguments, std::chrono::seconds timeout) override;
  std::function<void()> alive_;
};

/// Why something is not done.
struct Failure {
  bool rejected = false;  ///< the release must not be installed here: wrong signature, board or version
  std::string reason;     ///< for people, printable, at most max_shown bytes
  bool timeout = false;   ///< a program did not end in time
};

/// Thread-bound. All functions block.
class Rauc {
 public:
  explicit Rauc(Commands& commands) : commands_(commands) {}
  /// Reads and verifies the description of the bundle at the URL or path. Downloads the end of the bundle only.
  [[nodiscard]] std::expected<Release, Failure> inspect(const std::string& channel);
  /// Downloads the bundle whose manifest has this hash, verifies it and writes it to the slot that does not run. Takes
  /// minutes, but does nothing if the last call was successful for this hash. Returns the name of the slot. If it
  /// fails, no installation continues.
  [[nodiscard]] std::expected<std::string, Failure> install(const std::string& channel, const std::string& hash);
  [[nodiscard]] std::expected<Slots, Failure> slots();
  /// From now on, each ordinary start selects the running slot.
  [[nodiscard]] std::expected<void, Failure> select_running();
  /// Restarts the board: the other slot once, or the selected one. Returns before the restart.
  [[nodiscard]] std::expected<void, Failure> restart(bool into_trial);

 private:
  [[nodiscard]] std::expected<std::string, Failure> run(const std::vector<std::string>& arguments,
                                                        std::chrono::seconds timeout);
  [[nodiscard]] std::expected<void, Failure> download(const std::string& channel);
  void end_installation();
  Commands& commands_;
  std::string installed_;  ///< hash of the manifest in the other slot; empty: unknown
};

}  // namespace sealcam::update
