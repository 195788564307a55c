// SPDX-License-Identifier: Apache-2.0
/// The faults of the recorder's disk and index, and its status.
#include <cerrno>

#include "recordings/recorder_core.hpp"

namespace sealcam::recordings {

namespace {

constexpr std::chrono::seconds recording_time{10};

RecorderFault fault_of(const Error& error) {
  switch (error.native) {
    case ENOSPC:
    case EDQUOT: return RecorderFault::full;
    case EROFS: return RecorderFault::read_only;
    default: break;
  }
  if (error.code == Errc::exhausted) return RecorderFault::full;
  if (error.code == Errc::permission) return RecorderFault::read_only;
  return error.code == Errc::not_found ? RecorderFault::missing : RecorderFault::io;
}

}  // namespace

void RecorderCore::set_fault(const Error& error) {
  // The fault `index` also covers the keys. It is already shown, and more exact.
  if (fault_ && fault_->kind == RecorderFault::index && error.place &&
      error.place->find("recording-keys") != std::string::npos)
    return;
  set_fault(fault_of(error), error);
}

void RecorderCore::set_fault(RecorderFault fault, const Error& error) {
  retry_ = deps_.clock.monotonic() + retry_time;
  const bool is_new = !fault_ || fault_->kind != fault;
  if (is_new) deps_.log.error("recordings: not recording ({}): {}", name(fault), to_string(error));
  fault_ = Fault{fault, to_string(error), is_new ? deps_.clock.wall() : fault_->since};
  show_fault();
}

void RecorderCore::clear_fault() {
  if (!fault_) return;
  deps_.log.info("recordings: recording again");
  fault_.reset();
  show_fault();
}

void RecorderCore::set_index_fault(const Error& error) {
  if (!index_fault_) deps_.log.error("recordings: files are not added to the index: {}", to_string(error));
  index_fault_ = Fault{RecorderFault::index, to_string(error), index_fault_ ? index_fault_->since : deps_.clock.wall()};
  show_fault();
}

void RecorderCore::clear_index_fault() {
  if (!index_fault_) return;
  deps_.log.info("recordings: files are added to the index again");
  index_fault_.reset();
  show_fault();
}

void RecorderCore::show_fault() {
  const auto& fault = fault_ ? fault_ : index_fault_ ? index_fault_ : slow_;
  const std::scoped_lock lock(mutex_);
  status_.fault = fault ? fault->kind : RecorderFault::none;
  status_.fault_since = fault ? std::optional(fault->since) : std::nullopt;
  status_.fault_text = fault ? fault->text : std::string();
}

Status RecorderCore::status() const {
  const auto now = deps_.clock.monotonic();
  const std::scoped_lock lock(mutex_);
  auto status = status_;
  for (auto& camera : status.cameras) {
    const auto stored = stored_at_.find(camera.camera);
    camera.recording = camera.newest && stored != stored_at_.end() && now - stored->second < recording_time;
  }
  return status;
}

}  // namespace sealcam::recordings
