// SPDX-License-Identifier: Apache-2.0
/// What the owner's side of pairing believes of a device's replies. The device may be hostile.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "protocol/pairing.hpp"

namespace sealcam::pairing {

/// The reason why pairing failed.
struct ClientFailure {
  enum class Kind {
    unreachable,   ///< no connection, or the connection ended
    timeout,       ///< connected, but no reply in time
    not_a_device,  ///< the replies are not those of an unpaired device
    in_between,    ///< the proof belongs to another connection: an attacker relays this one
    other_device,  ///< another device than that of the pairing string
    other_role,    ///< a hub instead of a camera, or the reverse
    wrong_code,    ///< `tries_left` more tries are allowed
    busy,          ///< another owner has the claim
    closed,        ///< too many wrong codes since the device was switched on
    rejected,      ///< another rejection; `text` is the device's
    own_fault,     ///< this machine could not create a message
  };
  Kind kind = Kind::rejected;
  unsigned tries_left = 0;
  std::string text;  ///< for people, printable
};
template <class T = void>
using ClientResult = std::expected<T, ClientFailure>;
[[nodiscard]] std::unexpected<ClientFailure> failed(ClientFailure::Kind kind, std::string text,
                                                    unsigned tries_left = 0);

/// A device that proved its identity.
struct Introduction {
  protocol::DeviceDescriptor descriptor;
  Bytes signed_descriptor;     ///< the message, for the operator
  std::string version, model;  ///< as the device reports them, printable
};

/// An HTTP reply, after its framing was checked.
struct HttpReply {
  unsigned status = 0;  ///< RFC 9110 section 15
  std::string body;
};

/// Checks the replies of one connection, in their order. Thread-bound. Errors of all functions: not_a_device, and
/// wrong_code, busy, closed, in_between or rejected if the device rejected the request.
class DeviceReplies {
 public:
  static constexpr std::size_t max_text = 200;  ///< characters of the device in a failure or an Introduction
  /// `channel`: the keying material that this end of the connection exports.
  explicit DeviceReplies(protocol::ChannelBinding channel) : channel_(std::move(channel)) {}

  /// Succeeds only if the expected device signed the keying material. Errors: also other_device, in_between,
  /// other_role, own_fault.
  [[nodiscard]] ClientResult<Introduction> hello(const HttpReply& reply, const DeviceId& expected, protocol::Role role);
  /// After hello(). Returns the certificate request (PEM). It has the device's id and the TLS key of its descriptor.
  [[nodiscard]] ClientResult<std::string> claim(const HttpReply& reply);
  /// After claim(). The device is paired.
  [[nodiscard]] ClientResult<> enroll(const HttpReply& reply) const;

  [[nodiscard]] const protocol::ChannelBinding& channel() const noexcept { return channel_; }
  /// Set after hello().
  [[nodiscard]] const std::optional<DeviceId>& device() const noexcept { return device_; }
  [[nodiscard]] bool claimed() const noexcept { return claimed_; }

 private:
  protocol::ChannelBinding channel_;
  std::optional<DeviceId> device_;
  crypto::PublicKey tls_;  ///< of that device's descriptor
  bool claimed_ = false;
};

}  // namespace sealcam::pairing
