// SPDX-License-Identifier: Apache-2.0
/// What the web server asks of the hub. All calls on the network thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "watch/picture_cache.hpp"

namespace sealcam::hub::web {

class Host {
 public:
  [[nodiscard]] virtual std::string hello() const = 0;
  [[nodiscard]] virtual std::string state() const = 0;
  /// Prometheus' text form.
  [[nodiscard]] virtual std::string metrics() const = 0;
  [[nodiscard]] virtual std::set<DeviceId> cameras() const = 0;
  [[nodiscard]] virtual std::vector<watch::CameraStatus> statuses() const = 0;
  /// Null when there is none.
  [[nodiscard]] virtual const watch::PictureGroup* newest(const DeviceId& camera) const = 0;
  /// Errors: not_found, permission (the camera's roster does not allow it), connection.
  [[nodiscard]] virtual Result<> switch_privacy(const DeviceId& camera, bool on) = 0;
  /// What all clients together want to see: pages, streams and snapshots.
  virtual void on_interest(bool all, std::set<DeviceId> cameras) = 0;

 protected:
  ~Host() = default;
};

}  // namespace sealcam::hub::web
