// SPDX-License-Identifier: Apache-2.0
#include "recordings/archive.hpp"

namespace sealcam::recordings {

std::string_view name(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::open: return "open";
    case EndReason::full: return "full";
    case EndReason::epoch: return "epoch";
    case EndReason::stopped: return "stopped";
    case EndReason::interrupted: return "interrupted";
    case EndReason::removed: return "removed";
    case EndReason::cloned: return "cloned";
  }
  return "";
}

std::string_view name(Mode mode) noexcept { return mode == Mode::continuous ? "continuous" : "off"; }

std::string_view name(RecorderFault fault) noexcept {
  switch (fault) {
    case RecorderFault::none: return "none";
    case RecorderFault::full: return "full";
    case RecorderFault::read_only: return "read_only";
    case RecorderFault::missing: return "missing";
    case RecorderFault::io: return "io";
    case RecorderFault::slow: return "slow";
    case RecorderFault::index: return "index";
  }
  return "";
}

}  // namespace sealcam::recordings
