// SPDX-License-Identifier: Apache-2.0
#include "hub/web/worker.hpp"

#include <pthread.h>

namespace sealcam::hub::web {

Worker::Worker() : thread_([this](const std::stop_token& stop) { work(stop); }) {
  ::pthread_setname_np(thread_.native_handle(), "media");
}

Worker::~Worker() {
  thread_.request_stop();
  thread_.join();
}

bool Worker::submit(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (jobs_.size() >= max_waiting) return false;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Worker::work(const std::stop_token& stop) {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
      if (stop.stop_requested()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace sealcam::hub::web
