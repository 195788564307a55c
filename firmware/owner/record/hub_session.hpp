// SPDX-License-Identifier: Apache-2.0
/// This machine as a hub while a command runs. The broker connection and the watcher run on one thread.
#pragma once

#include <memory>

#include "owner/account/account.hpp"
#include "owner/failure.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::owner {

/// Opens the hub identity of this machine. Fails if another command uses it.
[[nodiscard]] Outcome<device::DeviceState> open_machine_hub(const AccountFiles& files);

/// Receives pictures and states on the thread of HubSession::run().
class HubSessionListener : public watch::PictureSink {
 public:
  /// Called ten times a second. False ends run().
  virtual bool on_tick() = 0;

 protected:
  ~HubSessionListener() = default;
};

/// Thread-bound.
class HubSession {
 public:
  HubSession(const device::DeviceState& state, const Clock& clock, HubSessionListener& listener);
  HubSession(const HubSession&) = delete;
  HubSession& operator=(const HubSession&) = delete;
  ~HubSession();

  /// Requests the pictures of this camera until the listener, SIGINT, SIGTERM or SIGHUP ends the session. A SIGHUP that
  /// the caller ignores stays ignored.
  [[nodiscard]] Outcome<> run(const DeviceId& camera);
  /// Ends run(). Call it from the listener.
  void stop();
  /// Nothing before a roster of the camera arrived.
  [[nodiscard]] std::optional<watch::CameraStatus> camera(const DeviceId& id) const;
  [[nodiscard]] bool connected() const;
  [[nodiscard]] std::string last_warning() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam::owner
