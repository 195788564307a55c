// SPDX-License-Identifier: Apache-2.0
#include "watch/reported_state.hpp"

#include <algorithm>
#include <utility>

namespace sealcam::watch {
namespace {

Reason reason_of(bool privacy, std::optional<protocol::CameraFault> fault) noexcept {
  if (privacy) return Reason::privacy;
  return fault ? to_reason(*fault) : Reason::none;
}

}  // namespace

void ReportedState::on_status(const protocol::Status& status, CaptureTime now) noexcept {
  online_ = status.online;
  const auto hint = reason_of(status.privacy, status.fault);
  if (std::exchange(hint_, hint) != hint) hint_since_ = now;
}

void ReportedState::on_report(Counter counter, BootTime made, const protocol::Report& report) noexcept {
  if (picture_ && counter < *picture_) return;
  const auto state = reason_of(report.privacy, report.fault);
  if (!proof_) proof_ = Proof{counter, made, state};
  proof_->made = std::max(proof_->made, made);
  if (counter < proof_->counter) return;
  proof_->counter = counter;
  proof_->state = state;
  detects_motion_ = report.detects_motion;
}

void ReportedState::on_picture(Counter counter) noexcept {
  if (picture_ && counter < *picture_) return;
  picture_ = counter;
  if (proof_ && proof_->counter < counter) proof_.reset();
}

void ReportedState::clear_proof() noexcept {
  proof_.reset();
  picture_.reset();
}

std::optional<Reason> ReportedState::proven(BootTime now) const noexcept {
  if (!proof_ || now - proof_->made > Freshness::live_for) return std::nullopt;
  return proof_->state;
}

std::optional<bool> ReportedState::proven_privacy(BootTime now) const noexcept {
  return proven(now).transform([](Reason state) { return state == Reason::privacy; });
}

bool ReportedState::offline(BootTime now) const noexcept { return online_ == false && !proven(now); }

Reason ReportedState::reason(BootTime now) const noexcept {
  if (const auto state = proven(now)) return *state;
  if (online_ == false) return Reason::deregistered;
  return hint_ == Reason::none ? Reason::none : Reason::unconfirmed;
}

void ReportedState::describe(CameraStatus& status, BootTime now) const noexcept {
  status.reports_online = online_;
  status.hint = hint_;
  status.detects_motion = detects_motion_;
  if (hint_ != Reason::none) status.hint_since = hint_since_;
  const auto state = proven(now);
  status.privacy = state == Reason::privacy;
  if (state) status.proven_until = proof_->made + Freshness::live_for;
}

}  // namespace sealcam::watch
