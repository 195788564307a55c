// SPDX-License-Identifier: Apache-2.0
/// A set-up of Mosquitto 2.0, or of RabbitMQ 4 (rabbitmq.hpp), in one folder.
///
///     broker.json       the settings; written last, so it marks a complete set-up
///     ca.key, ca.pem    the operator's authority, which signs the certificates of devices for this broker
///     server.key, .pem  the broker's own key and certificate
///     mosquitto.conf    the configuration, with a comment for each line
///     crl.pem           the certificate revocation list
///     devices/<id>      the record of one authorized device (device_records.hpp)
///     revoked.json      all revocations
///     acl               the permissions of all devices, for Mosquitto
///     passwords         the hashes of the passwords of phones, for Mosquitto
///     web.key, web.pem  key and certificate of the listener for phones, if there is one (web_listener.hpp)
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/types.hpp"
#include "owner/console.hpp"

namespace sealcam::owner {

/// The program of the broker.
enum class BrokerKind { mosquitto, rabbitmq };
[[nodiscard]] std::string_view name(BrokerKind kind) noexcept;

/// Whether a program that listens on this address listens on every address of the machine.
[[nodiscard]] bool is_wildcard(std::string_view address) noexcept;

struct BrokerSettings {
  std::string listen = "127.0.0.1";  ///< address to bind; "0.0.0.0" and "::" are all addresses
  std::uint16_t port = 8883;
  std::vector<std::string> hosts;  ///< more names and addresses for the server's certificate
  /// Authorized devices of one account. This bounds its connections, its topics and its retained messages.
  std::uint32_t devices_per_account = 256;
  BrokerKind kind = BrokerKind::mosquitto;
  /// The machines of a RabbitMQ cluster, by the names that they use for each other. The first one is this machine.
  /// Empty: a single node.
  std::vector<std::string> nodes{};
  /// Of the listener for phones, which is MQTT over WebSocket with TLS. None: there is no such listener.
  std::optional<std::uint16_t> web_port{};

  /// The default for the broker's name or address in enrollments.
  [[nodiscard]] std::string advertised_host() const;
  /// The same for the devices of one account. The nodes of a cluster do not share retained messages, so all devices of
  /// an account use one of the hosts. Its id decides which.
  [[nodiscard]] std::string host_of(const AccountId& account) const;
  /// The name or address for a connection from this machine.
  [[nodiscard]] std::string local_host() const;
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
  /// Hashes of the passwords of phones, for Mosquitto.
  [[nodiscard]] std::filesystem::path passwords() const { return folder / "passwords"; }
  [[nodiscard]] std::filesystem::path web_certificate() const { return folder / "web.pem"; }
  [[nodiscard]] std::filesystem::path web_key() const { return folder / "web.key"; }
  [[nodiscard]] std::filesystem::path devices() const { return folder / "devices"; }
  [[nodiscard]] std::filesystem::path revocations() const { return folder / "revoked.json"; }
  [[nodiscard]] std::filesystem::path revocation_list() const { return folder / "crl.pem"; }
  /// The operator's own rules for other programs at this broker, in Mosquitto's format. Optional.
  [[nodiscard]] std::filesystem::path own_access() const { return folder / "acl.own"; }
  /// RabbitMQ's users and permissions.
  [[nodiscard]] std::filesystem::path definitions() const { return folder / "definitions.json"; }
  /// The revocation list under the name by which Erlang finds it: OpenSSL's hash of the authority's name.
  [[nodiscard]] std::filesystem::path rabbitmq_revocation_list() const { return folder / "crl" / "bfbf4214.r0"; }
  /// The files of another machine of a RabbitMQ cluster, which stores them in a folder with the path of this one.
  [[nodiscard]] BrokerFiles of_node(std::string_view node) const { return {folder / "nodes" / node}; }
  [[nodiscard]] std::filesystem::path pid() const { return folder / "mosquitto.pid"; }
};

/// The text of mosquitto.conf. Mosquitto runs as `user` if root starts it; empty is Mosquitto's default user.
[[nodiscard]] std::string mosquitto_configuration(const BrokerFiles& files, const BrokerSettings& settings,
                                                  const std::string& user);

/// Makes the folder. Fails if the folder contains other files or a set-up.
[[nodiscard]] Outcome<> make_broker(const BrokerFiles& files, const BrokerSettings& settings);

/// The first and the last part of make_broker(), also for a backup: makes the folder without files, and writes the
/// configuration, the lists and, last, broker.json. EX_USAGE: the broker cannot read such a path.
[[nodiscard]] Outcome<> make_broker_folder(const BrokerFiles& files, BrokerKind kind);
[[nodiscard]] Outcome<> complete_broker(const BrokerFiles& files, const BrokerSettings& settings);

/// Makes a certificate for the broker, for the names in the settings. Keeps the key, or makes one if there is none.
struct AuthorityKey;
[[nodiscard]] Outcome<> make_server_certificate(const BrokerFiles& files, const BrokerSettings& settings,
                                                const AuthorityKey& authority);

[[nodiscard]] Outcome<BrokerSettings> read_broker(const BrokerFiles& files);
/// The failure of a command that needs a listener for phones, with the next step.
[[nodiscard]] std::unexpected<Failure> no_web_listener(const BrokerFiles& files);
[[nodiscard]] Outcome<> write_broker_settings(const BrokerFiles& files, const BrokerSettings& settings);
/// Parses broker.json. `file` is for the failure.
[[nodiscard]] Outcome<BrokerSettings> parse_broker_settings(std::string_view text, std::string_view file);

/// Locks records and lists. A command does not hold this lock while the running broker reads its lists. EX_TEMPFAIL:
/// another command held it for a minute; nothing is changed.
[[nodiscard]] Outcome<UniqueFd> lock_broker(const BrokerFiles& files);

/// Locks the running broker, for one command at a time that makes it read its lists. RabbitMQ needs minutes for many
/// devices, and records can change meanwhile. Take this lock before lock_broker(), never after it. Prints a note if it
/// waits for longer than a few seconds. EX_TEMPFAIL: another command held the lock for `max_wait`; the lists are
/// written, and the broker has not read them.
[[nodiscard]] Outcome<UniqueFd> lock_reload(const BrokerFiles& files,
                                            std::chrono::seconds max_wait = std::chrono::minutes(10));

/// Tells the broker that runs with this folder's configuration to read the permissions, the revocation list and its
/// certificate again. Mosquitto receives SIGHUP. Returns whether such a process runs.
[[nodiscard]] bool reload_broker(const BrokerFiles& files, BrokerKind kind);

/// The largest sealed frame, and 64 KiB for its topic and the MQTT headers.
inline constexpr std::size_t max_packet = limits::max_message_size + (64U << 10);
/// Limits of the queue for one slow subscriber: about one second of pictures, and the memory of two largest frames.
inline constexpr int max_queued_messages = 40;
inline constexpr std::size_t max_queue = 2 * max_packet;

}  // namespace sealcam::owner
