// SPDX-License-Identifier: Apache-2.0
/// Maps libcamera's controls to the names of source_controls.hpp.
#pragma once

#include <libcamera/controls.h>

#include <array>
#include <optional>
#include <vector>

#include "hal/source_controls.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// Values that the camera's configuration fixed.
struct Fixed {
  double rate = 0;  ///< pictures per second
  bool can_flip = false, hflip = false, vflip = false;
};

/// Collects settings for the next request, as libcamera requires. A camera loses all settings when it is closed.
/// `infos`, of the camera, must outlive it. Thread-bound.
class LibcameraControls final : public SourceControls {
 public:
  LibcameraControls(const lib::ControlInfoMap& infos, const Fixed& fixed);

  /// Moves the settings since the last call to `target`.
  void move_to(lib::ControlList& target);
  /// Reads the values that a finished request used.
  void update(const lib::ControlList& metadata);

 private:
  std::vector<ControlInfo> do_list() override { return known_; }
  Result<> do_set(const Setting& setting) override;
  void add(Control control, const lib::ControlId& value, const lib::ControlId* automatic);
  void add_toggle(Control control, bool on);
  [[nodiscard]] bool has(const lib::ControlId& id) const { return infos_.find(&id) != infos_.end(); }

  const lib::ControlInfoMap& infos_;
  std::vector<ControlInfo> known_;
  lib::ControlList pending_;
};

/// Sets the duration of pictures for start(), as near to `rate` as possible, and sets `rate` to the result. Returns
/// false if the camera has no such control.
bool set_rate(const lib::ControlInfoMap& infos, double& rate, lib::ControlList& target);

}  // namespace sealcam::hal::libcamera
