// SPDX-License-Identifier: Apache-2.0
/// Which V4L2 devices there are, and what they are.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "hal/source_controls.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::hal::v4l2 {

/// One device node.
struct Node {
  std::string path;    ///< its stable name below v4l/by-id where udev made one, otherwise the node
  std::string device;  ///< the node itself
};
/// The nodes in a folder of devices: those with a stable name first, then by number.
[[nodiscard]] std::vector<Node> nodes(const std::filesystem::path& folder);

struct Sensor {
  Node node;
  Identity identity;
  std::vector<Offer> offers;
  std::vector<ControlInfo> controls;
};
struct LeftOut {
  Node node;
  std::string why;
  bool permission = false;  ///< it could not even be opened
};
struct Survey {
  std::vector<Sensor> sensors;
  std::vector<LeftOut> left_out;
};
/// Opens each node and asks. Changes nothing.
[[nodiscard]] Survey survey(std::span<const Node> nodes, const DeviceOpener& open);

struct OpenSensor {
  Node node;
  std::unique_ptr<V4l2Device> device;
  Identity identity;
};
/// The first node that is a sensor and has a format that can be used.
/// Errors: not_found (none), permission and io (none, but there is a node that may not be opened, or that another
/// program has for itself: the first such node's error).
[[nodiscard]] Result<OpenSensor> open_first(std::span<const Node> nodes, const DeviceOpener& open);

}  // namespace sealcam::hal::v4l2
