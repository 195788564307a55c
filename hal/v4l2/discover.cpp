// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/discover.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>

#include "hal/v4l2/controls.hpp"

namespace sealcam::hal::v4l2 {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "video";

std::optional<int> number_of(std::string_view name) noexcept {
  if (!name.starts_with(prefix)) return std::nullopt;
  int number = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + prefix.size(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

/// Stable names by node. If a node has several, the first in alphabetical order.
std::map<fs::path, fs::path> stable_names(const fs::path& folder) {
  std::map<fs::path, fs::path> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "v4l" / "by-id", error)) {
    const fs::path target = fs::canonical(entry.path(), error);
    if (error) continue;
    fs::path& name = names[target];
    if (name.empty() || entry.path() < name) name = entry.path();
  }
  return names;
}

/// Why Sealcam cannot use this device as a sensor. Empty if it can.
std::string problem(V4l2Device& device, const Identity& identity, std::span<const Offer> offers) {
  if (!identity.why_no_sensor.empty()) return identity.why_no_sensor;
  if (!identity.has_input) return "part of a media pipeline that needs libcamera";
  if (offers.empty())
    return "has none of the supported formats " + known_names() + "; it offers " +
           offered(device, identity.multi_planar);
  return {};
}

}  // namespace

std::vector<Node> nodes(const fs::path& folder) {
  struct Found {
    bool unstable;
    int number;
    Node node;
  };
  std::vector<Found> found;
  const auto names = stable_names(folder);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto number = number_of(entry.path().filename().string());
    if (!number) continue;
    std::error_code ignored;
    const auto name = names.find(fs::canonical(entry.path(), ignored));
    const bool stable = name != names.end();
    found.push_back(
        {!stable, *number, {stable ? name->second.string() : entry.path().string(), entry.path().string()}});
  }
  std::ranges::sort(found, {}, [](const Found& f) { return std::pair(f.unstable, f.number); });
  std::vector<Node> out;
  out.reserve(found.size());
  for (Found& f : found) out.push_back(std::move(f.node));
  return out;
}

Survey survey(std::span<const Node> nodes, const DeviceOpener& open) {
  Survey result;
  for (const Node& node : nodes) {
    auto device = open(node.path);
    if (!device) {
      result.left_out.push_back({node, to_string(device.error()), device.error().code == Errc::permission});
      continue;
    }
    auto identity = identify(**device);
    if (!identity) {
      result.left_out.push_back({node, to_string(identity.error())});
      continue;
    }
    std::vector<Offer> offers;
    if (identity->why_no_sensor.empty()) offers = enumerate(**device, identity->multi_planar);
    if (auto why = problem(**device, *identity, offers); !why.empty()) {
      result.left_out.push_back({node, std::move(why)});
      continue;
    }
    result.sensors.push_back({node, std::move(*identity), std::move(offers), V4l2Controls(**device, 0).list()});
  }
  return result;
}

Result<OpenSensor> open_first(std::span<const Node> nodes, const DeviceOpener& open) {
  Error why{Errc::not_found, 0, "no V4L2 sensor found"};
  for (const Node& node : nodes) {
    auto device = open(node.path);
    if (!device) {
      // This node may be the sensor, so not_found would be wrong.
      const bool hidden = device.error().code == Errc::permission || device.error().native == EBUSY;
      if (hidden && why.code == Errc::not_found) why = device.error();
      continue;
    }
    auto identity = identify(**device);
    if (!identity || !identity->why_no_sensor.empty()) continue;
    if (!problem(**device, *identity, enumerate(**device, identity->multi_planar)).empty()) continue;
    return OpenSensor{node, std::move(*device), std::move(*identity)};
  }
  return std::unexpected(why);
}

}  // namespace sealcam::hal::v4l2
