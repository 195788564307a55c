// SPDX-License-Identifier: Apache-2.0
/// Checks frames on several threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "watch/frame_checker.hpp"

namespace sealcam::watch {

/// Results keep the order of their queue. The queues take turns, so that a busy or flooded camera does not delay
/// another one. Call the functions of FrameChecker on the network thread. The pool calls `wake` on its own threads,
/// once until the next drain(). `wake` must cause a drain() on the network thread. Destroy the pool before the objects
/// that `wake` uses.
class VerifyPool final : public FrameChecker {
 public:
  /// Bounds of one queue. If a frame exceeds them, the pool drops whole groups of pictures, the oldest first, but not
  /// the frames that a worker checks. The stream then continues at a key frame, as after any other gap.
  static constexpr std::size_t max_frames = 64;
  static constexpr std::size_t max_bytes = 4U << 20;

  /// `threads` 0: the number of cores minus one, at least one.
  VerifyPool(unsigned threads, std::function<void()> wake);
  VerifyPool(const VerifyPool&) = delete;
  VerifyPool& operator=(const VerifyPool&) = delete;
  ~VerifyPool() override;
  [[nodiscard]] unsigned threads() const noexcept { return static_cast<unsigned>(workers_.size()); }

 private:
  struct Slot {
    enum class State : std::uint8_t { queued, running, done } state = State::queued;
    std::unique_ptr<FrameCheck> frame;
  };
  struct QueueState {
    Handler handler;
    std::deque<std::unique_ptr<Slot>> slots;  ///< oldest first
    std::size_t queued = 0;
    std::size_t bytes = 0;  ///< of all slots
  };

  VerificationQueue do_add_queue(Handler handler) override;
  void do_remove_queue(VerificationQueue queue) override;
  std::unique_ptr<FrameCheck> do_make() override;
  std::size_t do_submit(VerificationQueue queue, std::unique_ptr<FrameCheck> frame) override;
  void do_drain() override;

  void work(const std::stop_token& stop);
  [[nodiscard]] Slot* next_queued();
  std::size_t make_room(QueueState& queue, std::size_t bytes);
  std::size_t drop_oldest_group(QueueState& queue);
  [[nodiscard]] bool ready_locked() const;

  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable_any work_;
  std::map<VerificationQueue, QueueState> queues_;
  std::vector<std::unique_ptr<Slot>> orphans_;  ///< in use by a worker; their queue was removed
  FrameStock stock_;
  std::size_t queued_ = 0;
  VerificationQueue last_served_{};
  std::uint64_t next_queue_ = 1;
  bool woken_ = false;
  std::vector<std::jthread> workers_;  // last: they use the members above
};

}  // namespace sealcam::watch
