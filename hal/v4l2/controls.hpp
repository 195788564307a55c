// SPDX-License-Identifier: Apache-2.0
/// Maps V4L2's controls to the names of source_controls.hpp.
#pragma once

#include <vector>

#include "hal/source_controls.hpp"
#include "hal/v4l2/device.hpp"

namespace sealcam::hal::v4l2 {

/// The V4L2 controls of one name. An id of 0 means that the driver does not have it.
struct ControlMap {
  Control control;
  std::uint32_t value_id = 0;      ///< has the value
  std::uint32_t automatic_id = 0;  ///< switches to automatic
  std::int32_t automatic_on = 1, automatic_off = 0;
  double factor = 1;  ///< one driver step in our unit
};

/// Drivers keep these settings after the device is closed. The device must outlive this object. Thread-bound.
class V4l2Controls final : public SourceControls {
 public:
  /// `rate`: of the source; the list has it as a read-only control.
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
