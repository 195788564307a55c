// SPDX-License-Identifier: Apache-2.0
/// Checks signature and AEAD of sealed frames. This is the hub's largest cost, so several threads do it. CameraWatch
/// then decides whether an accepted frame may be shown.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

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
  /// `frame->frame` must be set, and `frame->message` must not change any more. Returns how many frames were dropped to
  /// make room.
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

}  // namespace sealcam::watch
