// SPDX-License-Identifier: Apache-2.0
#include "hub/web/recording_pool.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sealcam::hub::web {

RecordingPool::~RecordingPool() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();  // joins
}

bool RecordingPool::submit(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (jobs_.size() >= max_waiting) return false;
    jobs_.push_back(std::move(job));
    start_thread();
  }
  changed_.notify_one();
  return true;
}

bool RecordingPool::submit_stream(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stream_count_ >= max_streams) return false;
    ++stream_count_;
    streams_.push_back(std::move(job));
    start_thread();
  }
  changed_.notify_one();
  return true;
}

// A hub without clients of recordings has no thread for them.
void RecordingPool::start_thread() {
  if (jobs_.size() + streams_.size() <= idle_ || threads_.size() >= max_threads) return;
  threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

void RecordingPool::work(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "recordings");
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);  // on Linux, of this thread
  while (true) {
    Job job;
    bool stream = false;
    {
      std::unique_lock lock(mutex_);
      ++idle_;
      changed_.wait(lock, stop, [this] { return has_job(); });
      --idle_;
      if (stop.stop_requested()) return;
      stream = jobs_.empty();
      auto& queue = stream ? streams_ : jobs_;
      job = std::move(queue.front());
      queue.pop_front();
    }
    job();
    job = nullptr;
    if (!stream) continue;
    const std::scoped_lock lock(mutex_);
    --stream_count_;
  }
}

bool StreamPipe::push(Bytes chunk) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !chunk_; });
    if (closed_) return false;
    chunk_ = std::move(chunk);
  }
  post_(ready_);
  return true;
}

void StreamPipe::finish(Result<> result) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return;
    result_ = std::move(result);
  }
  post_(ready_);
}

std::optional<Bytes> StreamPipe::take() {
  const std::scoped_lock lock(mutex_);
  auto chunk = std::exchange(chunk_, std::nullopt);
  if (chunk) changed_.notify_one();
  return chunk;
}

std::optional<Result<>> StreamPipe::result() {
  const std::scoped_lock lock(mutex_);
  return chunk_ ? std::nullopt : result_;
}

void StreamPipe::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  chunk_.reset();
  changed_.notify_one();
}

}  // namespace sealcam::hub::web
