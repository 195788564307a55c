// SPDX-License-Identifier: Apache-2.0
/// The owner's settings and commands, as far as they change the camera's state folder, and the Wi-Fi network that the
/// owner named. A join attempt succeeds only if the camera reaches the broker over the new network. Otherwise the
/// camera returns to the earlier network.
#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "camera/capture_factory.hpp"
#include "camera/update_status.hpp"
#include "device/enrollment.hpp"
#include "hal/board_control.hpp"
#include "protocol/command.hpp"
#include "stream/publish/command_executor.hpp"

namespace sealcam::camera {

/// The outcome of a successful attempt in wifi.json.
inline constexpr std::string_view joined_outcome = "joined";

/// One reason for a failed attempt.
struct WifiFaultText {
  hal::JoinFault join;
  std::string_view name;      ///< in wifi.json and the status file
  protocol::WifiFault fault;  ///< in grants
  std::string_view what;
  std::string_view next;  ///< the next step
};

/// For every fault except `none`. Reentrant.
[[nodiscard]] const WifiFaultText& describe(hal::JoinFault fault) noexcept;
/// For an outcome in wifi.json; null if it is no fault. An unknown name, from a later version, is `other`. Reentrant.
[[nodiscard]] const WifiFaultText* fault_of(std::string_view outcome) noexcept;

/// After grace + limit = 110 s at most, the camera is in a network that worked. NetworkControl enforces `limit`, also
/// if this process ends.
struct WifiTimes {
  std::chrono::seconds grace{5};    ///< before an attempt, for the answer to the command
  std::chrono::seconds join{60};    ///< for joining the network
  std::chrono::seconds prove{85};   ///< for reaching the broker; both count from the start of the attempt
  std::chrono::seconds limit{105};  ///< until the board returns to the earlier network by itself
  std::chrono::seconds settled{
      15};  ///< after this time an older connection proves the network, too: firmware/docs/wifi.md
  std::chrono::seconds alone{120};  ///< without a broker, before the next attempt; doubles with each attempt
  std::chrono::seconds max_alone{1800};
  std::chrono::seconds retry{60};  ///< without a broker, before the network manager tries known networks again
};

/// Thread-bound to the network thread. Never waits.
class WifiController {
 public:
  /// The references must live longer than this object.
  struct Dependencies {
    const device::StateFiles& files;
    hal::NetworkControl& network;
    const Clock& clock;
    Log& log;
  };
  explicit WifiController(const Dependencies& deps, const WifiTimes& times = {});

  /// Reads wifi.json and continues an unfinished attempt. Logs an error if the file is damaged, and does not change it.
  void load();
  /// Stores the network and starts an attempt; ends an earlier one. Durable when it returns. Errors: permission, io.
  [[nodiscard]] Result<> join(const protocol::Wifi& wifi);
  /// Call this about ten times a second. `connected`: to the broker. Returns true if fault() changed.
  [[nodiscard]] bool tick(bool connected);

  /// The reason why the camera is not in the owner's network. Null if it is there, if an attempt is in progress, or if
  /// the owner named no network.
  [[nodiscard]] const WifiFaultText* fault() const noexcept { return fault_of(outcome_.word); }
  /// For the status file: "none", "waiting", "trying", "joined", or the name of a fault.
  [[nodiscard]] std::string_view state() const noexcept;

 private:
  void note_connection(bool connected, MonotonicTime now);
  [[nodiscard]] bool due(MonotonicTime now) const;
  void begin(MonotonicTime now);
  void follow(MonotonicTime now);
  void finish(const hal::JoinProgress& progress, MonotonicTime now);
  void retry(MonotonicTime now);
  [[nodiscard]] bool proven(MonotonicTime now) const;
  void end(std::string_view outcome);
  void store();

  Dependencies deps_;
  WifiTimes times_;
  std::optional<protocol::Wifi> wifi_;
  device::WifiOutcome outcome_;
  MonotonicTime not_before_;
  std::optional<MonotonicTime> connected_since_;
  MonotonicTime alone_since_, retried_;
  std::chrono::nanoseconds alone_;  // time without a broker before the next attempt
  // The current attempt.
  bool trying_ = false, replaced_ = false;
  std::optional<MonotonicTime> begun_, joined_;
};

/// Reads settings.json of the state folder. A missing file gives no settings. The error names the file and the next
/// step.
[[nodiscard]] std::expected<protocol::CameraSettings, std::string> read_settings(const std::filesystem::path& file);
/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_settings(const std::filesystem::path& file, const protocol::CameraSettings& settings);

/// The configuration with the owner's settings. Ignores a setting that the configuration would not accept, and logs a
/// warning.
[[nodiscard]] CameraConfig with_settings(CameraConfig config, const protocol::CameraSettings& settings, Log& log);

/// The quality at the start, and later on a fast network.
[[nodiscard]] stream::Quality best_quality(const CameraConfig& config);

/// Applies the owner's commands. Writes each change to disk before it takes effect. Thread-bound to the network thread.
class StateActions final : public stream::CommandActions {
 public:
  /// The references must live longer than this object.
  struct Dependencies {
    const device::StateFiles& files;
    const CameraConfig& configured;  ///< the configuration file without the owner's settings
    ConfiguredCapture& capture;
    stream::CaptureControl& control;
    WifiController& wifi;
    Log& log;
    std::filesystem::path update_file = usual_update_file;
  };
  StateActions(const Dependencies& deps, device::Enrollment enrollment, CameraConfig effective)
      : deps_(deps), enrollment_(std::move(enrollment)), effective_(std::move(effective)) {}

 private:
  Result<> do_rename(std::string_view name) override;
  Result<stream::Quality> do_change(const protocol::CameraSettings& settings) override;
  Result<> do_join(const protocol::Wifi& wifi) override;
  Result<> do_decide_update(const protocol::CommandItem<protocol::UpdateConsent>& consent) override;
  void apply(const CameraConfig& changed);

  Dependencies deps_;
  device::Enrollment enrollment_;
  CameraConfig effective_;
};

}  // namespace sealcam::camera
