// SPDX-License-Identifier: Apache-2.0
/// Threads that read recordings. They may wait for a disk or for a slow client, so they are neither the network thread
/// nor the worker of snapshots.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hub/web/server_shared.hpp"

namespace sealcam::hub::web {

/// Runs jobs on up to `max_threads` threads, which start with the first jobs. A stream uses its thread to its end, so
/// that a reader stays on one thread; two threads are always left for other jobs. The threads have a low priority,
/// because live pictures are more important. Thread-safe.
class RecordingPool {
 public:
  using Job = std::move_only_function<void()>;
  static constexpr std::size_t max_streams = 4;  ///< running and waiting
  static constexpr std::size_t max_threads = max_streams + 2;
  static constexpr std::size_t max_waiting = 16;  ///< other jobs
  static constexpr int nice = 5;

  RecordingPool() = default;
  RecordingPool(const RecordingPool&) = delete;
  RecordingPool& operator=(const RecordingPool&) = delete;
  /// Waits for the running jobs and destroys the others. Streams must be closed before.
  ~RecordingPool();

  /// Returns false and destroys the job if too many jobs wait. A job must not throw.
  [[nodiscard]] bool submit(Job job);
  /// Returns false and destroys the job if there are `max_streams` streams.
  [[nodiscard]] bool submit_stream(Job job);

 private:
  void start_thread();
  void work(const std::stop_token& stop);
  [[nodiscard]] bool has_job() const noexcept { return !jobs_.empty() || !streams_.empty(); }

  std::mutex mutex_;  // guards the members up to threads_
  std::condition_variable_any changed_;
  std::deque<Job> jobs_, streams_;
  std::size_t stream_count_ = 0;  // running and waiting
  std::size_t idle_ = 0;
  std::vector<std::jthread> threads_;
};

/// The way of a stream's bytes from its thread to the network thread, in memory for one chunk. The thread waits until
/// the network thread took the last chunk.
class StreamPipe {
 public:
  /// `ready` runs on the network thread after each push() and after finish().
  StreamPipe(NetworkPost post, std::function<void()> ready) : post_(std::move(post)), ready_(std::move(ready)) {}

  /// Waits until the last chunk was taken. False after close(): the client ended.
  [[nodiscard]] bool push(Bytes chunk);
  /// No chunk follows.
  void finish(Result<> result);

  /// Nothing if no chunk waits.
  [[nodiscard]] std::optional<Bytes> take();
  /// Nothing while chunks wait or may follow.
  [[nodiscard]] std::optional<Result<>> result();
  void close();

 private:
  std::mutex mutex_;  // guards the members up to closed_
  std::condition_variable changed_;
  std::optional<Bytes> chunk_;
  std::optional<Result<>> result_;
  bool closed_ = false;
  NetworkPost post_;
  std::function<void()> ready_;
};

}  // namespace sealcam::hub::web
