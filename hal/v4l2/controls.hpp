// SPDX-License-Identifier: Apache-2.0
/// V4L2's controls under the names of source_controls.hpp.
#pragma once

#include <vector>

#include "hal/source_controls.hpp"
#include "hal/v4l2/device.hpp"

namespace sealcam::hal::v4l2 {

/// What one name stands for in a driver. Numbers are V4L2's; 0: there is none.
struct ControlMap {
  Control control;
  std::uint32_t value_id = 0;      ///< the control that holds the value
  std::uint32_t automatic_id = 0;  ///< the control that switches to automatic
  std::int32_t automatic_on = 1, automatic_off = 0;
  double factor = 1;  ///< our unit is so many of the driver's steps' worth
};

/// Thread-bound. The device must outlive it. Drivers keep what was set after the device is closed.
class V4l2Controls final : public SourceControls {
 public:
  /// `rate`: what the source runs at; it is listed, read-only.
  V4l2Controls(V4l2Device& device, double rate);

 private:
  std::vector<ControlInfo> do_list() override;
  Result<> do_set(const Setting& setting) override;
  [[nodiscard]] ControlInfo describe(const ControlMap& map) const;
  void read_now(const ControlMap& map, ControlInfo& info);
  Result<> write(std::uint32_t id, std::int32_t value);

  V4l2Device& device_;
  std::vector<ControlMap> maps_;
  std::vector<ControlInfo> known_;  // what each of maps_ can be; frame_rate at the end
};

}  // namespace sealcam::hal::v4l2
