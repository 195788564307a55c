// SPDX-License-Identifier: Apache-2.0
/// The owner's side of pairing: one connection to one device. The code leaves this machine only after the device
/// proved, over this very connection, that it is the one in the pairing string.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>

#include "protocol/card.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::pairing {

/// Why it went no further.
struct ClientFailure {
  enum class Kind {
    unreachable,   ///< no connection, or it ended
    timeout,       ///< connected, then nothing came
    not_a_device,  ///< answers are not those of a device in pairing
    in_between,    ///< the proof belongs to another connection: somebody relays this one
    other_device,  ///< a device, but not the one in the pairing string
    other_role,    ///< a hub where a camera was meant, or the other way round
    wrong_code,    ///< `tries_left` are left
    busy,          ///< somebody else has the claim
    closed,        ///< too many wrong codes since it was switched on
    refused,       ///< anything else; `words` are the device's own
    own_fault,     ///< this machine could not make a message
  };
  Kind kind = Kind::refused;
  unsigned tries_left = 0;
  std::string words;  ///< for people, printable
};
template <class T = void>
using ClientResult = std::expected<T, ClientFailure>;

struct ClientPatience {
  std::chrono::milliseconds connect{10'000};  ///< name, TCP and TLS together
  std::chrono::milliseconds answer{20'000};   ///< each
};

/// Who answered, proven.
struct Introduction {
  protocol::Card card;
  std::string version, model;  ///< the device's own words, printable
};

/// Blocks, within its patience. Thread-bound. Move-only.
class Client {
 public:
  [[nodiscard]] static ClientResult<Client> connect(const protocol::HostPort& at, const ClientPatience& patience = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Succeeds only when the device with that id signed what this end of the connection exports.
  [[nodiscard]] ClientResult<Introduction> hello(const DeviceId& expected, protocol::Role role);
  /// After hello(). Returns the device's certificate request (PEM), which names the device.
  [[nodiscard]] ClientResult<std::string> claim(const protocol::PairingCode& code, const crypto::SigningKey& owner);
  /// After claim(), within a minute. The device is the owner's when this returns.
  [[nodiscard]] ClientResult<> enrol(const protocol::PairingEnrolment& enrolment, const crypto::SigningKey& owner);

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam::pairing
