// SPDX-License-Identifier: Apache-2.0
/// The seam to what a command changes beyond the stream.
#pragma once

#include <string_view>

#include "core/result.hpp"
#include "protocol/command.hpp"
#include "stream/capture_control.hpp"

namespace sealcam::stream {

/// Each is durable when it returns, and changes nothing when it is done again. Thread-bound.
class CommandActions {
 public:
  virtual ~CommandActions() = default;
  /// Errors: permission, io.
  [[nodiscard]] Result<> rename(std::string_view name) { return do_rename(name); }
  /// Replaces all earlier settings; returns the best quality from now on. What the camera cannot do is left out and
  /// logged. Errors: permission, io.
  [[nodiscard]] Result<Quality> change(const protocol::CameraSettings& settings) { return do_change(settings); }
  /// Errors: permission, io.
  [[nodiscard]] Result<> join(const protocol::Wifi& wifi) { return do_join(wifi); }

 private:
  virtual Result<> do_rename(std::string_view name) = 0;
  virtual Result<Quality> do_change(const protocol::CameraSettings& settings) = 0;
  virtual Result<> do_join(const protocol::Wifi& wifi) = 0;
};

}  // namespace sealcam::stream
