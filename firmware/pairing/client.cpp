// SPDX-License-Identifier: Apache-2.0
#include "pairing/client.hpp"

#include "base/bytes.hpp"
#include "base/format.hpp"

namespace sealcam::pairing {

using Kind = ClientFailure::Kind;

/// `content`: JSON; wiped.
ClientResult<HttpReply> Client::post(std::string_view step, std::string content) {
  const auto target = sealcam::format("/pairing/1/{}", step);
  return connection_.request({"POST", target, "application/json", std::move(content)});
}

ClientResult<Client> Client::connect(const protocol::HostPort& at, const ClientTimeouts& timeout) {
  auto connection = HttpsConnection::connect(at, timeout);
  if (!connection) return std::unexpected(std::move(connection.error()));
  auto channel = connection->channel();
  if (!channel) return std::unexpected(std::move(channel.error()));
  return Client(std::move(*connection), DeviceReplies(std::move(*channel)));
}

ClientResult<Introduction> Client::hello(const DeviceId& expected, protocol::Role role) {
  const auto reply = post("hello", "{}");
  if (!reply) return std::unexpected(reply.error());
  return replies_.hello(*reply, expected, role);
}

ClientResult<std::string> Client::claim(const protocol::PairingCode& code, const crypto::SigningKey& owner) {
  SC_ASSERT(replies_.device().has_value());
  auto message = protocol::encode_pairing_claim(code, replies_.channel(), *replies_.device(), owner);
  if (!message) return failed(Kind::own_fault, message.error().what);
  const auto reply = post("claim", sealcam::format(R"({{"claim":"{}"}})", to_base64url(*message)));
  wipe(*message);
  if (!reply) return std::unexpected(reply.error());
  return replies_.claim(*reply);
}

ClientResult<> Client::enroll(const protocol::PairingEnrollment& enrollment, const crypto::SigningKey& owner) {
  SC_ASSERT(replies_.claimed());
  auto message = protocol::encode_pairing_enrollment(enrollment, replies_.channel(), *replies_.device(), owner);
  if (!message) return failed(Kind::own_fault, message.error().what);
  const auto reply = post("enroll", sealcam::format(R"({{"enrollment":"{}"}})", to_base64url(*message)));
  wipe(*message);
  if (!reply) return std::unexpected(reply.error());
  return replies_.enroll(*reply);
}

}  // namespace sealcam::pairing
