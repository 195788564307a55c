// SPDX-License-Identifier: Apache-2.0
/// The device's side of pairing without sockets: it answers the requests hello, claim and enroll and limits the number
/// of wrong codes. firmware/docs/pairing.md explains the procedure, firmware/protocol/README.md the messages.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "device/enrollment.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::pairing {

/// Counts wrong pairing codes since the device was switched on. Thread-bound.
class TryCounter {
 public:
  virtual ~TryCounter() = default;
  /// Wrong codes since the device was switched on.
  [[nodiscard]] unsigned used() const noexcept { return do_used(); }
  /// Counts one more, durably. Errors: permission, io; this process then still counts it.
  [[nodiscard]] Result<> count() { return do_count(); }

 private:
  [[nodiscard]] virtual unsigned do_used() const noexcept = 0;
  [[nodiscard]] virtual Result<> do_count() = 0;
};

/// A line "<boot id> <number>" in the state folder. The file outlives the program, so that a restart of the program
/// gives no new tries.
class FileTryCounter final : public TryCounter {
 public:
  /// The number that a damaged file counts as: it closes pairing until the next boot.
  static constexpr unsigned damaged = 1000;
  /// `boot` identifies this boot of the kernel. A file of another boot counts as 0. Errors: permission, io.
  [[nodiscard]] static Result<FileTryCounter> open(std::filesystem::path file, std::string boot);

 private:
  FileTryCounter(std::filesystem::path file, std::string boot, unsigned used)
      : file_(std::move(file)), boot_(std::move(boot)), used_(used) {}
  [[nodiscard]] unsigned do_used() const noexcept override { return used_; }
  [[nodiscard]] Result<> do_count() override;
  [[nodiscard]] Result<> store() const;
  std::filesystem::path file_;
  std::string boot_;
  unsigned used_;
};

/// The kernel's boot id (/proc/sys/kernel/random/boot_id). Errors: not_found, permission, io, malformed.
[[nodiscard]] Result<std::string> boot_id();

struct Reply {
  unsigned status = 200;  ///< HTTP status (RFC 9110 section 15)
  std::string body;       ///< JSON
  bool go_on = true;      ///< false: the connection ends after this reply
};

/// The state that all connections to an unpaired device share. Thread-bound; outlives its sessions.
class Endpoint {
 public:
  static constexpr unsigned max_tries = 5;
  static constexpr std::chrono::seconds claim_time{60};

  struct Device {
    protocol::Role role = protocol::Role::camera;
    crypto::DeviceKeys keys;
    Bytes descriptor;
    std::string request_pem;
    std::array<std::byte, crypto::PublicKey::size> tls_key;  ///< public key of the certificate request
    std::string version, model;                              ///< the owner's machine shows them
  };
  struct Dependencies {
    TryCounter& tries;
    device::Installer& installer;
    const Clock& clock;
    Log& log;
  };
  class Session;

  Endpoint(Device device, protocol::PairingCode code, const Dependencies& deps);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// The device is paired, and the server must stop listening.
  [[nodiscard]] bool paired() const noexcept { return paired_; }
  /// After too many wrong codes, the device accepts no claim until the next boot.
  [[nodiscard]] bool closed() const noexcept { return deps_.tries.used() >= max_tries; }
  [[nodiscard]] const protocol::PairingCode& code() const noexcept { return code_; }
  [[nodiscard]] const Device& device() const noexcept { return device_; }

 private:
  [[nodiscard]] bool busy() const noexcept;
  [[nodiscard]] Reply judge_code(const protocol::PairingCode& given);

  Device device_;
  protocol::PairingCode code_;
  Dependencies deps_;
  const Session* claimant_ = nullptr;
  MonotonicTime claimed_until_;
  bool paired_ = false;
  RateLimit rejections_{std::chrono::seconds(10)};
};

/// One connection. Answers hello, claim and enroll, each once and in this order. A rejection ends the session, and the
/// session's claim ends with the object. Cannot be copied or moved.
class Endpoint::Session {
 public:
  /// `channel`: exported from this connection.
  Session(Endpoint& endpoint, protocol::ChannelBinding channel) : endpoint_(endpoint), channel_(std::move(channel)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Never fails: the reply names the fault of a request.
  [[nodiscard]] Reply answer(std::string_view method, std::string_view target, std::string_view body);
  /// Only the session with the claim may enroll.
  [[nodiscard]] bool has_claim() const noexcept;

 private:
  enum class Step { hello, claim, enroll, ended };
  [[nodiscard]] Reply dispatch(std::string_view target, std::string_view body);
  [[nodiscard]] Reply hello(std::string_view body);
  [[nodiscard]] Reply claim(std::string_view body);
  [[nodiscard]] Reply enroll(std::string_view body);
  [[nodiscard]] Reply finish(const protocol::PairingEnrollment& message);

  Endpoint& endpoint_;
  protocol::ChannelBinding channel_;
  Step step_ = Step::hello;
  std::optional<crypto::Verifier> owner_;  ///< of the claim
};

/// A reply with the body {"error": word, "message": text}. The word is for programs.
[[nodiscard]] Reply rejection(unsigned status, std::string_view word, std::string_view message);

}  // namespace sealcam::pairing
