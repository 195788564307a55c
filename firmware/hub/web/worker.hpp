// SPDX-License-Identifier: Apache-2.0
/// One thread for what would keep the network thread from its work: decoding snapshots, loading a module.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace sealcam::hub::web {

/// Runs one job at a time, in order. The jobs that wait when it is destroyed do not run.
class Worker {
 public:
  using Job = std::move_only_function<void()>;
  static constexpr std::size_t max_waiting = 4;

  Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Waits for the job that runs.
  ~Worker();

  /// False, and the job is gone, when too many wait. Jobs throw nothing. Thread-safe.
  [[nodiscard]] bool submit(Job job);

 private:
  void work(const std::stop_token& stop);

  std::mutex mutex_;  // guards jobs_
  std::condition_variable_any changed_;
  std::deque<Job> jobs_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace sealcam::hub::web
