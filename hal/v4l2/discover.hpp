// SPDX-License-Identifier: Apache-2.0
/// Finds V4L2 devices and identifies sensors.
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
  std::string path;    ///< its stable name in v4l/by-id, otherwise the node
  std::string device;  ///< the node itself
};
/// Returns the nodes in a folder: first those with a stable name, then by number.
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
  bool permission = false;  ///< the device may not be opened
};
struct Survey {
  std::vector<Sensor> sensors;
  std::vector<LeftOut> left_out;
};
/// Opens and queries each node. Changes no settings.
[[nodiscard]] Survey survey(std::span<const Node> nodes, const DeviceOpener& open);

struct OpenSensor {
  Node node;
  std::unique_ptr<V4l2Device> device;
  Identity identity;
};
/// Returns the first sensor with a usable format. Errors: not_found; permission or io, if a node may not be opened or
/// another program uses it, because that node may be the sensor.
[[nodiscard]] Result<OpenSensor> open_first(std::span<const Node> nodes, const DeviceOpener& open);

}  // namespace sealcam::hal::v4l2
