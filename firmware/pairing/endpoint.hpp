// SPDX-License-Identifier: Apache-2.0
/// The device's side of pairing without its sockets: what is answered to which request, and who has the claim.
/// README.md beside this file says why it is so, firmware/protocol/README.md what is said.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "core/log.hpp"
#include "pairing/installer.hpp"
#include "pairing/tries.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::pairing {

/// What a request is answered with.
struct Reply {
  unsigned status = 200;  ///< of HTTP (RFC 9110 section 15)
  std::string body;       ///< JSON
  bool go_on = true;      ///< false: the connection ends with it
};

/// One for all connections of a device that belongs to nobody. Thread-bound; outlives its conversations.
class Endpoint {
 public:
  static constexpr unsigned max_tries = 5;
  static constexpr std::chrono::seconds claim_time{60};

  struct Device {
    protocol::Role role = protocol::Role::camera;
    crypto::DeviceKeys keys;
    Bytes card;
    std::string request_pem;
    std::array<std::byte, crypto::PublicKey::size> tls_key;  ///< public, what the request is about
    std::string version, model;                              ///< for the owner's eyes
  };
  struct Parts {
    TryCounter& tries;
    Installer& installer;
    const Clock& clock;
    Log& log;
  };
  class Conversation;

  Endpoint(Device device, protocol::PairingCode code, const Parts& parts);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// The device is somebody's: nothing more is to be listened for.
  [[nodiscard]] bool paired() const noexcept { return paired_; }
  /// Too many wrong codes: no claim is taken until the next power-up.
  [[nodiscard]] bool closed() const noexcept { return parts_.tries.used() >= max_tries; }
  [[nodiscard]] const protocol::PairingCode& code() const noexcept { return code_; }
  [[nodiscard]] const Device& device() const noexcept { return device_; }

 private:
  [[nodiscard]] bool busy() const noexcept;
  [[nodiscard]] Reply judge_code(const protocol::PairingCode& given);

  Device device_;
  protocol::PairingCode code_;
  Parts parts_;
  const Conversation* claimant_ = nullptr;
  MonotonicTime claimed_until_;
  bool paired_ = false;
  RateLimit refusals_{std::chrono::seconds(10)};
};

/// What is said over one connection: hello, claim, enrol, each once and in this order; any refusal is the end of it.
/// The claim ends with the object. Neither copied nor moved.
class Endpoint::Conversation {
 public:
  /// `channel`: exported by this end of the connection.
  Conversation(Endpoint& endpoint, protocol::ChannelBinding channel)
      : endpoint_(endpoint), channel_(std::move(channel)) {}
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation();

  /// Never fails: what is wrong is said in the reply.
  [[nodiscard]] Reply answer(std::string_view method, std::string_view target, std::string_view body);
  /// Only this conversation may enrol now.
  [[nodiscard]] bool has_claim() const noexcept;

 private:
  enum class Step { hello, claim, enrol, ended };
  [[nodiscard]] Reply say(std::string_view target, std::string_view body);
  [[nodiscard]] Reply hello(std::string_view body);
  [[nodiscard]] Reply claim(std::string_view body);
  [[nodiscard]] Reply enrol(std::string_view body);
  [[nodiscard]] Reply finish(const protocol::PairingEnrolment& message);

  Endpoint& endpoint_;
  protocol::ChannelBinding channel_;
  Step step_ = Step::hello;
  std::optional<crypto::Verifier> owner_;  ///< who claimed
};

/// A refusal's body: {"error": word, "message": sentence}; the word is for programs.
[[nodiscard]] Reply refusal(unsigned status, std::string_view word, std::string_view message);

}  // namespace sealcam::pairing
