// SPDX-License-Identifier: Apache-2.0
/// Checks frames on several threads. Results keep the order of their lane; lanes take turns, so a busy or flooded
/// camera cannot starve another.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "watch/frame_checker.hpp"

namespace sealcam::watch {

/// FrameChecker's calls are for the network thread; the threads of the pool are its own. `wake` is called from those
/// threads, once until the next drain(), and must lead to a drain() on the network thread. Destroy the pool
/// before what `wake` refers to.
class VerifyPool final : public FrameChecker {
 public:
  /// Bounds of one lane. When a frame would pass them whole groups go, oldest first; what a worker holds stays. What
  /// is missing then looks like any other gap: the camera's stream goes on at a key frame.
  static constexpr std::size_t max_frames = 64;
  static constexpr std::size_t max_bytes = 4U << 20;

  /// `threads` 0: one less than the machine has cores, at least one.
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
  struct LaneState {
    Handler handler;
    std::deque<std::unique_ptr<Slot>> slots;  ///< oldest first
    std::size_t queued = 0;
    std::size_t bytes = 0;  ///< of all slots
  };

  Lane do_add_lane(Handler handler) override;
  void do_remove_lane(Lane lane) override;
  std::unique_ptr<FrameCheck> do_make() override;
  std::size_t do_submit(Lane lane, std::unique_ptr<FrameCheck> frame) override;
  void do_drain() override;

  void work(const std::stop_token& stop);
  [[nodiscard]] Slot* next_queued();
  std::size_t make_room(LaneState& lane, std::size_t bytes);
  std::size_t drop_oldest_group(LaneState& lane);
  [[nodiscard]] bool ready_locked() const;

  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable_any work_;
  std::map<Lane, LaneState> lanes_;
  std::vector<std::unique_ptr<Slot>> orphans_;  ///< still held by a worker, their lane is gone
  FrameStock stock_;
  std::size_t queued_ = 0;
  Lane last_served_{};
  std::uint64_t next_lane_ = 1;
  bool woken_ = false;
  std::vector<std::jthread> workers_;  // last: they use everything above
};

}  // namespace sealcam::watch
