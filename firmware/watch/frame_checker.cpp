// SPDX-License-Identifier: Apache-2.0
#include "watch/frame_checker.hpp"

namespace sealcam::watch {
namespace {

std::optional<Refusal> check(FrameCheck& f) {
  SC_ASSERT(f.frame && f.camera);
  if (auto r = f.camera->opener.verify(*f.frame, f.camera->verifier); !r)
    return r.error().code == Errc::wrong_key ? Refusal::wrong_account : Refusal::bad_signature;
  if (!f.key) return Refusal::not_decryptable;
  if (f.plain.size() < f.frame->sealed.size()) f.plain.resize(f.frame->sealed.size());
  const auto opened = f.camera->opener.open(f.plain, *f.frame, *f.key);
  if (!opened) {
    const auto code = opened.error().code;
    return code == Errc::malformed || code == Errc::unsupported ? Refusal::malformed : Refusal::not_decryptable;
  }
  const bool picture = f.frame->kind != protocol::FrameKind::report;
  if (picture != (opened->header.codec == protocol::Codec::h264_annex_b) || (picture && opened->content.empty()))
    return Refusal::malformed;
  f.header = opened->header;
  f.content = opened->content;
  return std::nullopt;
}

}  // namespace

void check_frame(FrameCheck& frame) { frame.refusal = check(frame); }

std::unique_ptr<FrameCheck> FrameStock::take() {
  if (free_.empty()) return std::make_unique<FrameCheck>();
  auto frame = std::move(free_.back());
  free_.pop_back();
  return frame;
}

void FrameStock::put(std::unique_ptr<FrameCheck> frame) {
  if (free_.size() == most || frame->message.capacity() > largest || frame->plain.capacity() > largest) return;
  frame->frame.reset();
  frame->camera.reset();
  frame->key.reset();
  frame->content = {};
  frame->refusal.reset();
  free_.push_back(std::move(frame));
}

}  // namespace sealcam::watch
