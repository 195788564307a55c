// SPDX-License-Identifier: Apache-2.0
/// What the updater learns from the camera: its files, and whether it works. The camera's user owns these files, so the
/// updater shows nothing of their content except printable words.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "update/state.hpp"

namespace sealcam::update {

struct CameraState {
  std::optional<DeviceId> id;  ///< none before the camera's first start
  bool paired = false;
  bool privacy = false;                     ///< the sensor is closed
  bool runs = false;                        ///< unpaired: the pairing port is open. Paired: the status file is new
  std::int64_t process = 0;                 ///< its id changes with each start of the camera; 0: unknown
  Works works;                              ///< `sensor` is also true with privacy
  std::string fault;                        ///< why the camera sends no pictures, for people; empty if there is none
  Consent consent;                          ///< of the owner; none if unpaired, a deferral if it cannot be read
  std::optional<Version> request;           ///< a person at a console starts this version now
  std::optional<std::uint64_t> free_space;  ///< bytes of the data partition; none: unknown
};

/// Thread-bound.
class Camera {
 public:
  virtual ~Camera() = default;
  /// Two calls that are less than 2 s apart can find no new status file.
  [[nodiscard]] CameraState observe() { return do_observe(); }
  /// Removes the request.
  void finish_request() { do_finish_request(); }

 private:
  [[nodiscard]] virtual CameraState do_observe() = 0;
  virtual void do_finish_request() = 0;
};

struct CameraPaths {
  std::filesystem::path state = "/var/lib/sealcam/camera";
  std::filesystem::path status = "/run/sealcam-camera/status.json";
  std::filesystem::path request = "/run/sealcam-update/request.json";  ///< of `sealcam-update install`
  std::filesystem::path data = "/data";
  std::filesystem::path sockets = "/proc/net";  ///< tcp and tcp6
};

/// The files of a camera on the same board.
class CameraFiles final : public Camera {
 public:
  CameraFiles(CameraPaths paths, Log& log) : paths_(std::move(paths)), log_(log) {}

 private:
  [[nodiscard]] CameraState do_observe() override;
  void do_finish_request() override;
  [[nodiscard]] std::optional<DeviceId> read_id(bool paired);
  /// Nothing without a file. Logs each error once, with its consequence.
  [[nodiscard]] Result<std::optional<Consent>> read_consent(const std::filesystem::path& path,
                                                            std::string_view consequence);
  void observe_paired(CameraState& state);

  CameraPaths paths_;
  Log& log_;
  std::optional<DeviceId> id_;
  std::int64_t uptime_ = -1, captured_ = -1, process_ = -1;  ///< of the previous status file
  std::map<std::filesystem::path, std::string> warned_;      ///< newest error of each file with a decision
};

/// The members of the camera's status file that the updater needs. firmware/docs/cameras.md lists them.
struct CameraStatus {
  std::int64_t process = 0, uptime = 0, captured = 0;
  bool epoch = false;   ///< an epoch began, and no fault prevents the next one
  bool broker = false;  ///< connected, and the broker acknowledged the grants
  std::string fault{};  ///< printable
};
/// Errors: malformed.
[[nodiscard]] Result<CameraStatus> parse_camera_status(std::string_view json);

/// Reads a file that another user owns. That user could replace it with a FIFO or a link, and a plain open of a FIFO
/// waits for a writer. Errors: not_found, permission, unsupported (not a regular file), io, exhausted (larger than
/// `limit` bytes).
[[nodiscard]] Result<Bytes> read_regular_file(const std::filesystem::path& path, std::size_t limit);

/// Whether a list of sockets in the format of /proc/net/tcp or tcp6 (proc_net(5)) has a listening socket of this port.
[[nodiscard]] bool listens(std::string_view sockets, std::uint16_t port);

}  // namespace sealcam::update
