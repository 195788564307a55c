// SPDX-License-Identifier: Apache-2.0
/// Checks signature and AEAD of sealed frames. This is the hub's largest cost, so several threads do it. CameraWatch
/// then decides whether an accepted frame may be shown.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "crypto/sframe.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"

namespace sealcam::watch {

using protocol::Epoch;

/// Whether an opened access unit is the picture that its header describes. Thread-safe.
using PictureRule = bool (*)(ByteView access_unit, int width, int height, bool key) noexcept;

/// The keys and the rule for the frames of one camera. Immutable, shared with the verifying threads.
struct CameraKeys {
  protocol::FrameOpener opener;
  crypto::Verifier verifier;
  PictureRule rule = nullptr;  ///< null: no rule
};

/// Identifies the queue of one camera at a checker.
enum class VerificationQueue : std::uint64_t {};

/// One frame, before and after its check. Its buffers are reused; views point into `message` and `plain`.
struct FrameCheck {
  Bytes message;
  std::optional<protocol::FrameView> frame;
  std::shared_ptr<const CameraKeys> camera;
  std::shared_ptr<const crypto::sframe::OpeningKey> key;  ///< null: only the signature is checked, then not_decryptable
  BootTime received;
  bool retained = false;

  Bytes plain;
  protocol::FrameHeader header;
  ByteView content;  ///< access unit or report; valid only without a rejection
  std::optional<protocol::RejectReason> rejection;
};

/// Checks one frame: sets header and content, or rejection. Thread-safe for different frames.
void check_frame(FrameCheck& frame);

/// Receives frames and returns them checked, in the order of their queue. Calls the handlers inside drain() only.
/// Thread-bound to the network thread.
class FrameChecker {
 public:
  using Handler = std::function<void(FrameCheck&)>;

  virtual ~FrameChecker() = default;
  [[nodiscard]] VerificationQueue add_queue(Handler handler) { return do_add_queue(std::move(handler)); }
  /// Drops the frames of the queue, and does not call its handler again.
  void remove_queue(VerificationQueue queue) { do_remove_queue(queue); }

  /// Returns an empty frame, with buffers that may have been used before.
  [[nodiscard]] std::unique_ptr<FrameCheck> make() { return do_make(); }
  /// `frame->frame` must be set, and `frame->message` must not change any more. Returns how many frames of a full
  /// queue were dropped.
  std::size_t submit(VerificationQueue queue, std::unique_ptr<FrameCheck> frame) {
    return do_submit(queue, std::move(frame));
  }
  /// Passes checked frames to their handlers.
  void drain() { do_drain(); }

 private:
  virtual VerificationQueue do_add_queue(Handler handler) = 0;
  virtual void do_remove_queue(VerificationQueue queue) = 0;
  virtual std::unique_ptr<FrameCheck> do_make() = 0;
  virtual std::size_t do_submit(VerificationQueue queue, std::unique_ptr<FrameCheck> frame) = 0;
  virtual void do_drain() = 0;
};

/// Keeps frames for reuse of their buffers. Thread-bound.
class FrameStock {
 public:
  [[nodiscard]] std::unique_ptr<FrameCheck> take();
  void put(std::unique_ptr<FrameCheck> frame);

 private:
  static constexpr std::size_t max_frames = 16;
  static constexpr std::size_t max_buffer = 512U << 10;  ///< a frame with a larger buffer is not kept
  std::vector<std::unique_ptr<FrameCheck>> free_;
};

/// Frames of one camera whose grants have not arrived yet, the oldest first. Thread-bound.
class HeldFrames {
 public:
  static constexpr std::chrono::seconds max_age{1};
  static constexpr std::size_t max_bytes = 2U << 20;

  void add(std::unique_ptr<FrameCheck> frame);
  /// Removes the frames of `epoch`.
  [[nodiscard]] std::vector<std::unique_ptr<FrameCheck>> take(Epoch epoch);
  /// Removes the oldest frame if it, or the sum of the sizes, exceeds a limit. Otherwise returns null.
  [[nodiscard]] std::unique_ptr<FrameCheck> take_excess(BootTime now);
  void clear() noexcept;

 private:
  std::deque<std::unique_ptr<FrameCheck>> frames_;
  std::size_t bytes_ = 0;
};

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
