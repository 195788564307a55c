// SPDX-License-Identifier: Apache-2.0
/// libcamera's controls under the names of source_controls.hpp.
#pragma once

#include <libcamera/controls.h>

#include <array>
#include <optional>
#include <vector>

#include "hal/source_controls.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// What was fixed when the camera was configured.
struct Fixed {
  double rate = 0;  ///< pictures per second
  bool can_flip = false, hflip = false, vflip = false;
};

/// Collects what was set for the next request; libcamera has no other way. A camera keeps nothing of it after it is
/// closed. Thread-bound. `infos`, which is the camera's, must outlive it.
class LibcameraControls final : public SourceControls {
 public:
  LibcameraControls(const lib::ControlInfoMap& infos, const Fixed& fixed);

  /// What was set since the last call goes into `target`.
  void give_to(lib::ControlList& target);
  /// What a finished request says that was used.
  void learn(const lib::ControlList& metadata);

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

/// The duration of pictures for start(), as near to `rate` as the camera allows; `rate` becomes what it will be. False
/// when the camera has no such control.
bool set_rate(const lib::ControlInfoMap& infos, double& rate, lib::ControlList& target);

}  // namespace sealcam::hal::libcamera
