// SPDX-License-Identifier: Apache-2.0
/// A set-up of RabbitMQ 4 with its MQTT plugin: one node, or a cluster.
///
///     rabbitmq-env.conf   places of all files; RABBITMQ_CONF_ENV_FILE names it
///     rabbitmq.conf       listener and limits
///     advanced.config     TLS, with the revocation list in crl
///     enabled_plugins
///     definitions.json    one user for each device, with its topics; RabbitMQ reads it at each start
///     imported.json       the definitions.json that the running RabbitMQ has
///     changes.json        the entries of the last import
///     data, log           RabbitMQ's own files
///     nodes/<machine>     the files of another machine of a cluster, which stores them in a folder with the same path
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "owner/broker/broker_setup.hpp"
#include "owner/broker/device_records.hpp"

namespace sealcam::owner {

/// Checks BrokerSettings::nodes. EX_USAGE: fewer than three, not one host for each, names that Erlang cannot use
/// together, or another program than RabbitMQ.
[[nodiscard]] Outcome<> check_nodes(const BrokerSettings& settings);

/// The name of the Erlang node on a machine of a cluster. Empty: of the only node.
[[nodiscard]] std::string rabbitmq_node(std::string_view machine);

/// Writes all files of this machine except definitions.json.
[[nodiscard]] Outcome<> write_rabbitmq_configuration(const BrokerFiles& files, const BrokerSettings& settings);

/// Writes the files of the other machines of a cluster. The files that they share with this machine must exist.
[[nodiscard]] Outcome<> write_rabbitmq_nodes(const BrokerFiles& files, const BrokerSettings& settings);

/// The files that all machines of a cluster have: certificates, key and revocation list.
[[nodiscard]] std::vector<std::filesystem::path> rabbitmq_shared_files(const BrokerFiles& files);

/// The command that starts RabbitMQ with this folder.
[[nodiscard]] std::string rabbitmq_command(const BrokerFiles& files);

/// definitions.json. RabbitMQ replaces {client_id}, which the certificate determines, so the pattern of a camera's
/// topics contains no list. RabbitMQ ends the connection of a device that uses another topic. Therefore a device writes
/// the topics of permissions() also with `former` (revoked) devices, which its account may still use, and it reads the
/// topics of its role for all devices of its account.
[[nodiscard]] std::string rabbitmq_definitions(std::vector<Authorized> devices, const std::vector<Authorized>& former);

/// The entries of `definitions` that `imported` (an earlier text) does not contain, because an import takes about 25 ms
/// for each device. Everything if `imported` is damaged.
[[nodiscard]] std::string rabbitmq_changes(std::string_view definitions, std::string_view imported);

/// `changes` as definitions with at most this number (> 0) of entries of each kind, in the order of their import.
[[nodiscard]] std::vector<std::string> rabbitmq_imports(const std::string& changes, std::size_t entries);

/// An Erlang expression that evaluates `expression` in the node of this folder only. All nodes have the same name by
/// default, so another node compares its process id with rabbitmq.pid, and its value is then not `ok`.
[[nodiscard]] std::string rabbitmq_expression(const BrokerFiles& files, std::string_view expression);

/// Imports the changes of definitions.json since the last call into the RabbitMQ of this folder, and gives the other
/// nodes of a cluster the shared files. Returns false if no node is running on this machine. Takes 20 ms with erl_call,
/// and seconds to minutes with rabbitmqctl.
[[nodiscard]] bool reload_rabbitmq(const BrokerFiles& files);

/// Ends the connections of a device and deletes its user, because an import deletes no user. EX_UNAVAILABLE: RabbitMQ
/// did not import the file.
[[nodiscard]] Outcome<> remove_rabbitmq_user(const BrokerFiles& files, const DeviceId& device);

}  // namespace sealcam::owner
