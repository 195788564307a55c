// SPDX-License-Identifier: Apache-2.0
/// What the owner's commands change in this camera and its state folder.
#pragma once

#include "camera/capture_factory.hpp"
#include "camera/stored_settings.hpp"
#include "camera/wifi_keeper.hpp"
#include "pairing/device_state.hpp"
#include "stream/command_actions.hpp"

namespace sealcam::camera {

/// Each change is on the disk before it takes effect. Thread-bound to the network thread.
class StateActions final : public stream::CommandActions {
 public:
  /// References outlive this.
  struct Parts {
    const pairing::StateFiles& files;
    const CameraConfig& configured;  ///< by the configuration file alone
    ConfiguredCapture& capture;
    stream::CaptureControl& control;
    WifiKeeper& wifi;
    Log& log;
  };
  StateActions(const Parts& parts, pairing::Enrolment enrolment, CameraConfig now)
      : parts_(parts), enrolment_(std::move(enrolment)), now_(std::move(now)) {}

 private:
  Result<> do_rename(std::string_view name) override;
  Result<stream::Quality> do_change(const protocol::CameraSettings& settings) override;
  Result<> do_join(const protocol::Wifi& wifi) override;

  Parts parts_;
  pairing::Enrolment enrolment_;
  CameraConfig now_;
};

}  // namespace sealcam::camera
