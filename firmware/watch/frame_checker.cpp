// SPDX-License-Identifier: Apache-2.0
#include "watch/frame_checker.hpp"

#include <utility>

namespace sealcam::watch {

using protocol::RejectReason;

static std::optional<RejectReason> check(FrameCheck& f) {
  SC_ASSERT(f.frame && f.camera);
  if (auto r = f.camera->opener.verify(*f.frame, f.camera->verifier); !r)
    return r.error().code == Errc::wrong_key ? RejectReason::wrong_account : RejectReason::bad_signature;
  if (!f.key) return RejectReason::not_decryptable;
  if (f.plain.size() < f.frame->sealed.size()) f.plain.resize(f.frame->sealed.size());
  const auto opened = f.camera->opener.open(f.plain, *f.frame, *f.key);
  if (!opened) {
    const auto code = opened.error().code;
    return code == Errc::malformed || code == Errc::unsupported ? RejectReason::malformed
                                                                : RejectReason::not_decryptable;
  }
  const bool picture = f.frame->kind != protocol::FrameKind::report;
  if (picture != (opened->header.codec == protocol::Codec::h264_annex_b) || (picture && opened->content.empty()))
    return RejectReason::malformed;
  if (!picture && !protocol::decode_report(opened->content)) return RejectReason::malformed;
  const auto rule = f.camera->rule;
  const bool key = f.frame->kind != protocol::FrameKind::delta;
  if (picture && rule != nullptr && !rule(opened->content, opened->header.width, opened->header.height, key))
    return RejectReason::malformed;
  f.header = opened->header;
  f.content = opened->content;
  return std::nullopt;
}

void check_frame(FrameCheck& frame) { frame.rejection = check(frame); }

std::unique_ptr<FrameCheck> FrameStock::take() {
  if (free_.empty()) return std::make_unique<FrameCheck>();
  auto frame = std::move(free_.back());
  free_.pop_back();
  return frame;
}

void FrameStock::put(std::unique_ptr<FrameCheck> frame) {
  if (free_.size() == max_frames || frame->message.capacity() > max_buffer || frame->plain.capacity() > max_buffer)
    return;
  frame->frame.reset();
  frame->camera.reset();
  frame->key.reset();
  frame->content = {};
  frame->rejection.reset();
  free_.push_back(std::move(frame));
}

void HeldFrames::add(std::unique_ptr<FrameCheck> frame) {
  bytes_ += frame->message.size();
  frames_.push_back(std::move(frame));
}

std::vector<std::unique_ptr<FrameCheck>> HeldFrames::take(Epoch epoch) {
  std::vector<std::unique_ptr<FrameCheck>> taken;
  for (auto& frame : std::exchange(frames_, {})) {
    if (frame->frame->epoch != epoch) {
      frames_.push_back(std::move(frame));
      continue;
    }
    bytes_ -= frame->message.size();
    taken.push_back(std::move(frame));
  }
  return taken;
}

std::unique_ptr<FrameCheck> HeldFrames::take_excess(BootTime now) {
  if (frames_.empty() || (bytes_ <= max_bytes && now - frames_.front()->received <= max_age)) return nullptr;
  auto frame = std::move(frames_.front());
  frames_.pop_front();
  bytes_ -= frame->message.size();
  return frame;
}

void HeldFrames::clear() noexcept {
  frames_.clear();
  bytes_ = 0;
}

}  // namespace sealcam::watch
