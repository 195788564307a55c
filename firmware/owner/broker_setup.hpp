// SPDX-License-Identifier: Apache-2.0
/// A Mosquitto 2.0 set-up in one folder: the operator's authority, the server's certificate, the
/// configuration and the access list.
///
///     broker.json       what the set-up was made with; written last, so it marks a whole set-up
///     ca.key, ca.pem    the operator's authority: admits devices to this broker and nothing else
///     server.key, .pem  what the broker shows to devices
///     mosquitto.conf    every line explained
///     acl.d/<id>        one access block per admitted device
///     acl               all of them, what Mosquitto reads
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "owner/failure.hpp"

namespace sealcam::owner {

struct BrokerSettings {
  std::string listen = "127.0.0.1";  ///< address to bind to; "0.0.0.0" or "::" is every one
  std::uint16_t port = 8883;
  std::vector<std::string> hosts;  ///< more names and addresses in the server's certificate

  /// Name or address that devices are told unless somebody says otherwise.
  [[nodiscard]] std::string advertised_host() const;
};

struct BrokerFiles {
  std::filesystem::path folder;  ///< absolute
  [[nodiscard]] std::filesystem::path settings() const { return folder / "broker.json"; }
  [[nodiscard]] std::filesystem::path authority_key() const { return folder / "ca.key"; }
  [[nodiscard]] std::filesystem::path authority() const { return folder / "ca.pem"; }
  [[nodiscard]] std::filesystem::path server_key() const { return folder / "server.key"; }
  [[nodiscard]] std::filesystem::path server_certificate() const { return folder / "server.pem"; }
  [[nodiscard]] std::filesystem::path configuration() const { return folder / "mosquitto.conf"; }
  [[nodiscard]] std::filesystem::path access_list() const { return folder / "acl"; }
  [[nodiscard]] std::filesystem::path access_blocks() const { return folder / "acl.d"; }
  /// The operator's own rules in Mosquitto's form, for what else connects to this broker; may be missing.
  [[nodiscard]] std::filesystem::path own_access() const { return folder / "acl.own"; }
  [[nodiscard]] std::filesystem::path pid() const { return folder / "mosquitto.pid"; }
};

/// The text of mosquitto.conf. `user`: whom Mosquitto becomes when root starts it, empty for its default.
[[nodiscard]] std::string mosquitto_configuration(const BrokerFiles& files, const BrokerSettings& settings,
                                                  const std::string& user);

/// Makes the folder. Fails when it holds a set-up already.
[[nodiscard]] Outcome<> make_broker(const BrokerFiles& files, const BrokerSettings& settings);

[[nodiscard]] Outcome<BrokerSettings> read_broker(const BrokerFiles& files);

/// Asks the Mosquitto that runs with this folder's configuration, if one does, to read its access
/// list again. True when one runs.
[[nodiscard]] bool reload_broker(const BrokerFiles& files);

}  // namespace sealcam::owner
