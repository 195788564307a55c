// SPDX-License-Identifier: Apache-2.0
/// Where what a device learned when it was paired goes.
#pragma once

#include <optional>

#include "pairing/device_state.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::pairing {

/// Thread-bound.
class Installer {
 public:
  virtual ~Installer() = default;
  /// All or nothing, durable when it returns; what one that was cut short left counts for nothing. `roster`: a
  /// camera's, checked. Errors: exists (the device is somebody's already), permission, io, invalid_argument.
  [[nodiscard]] Result<> install(const Enrolment& enrolment, const std::optional<Bytes>& roster,
                                 const std::optional<protocol::Wifi>& wifi) {
    return do_install(enrolment, roster, wifi);
  }

 private:
  [[nodiscard]] virtual Result<> do_install(const Enrolment& enrolment, const std::optional<Bytes>& roster,
                                            const std::optional<protocol::Wifi>& wifi) = 0;
};

/// Into a state folder: Wi-Fi access (wifi_file.hpp) and the roster first, enrolment.json last, since with it the
/// device is somebody's.
class FolderInstaller final : public Installer {
 public:
  explicit FolderInstaller(StateFiles files) : files_(std::move(files)) {}

 private:
  [[nodiscard]] Result<> do_install(const Enrolment& enrolment, const std::optional<Bytes>& roster,
                                    const std::optional<protocol::Wifi>& wifi) override;
  StateFiles files_;
};

}  // namespace sealcam::pairing
