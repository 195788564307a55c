// SPDX-License-Identifier: Apache-2.0
/// The owner's side of pairing: one connection to one device. The client sends the code only after the device proved
/// over this connection that it is the device of the pairing string.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>

#include "protocol/device_descriptor.hpp"
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

struct ClientTimeouts {
  std::chrono::milliseconds connect{10'000};  ///< name, TCP and TLS together
  std::chrono::milliseconds answer{20'000};   ///< for each reply
};

/// A device that proved its identity.
struct Introduction {
  protocol::DeviceDescriptor descriptor;
  Bytes signed_descriptor;     ///< the message, for the operator
  std::string version, model;  ///< as the device reports them, printable
};

/// Each call blocks until its timeout at most. Thread-bound. Move-only.
class Client {
 public:
  [[nodiscard]] static ClientResult<Client> connect(const protocol::HostPort& at, const ClientTimeouts& timeout = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Succeeds only if the expected device signed the keying material that this end of the connection exports.
  [[nodiscard]] ClientResult<Introduction> hello(const DeviceId& expected, protocol::Role role);
  /// Call after hello(). Returns the device's certificate request (PEM). Its name is the device's id, and its key is
  /// the TLS key in the device's descriptor.
  [[nodiscard]] ClientResult<std::string> claim(const protocol::PairingCode& code, const crypto::SigningKey& owner);
  /// Call within a minute after claim(). On success the device is paired.
  [[nodiscard]] ClientResult<> enroll(const protocol::PairingEnrollment& enrollment, const crypto::SigningKey& owner);

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam::pairing
