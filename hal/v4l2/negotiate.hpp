// SPDX-License-Identifier: Apache-2.0
/// Asks a device what it is and what it offers, and sets what was chosen.
#pragma once

#include <string>
#include <vector>

#include "hal/v4l2/choose.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/layout.hpp"

namespace sealcam::hal::v4l2 {

struct Identity {
  std::string driver, card, bus;
  bool multi_planar = false;
  bool has_input = false;     ///< a sensor or a connector hangs on it
  std::string why_no_sensor;  ///< empty: it captures pictures
};

/// Errors: device_lost, io.
[[nodiscard]] Result<Identity> identify(V4l2Device& device);

/// The formats that Sealcam knows, with sizes and rates. Formats that libv4l2 would only emulate are none.
[[nodiscard]] std::vector<Offer> enumerate(V4l2Device& device, bool multi_planar);

struct Negotiated {
  Layout layout;
  double rate = 0;  ///< as the driver answered, or as chosen, or 30
  bool can_set_rate = false;
};
/// Sets format, size and rate. The driver may have answered with another size, which then is the layout's.
/// Errors: unsupported (another format, fields, an odd size), device_lost, io (used by another program).
[[nodiscard]] Result<Negotiated> negotiate(V4l2Device& device, bool multi_planar, const Offer& offer,
                                           const Choice& choice);

}  // namespace sealcam::hal::v4l2
