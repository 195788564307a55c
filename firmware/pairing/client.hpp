// SPDX-License-Identifier: Apache-2.0
/// The owner's side of pairing: one connection to one device. The client sends the code only after the device proved
/// over this connection that it is the device of the pairing string.
#pragma once

#include "pairing/https_connection.hpp"
#include "pairing/replies.hpp"

namespace sealcam::pairing {

/// Each call blocks until its timeout at most. Thread-bound. Move-only.
class Client {
 public:
  [[nodiscard]] static ClientResult<Client> connect(const protocol::HostPort& at, const ClientTimeouts& timeout = {});

  /// Succeeds only if the expected device signed the keying material that this end of the connection exports.
  [[nodiscard]] ClientResult<Introduction> hello(const DeviceId& expected, protocol::Role role);
  /// Call after hello(). Returns the device's certificate request (PEM). Its name is the device's id, and its key is
  /// the TLS key in the device's descriptor.
  [[nodiscard]] ClientResult<std::string> claim(const protocol::PairingCode& code, const crypto::SigningKey& owner);
  /// Call within a minute after claim(). On success the device is paired.
  [[nodiscard]] ClientResult<> enroll(const protocol::PairingEnrollment& enrollment, const crypto::SigningKey& owner);

 private:
  Client(HttpsConnection connection, DeviceReplies replies) noexcept
      : connection_(std::move(connection)), replies_(std::move(replies)) {}
  [[nodiscard]] ClientResult<HttpReply> post(std::string_view step, std::string content);

  HttpsConnection connection_;
  DeviceReplies replies_;
};

}  // namespace sealcam::pairing
