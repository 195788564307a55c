// SPDX-License-Identifier: Apache-2.0
/// Signature and AEAD of frames: the hub's largest cost, so done on all cores. What leaves here without a refusal
/// was signed by the camera and opened; whether it may be shown is for CameraWatch to say.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/clock.hpp"
#include "crypto/sframe.hpp"
#include "protocol/frame.hpp"
#include "watch/refusal.hpp"

namespace sealcam::watch {

/// What checking the frames of one camera takes. Immutable, shared with the verifying threads.
struct CameraKeys {
  protocol::FrameOpener opener;
  crypto::Verifier verifier;
};

/// Identifies one camera of one hub at a checker.
enum class Lane : std::uint64_t {};

/// One frame on its way. Its buffers are used again; views point into `message` and `plain`.
struct FrameCheck {
  Bytes message;
  std::optional<protocol::FrameView> frame;
  std::shared_ptr<const CameraKeys> camera;
  std::shared_ptr<const crypto::sframe::OpeningKey> key;  ///< null: the signature is checked, then not_decryptable
  MonotonicTime received;
  bool retained = false;

  Bytes plain;
  protocol::FrameHeader header;
  ByteView content;  ///< access unit or report; meaningful without a refusal only
  std::optional<Refusal> refusal;
};

/// Does the work for one frame: sets header and content, or refusal. Thread-safe for different frames.
void check_frame(FrameCheck& frame);

/// Takes frames in and gives them back checked, in order for each lane. Thread-bound to the network thread;
/// handlers run within drain() only.
class FrameChecker {
 public:
  using Handler = std::function<void(FrameCheck&)>;

  virtual ~FrameChecker() = default;
  [[nodiscard]] Lane add_lane(Handler handler) { return do_add_lane(std::move(handler)); }
  /// Its frames are forgotten; the handler is not called again.
  void remove_lane(Lane lane) { do_remove_lane(lane); }

  /// An empty one whose buffers may have been used before.
  [[nodiscard]] std::unique_ptr<FrameCheck> make() { return do_make(); }
  /// `frame` must be set, and `message` not touched any more. Returns how many waiting frames of this lane had to go.
  std::size_t submit(Lane lane, std::unique_ptr<FrameCheck> frame) { return do_submit(lane, std::move(frame)); }
  /// Hands out what is finished.
  void drain() { do_drain(); }

 private:
  virtual Lane do_add_lane(Handler handler) = 0;
  virtual void do_remove_lane(Lane lane) = 0;
  virtual std::unique_ptr<FrameCheck> do_make() = 0;
  virtual std::size_t do_submit(Lane lane, std::unique_ptr<FrameCheck> frame) = 0;
  virtual void do_drain() = 0;
};

/// Buffers for frames, to be used again. Thread-bound.
class FrameStock {
 public:
  [[nodiscard]] std::unique_ptr<FrameCheck> take();
  void put(std::unique_ptr<FrameCheck> frame);

 private:
  static constexpr std::size_t most = 16;
  static constexpr std::size_t largest = 512U << 10;  ///< a frame that needed more gives its memory back
  std::vector<std::unique_ptr<FrameCheck>> free_;
};

}  // namespace sealcam::watch
