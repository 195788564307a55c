// SPDX-License-Identifier: Apache-2.0
/// The enrollment: a device's owner and broker, and the Wi-Fi network of a camera. A device without an enrollment is
/// unpaired.
///
/// wifi.json has the network that the owner gave the camera at pairing or by a command, and the result of joining it:
/// {"version": 1, "ssid": hexadecimal, "passphrase": text, "outcome": word, "interrupted": number}; the last two are
/// optional. Mode 0600: apart from the keys, it is the folder's only secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "crypto/keys.hpp"
#include "device/device_state.hpp"
#include "protocol/command.hpp"

namespace sealcam::transport {
struct TlsConfig;
}

namespace sealcam::device {

/// Bytes of a camera's name (UTF-8).
inline constexpr std::size_t max_name = 64;

/// Nothing in it is secret.
struct Enrollment {
  protocol::Role role = protocol::Role::camera;
  crypto::PublicKey owner;  ///< its thumbprint is the account's id
  std::string broker_host;
  std::uint16_t broker_port = 8883;
  std::string ca_pem;           ///< the broker operator's CA
  std::string certificate_pem;  ///< of tls.key; the common name is the device's id
  std::string name;             ///< UTF-8, at most 64 bytes; cameras only
};

/// Errors: not_found (the device is unpaired), permission, crypto, malformed (the file is damaged; `why` names the
/// place).
[[nodiscard]] Result<Enrollment> read_enrollment(const StateFiles& files, std::string* why = nullptr);
/// Atomic and durable. Errors: permission, io, invalid_argument (the name is too long or not UTF-8).
[[nodiscard]] Result<> write_enrollment(const StateFiles& files, const Enrollment& enrollment);

/// The client's side of TLS with the broker. The caller moves it into the MQTT client, which wipes the key. Errors:
/// those of read_tls_key().
[[nodiscard]] Result<transport::TlsConfig> broker_tls(const StateFiles& files, const Enrollment& enrollment);

/// Stores the result of pairing. Thread-bound.
class Installer {
 public:
  virtual ~Installer() = default;
  /// Atomic, and durable when it returns: an interrupted installation leaves the device unpaired. `roster`: a camera's,
  /// already verified. Errors: exists (the device is already paired), permission, io, invalid_argument.
  [[nodiscard]] Result<> install(const Enrollment& enrollment, const std::optional<Bytes>& roster,
                                 const std::optional<protocol::Wifi>& wifi) {
    return do_install(enrollment, roster, wifi);
  }

 private:
  [[nodiscard]] virtual Result<> do_install(const Enrollment& enrollment, const std::optional<Bytes>& roster,
                                            const std::optional<protocol::Wifi>& wifi) = 0;
};

/// Installs into a state folder. Writes enrollment.json last, because it makes the device paired.
class FolderInstaller final : public Installer {
 public:
  /// `device`: its own id.
  FolderInstaller(StateFiles files, const DeviceId& device) : files_(std::move(files)), device_(device) {}

 private:
  [[nodiscard]] Result<> do_install(const Enrollment& enrollment, const std::optional<Bytes>& roster,
                                    const std::optional<protocol::Wifi>& wifi) override;
  StateFiles files_;
  DeviceId device_;
};

/// The result of joining the network.
struct WifiOutcome {
  std::string word;               ///< the program's own, at most 32 of a-z and _; empty: not tried yet
  std::uint32_t interrupted = 0;  ///< join attempts that began and did not end
};

/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_wifi_file(const StateFiles& files, const protocol::Wifi& wifi,
                                       const WifiOutcome& outcome = {});
/// Durable. Succeeds if there is no file. Errors: permission, io.
[[nodiscard]] Result<> remove_wifi_file(const StateFiles& files);
/// `outcome` may be null. Errors: not_found (the owner gave no network), malformed (the text names the file and the
/// next step), permission, io.
[[nodiscard]] Result<protocol::Wifi> read_wifi_file(const StateFiles& files, WifiOutcome* outcome = nullptr);

}  // namespace sealcam::device
