// SPDX-License-Identifier: Apache-2.0
/// Runs a function for many indices on all cores.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace sealcam::incident {

/// Calls make(0) to make(count - 1) on several threads. Throws the first exception again.
template <class Make>
void in_parallel(std::size_t count, const Make& make) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) make(i);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  {
    std::vector<std::jthread> threads;
    const unsigned cores = std::thread::hardware_concurrency();
    for (unsigned i = 1; i < cores && i < 8; ++i) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sealcam::incident
