// SPDX-License-Identifier: Apache-2.0
#include <format>

#include "owner/broker_setup.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::owner {

namespace {

/// A frame with its topic, MQTT's own headers and room to spare.
constexpr std::size_t largest_packet = protocol::max_message_size + (64U << 10);

/// What one slow subscriber may have waiting: about a second of pictures, and no more memory than two key frames of
/// the largest size.
constexpr int longest_queue = 40;
constexpr std::size_t largest_queue = 2 * largest_packet;

std::string head(const BrokerSettings& settings) {
  return std::format(R"(# Mosquitto for Sealcam, made by 'sealcam broker init'.
# The broker sees sizes, times and identities; it holds no key that opens a picture.

# Devices come in here and nowhere else.
listener {} {}
)",
                     settings.port, settings.listen);
}

std::string admission(const BrokerFiles& files) {
  return std::format(R"(
# TLS 1.3 and nothing older; both sides show certificates.
tls_version tlsv1.3
# Who was admitted has a certificate of this authority.
cafile {}
# The broker's own certificate and key.
certfile {}
keyfile {}
require_certificate true
# The certificate's common name, a device's identity, is user name and client id: nobody can take another's place.
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
# One block per device; what no block allows is refused. 'sealcam broker' writes it, SIGHUP reads it again.
acl_file {}
)",
                     files.authority().string(), files.server_certificate().string(), files.server_key().string(),
                     files.access_list().string());
}

std::string limits() {
  return std::format(R"(
# Small writes leave at once; without this a picture's last piece waits for the one before it (tens of milliseconds).
set_tcp_nodelay true
# A hub on a slow line loses pictures instead of getting old ones: about one second of them may wait.
max_queued_messages {}
max_queued_bytes {}
# Messages with an acknowledgement that may be under way to one device.
max_inflight_messages 20
# The largest frame and what is around it; larger packets are refused.
max_packet_size {}
# A device that was gone for a day starts afresh.
persistent_client_expiration 1d
# The newest still, grants and rosters are retained.
retain_available true
)",
                     longest_queue, largest_queue, largest_packet);
}

std::string storage(const BrokerFiles& files, const std::string& user) {
  std::string out = std::format(R"(
# Retained messages outlive a restart: rosters, commands, grants, the newest still. All of it is signed or sealed.
persistence true
persistence_location {}/
autosave_interval 60
# 'sealcam broker admit' and 'expel' find the running broker by it.
pid_file {}
# Errors and warnings only: the log keeps no topics and no record of who connected when.
log_dest stderr
log_type error
log_type warning
connection_messages false
)",
                                files.folder.string(), files.pid().string());
  if (!user.empty())
    out += std::format("# Whom the broker becomes when root starts it: the owner of these files.\nuser {}\n", user);
  return out;
}

}  // namespace

std::string mosquitto_configuration(const BrokerFiles& files, const BrokerSettings& settings, const std::string& user) {
  return head(settings) + admission(files) + limits() + storage(files, user);
}

}  // namespace sealcam::owner
