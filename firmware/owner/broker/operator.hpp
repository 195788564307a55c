// SPDX-License-Identifier: Apache-2.0
/// The operator of a broker, who authorizes an account's devices. The broker's folder is on this machine, or the
/// operator is on another machine: owner and operator then exchange two files. Neither file is secret.
///
///     requests  {"version": 1, "devices": [{"request": PEM, "descriptor": hexadecimal, "authorization": hexadecimal}]}
///     answer    {"version": 1, "broker": {"host", "port"}, "authority": PEM, "certificates": [PEM]}
///
/// Each of the operator's own connections to the broker on this machine has a new key, whose certificate the authority
/// signs. The key exists in memory only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "owner/broker/authorization.hpp"
#include "owner/broker/broker_setup.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

/// The operator's authority.
struct AuthorityKey {
  transport::TlsKey key;
  std::string certificate_pem;
};
[[nodiscard]] Outcome<AuthorityKey> read_authority(const BrokerFiles& files);

/// Ends the session of a device. The operator connects with the client id of the device, and MQTT 5 section 3.1.4
/// requires the broker to end the older session. A revoked device cannot return, because the broker has the revocation
/// list. EX_UNAVAILABLE: the broker is not reachable.
[[nodiscard]] Outcome<> end_session(const BrokerFiles& files, const AuthorityKey& authority, const DeviceId& device);

/// Deletes the retained message of each topic (MQTT 5 section 3.3.1.3), at each node of a cluster. EX_UNAVAILABLE: not
/// all were deleted.
[[nodiscard]] Outcome<> delete_retained(const BrokerFiles& files, const AuthorityKey& authority,
                                        const std::vector<std::string>& topics);

/// Thread-bound.
class Operator {
 public:
  /// The address of the broker for the devices of an account.
  struct Address {
    std::string host;
    std::uint16_t port = 0;
  };
  virtual ~Operator() = default;
  [[nodiscard]] virtual Outcome<Address> address(const AccountId& account) const = 0;
  /// The address of the broker for the phones of an account: `wss://HOST:PORT`. EX_CONFIG: the broker has no listener
  /// for phones, or it is on another machine; the message contains the next step.
  [[nodiscard]] virtual Outcome<std::string> web_address(const AccountId& account) const = 0;
  /// The certificate of the operator's authority (PEM).
  [[nodiscard]] virtual Outcome<std::string> authority() const = 0;
  /// Returns the certificate for a request (PEM), empty for a phone. The broker accepts the device after apply().
  [[nodiscard]] virtual Outcome<std::string> authorize(const AuthorizationRequest& request) const = 0;
  /// write_authorizations(), if the broker's folder is on this machine. An operator on another machine did it before
  /// the answer, and the result is `no_broker`.
  [[nodiscard]] virtual Outcome<BrokerAccess> write_lists() const = 0;
  /// apply_authorizations(), if the broker's folder is on this machine. Otherwise the result is false.
  [[nodiscard]] virtual Outcome<bool> apply() const = 0;
  /// The broker's folder on this machine; empty if the broker is on another machine.
  [[nodiscard]] virtual std::filesystem::path folder() const = 0;
};

[[nodiscard]] std::shared_ptr<const Operator> local_operator(const BrokerFiles& files);
/// An operator on another machine, by the file of answers. A certificate is returned only for the request that it
/// belongs to. Fails if the file is not an answer.
[[nodiscard]] Outcome<std::shared_ptr<const Operator>> remote_operator(const std::filesystem::path& file);

[[nodiscard]] Outcome<> write_requests(const std::filesystem::path& file,
                                       const std::vector<AuthorizationRequest>& devices);
[[nodiscard]] Outcome<std::vector<AuthorizationRequest>> read_requests(const std::filesystem::path& file);

/// Maximum number of entries in a file of requests. An owner sends three: one device, the owner's own connection and
/// the hub of the owner's machine.
inline constexpr std::size_t max_requests = 16;

/// Authorizes every device of a file of requests, in its order. The broker accepts them after apply_authorizations().
/// All entries are checked first; if one is rejected, no device is authorized and the failure names the entry. If the
/// broker's folder becomes unwritable, the failure contains the number of authorized devices, and the call can be
/// repeated. Errors: those of authorize(); EX_CONFIG for more than `max_requests`, two accounts, or one device twice.
[[nodiscard]] Outcome<std::vector<AuthorizedDevice>> authorize_all(const BrokerFiles& files,
                                                                   const std::vector<AuthorizationRequest>& requests);

struct Answer {
  Operator::Address address;
  std::string authority_pem;
  std::vector<std::string> certificates_pem;
};
[[nodiscard]] Outcome<> write_answer(const std::filesystem::path& file, const Answer& answer);

}  // namespace sealcam::owner
