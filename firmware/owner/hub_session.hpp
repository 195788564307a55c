// SPDX-License-Identifier: Apache-2.0
/// This machine as a hub, for as long as a command runs: broker, verifiers and watcher on one thread.
#pragma once

#include <memory>

#include "owner/account.hpp"
#include "owner/connection.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::owner {

/// Opens the hub identity of this machine. Fails when another command uses it.
[[nodiscard]] Outcome<pairing::DeviceState> open_machine_hub(const AccountFiles& files);

/// What happens while it runs, on the thread that runs it.
class HubSessionListener : public watch::PictureSink {
 public:
  /// Ten times a second. False ends run().
  virtual bool on_tick() = 0;

 protected:
  ~HubSessionListener() = default;
};

/// Thread-bound.
class HubSession {
 public:
  HubSession(const pairing::DeviceState& state, const Clock& clock, HubSessionListener& listener);
  HubSession(const HubSession&) = delete;
  HubSession& operator=(const HubSession&) = delete;
  ~HubSession();

  /// Asks for this camera's pictures until the listener or SIGINT or SIGTERM ends it.
  [[nodiscard]] Outcome<> run(const DeviceId& camera);
  /// Ends run() from within a listener's call.
  void stop();
  [[nodiscard]] bool interrupted() const noexcept;
  /// Nothing until a roster named it.
  [[nodiscard]] std::optional<watch::CameraStatus> camera(const DeviceId& id) const;
  [[nodiscard]] bool connected() const;
  [[nodiscard]] std::string last_warning() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sealcam::owner
