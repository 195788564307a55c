// SPDX-License-Identifier: Apache-2.0
/// Who admits an account's devices to a broker: a broker's folder on this machine, or an operator elsewhere, to whom
/// one file goes and from whom one comes back. Neither file is secret.
///
///     requests  {"version": 1, "devices": [{"request": PEM, "admission": hexadecimal}]}
///     answer    {"version": 1, "broker": {"host", "port"}, "authority": PEM, "certificates": [PEM]}
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "owner/admission.hpp"
#include "owner/broker_setup.hpp"
#include "owner/failure.hpp"

namespace sealcam::owner {

/// Thread-bound.
class Operator {
 public:
  /// Where devices find the broker.
  struct Address {
    std::string host;
    std::uint16_t port = 0;
  };
  struct Admittance {
    std::string certificate_pem;
    bool reloaded = false;  ///< a running broker on this machine was told
  };

  virtual ~Operator() = default;
  [[nodiscard]] virtual Outcome<Address> address() const = 0;
  /// PEM.
  [[nodiscard]] virtual Outcome<std::string> authority() const = 0;
  /// `admission`: the owner's statement about the request.
  [[nodiscard]] virtual Outcome<Admittance> admit(std::string_view request_pem, ByteView admission) const = 0;
  /// Where the account's broker is on this machine; empty when it is elsewhere.
  [[nodiscard]] virtual std::filesystem::path folder() const = 0;
};

[[nodiscard]] std::shared_ptr<const Operator> operator_here(const BrokerFiles& files);
/// Fails when the file is no answer. Certificates are handed out only for the request that they are about.
[[nodiscard]] Outcome<std::shared_ptr<const Operator>> operator_who_answered(const std::filesystem::path& file);

/// One device's certificate request and what its owner says about it.
struct AdmissionRequest {
  std::string request_pem;
  Bytes admission;
};
[[nodiscard]] Outcome<> write_requests(const std::filesystem::path& file, const std::vector<AdmissionRequest>& devices);
[[nodiscard]] Outcome<std::vector<AdmissionRequest>> read_requests(const std::filesystem::path& file);

/// Entries in one file. An owner sends three: one device, the owner's own connection and this machine's hub.
inline constexpr std::size_t most_requests = 16;

/// Admits every device of a file of requests, in its order, or none where one entry is refused: all are checked first.
/// The failure names the entry and says that nobody was admitted. Where the broker's folder cannot be written half
/// way, it says how many were; asking again with the same file is allowed. Errors as of admit(); EX_CONFIG: more than
/// `most_requests`, two accounts, or one device twice.
[[nodiscard]] Outcome<std::vector<AdmittedDevice>> admit_all(const BrokerFiles& files,
                                                             const std::vector<AdmissionRequest>& requests);

struct Answer {
  Operator::Address address;
  std::string authority_pem;
  std::vector<std::string> certificates_pem;
};
[[nodiscard]] Outcome<> write_answer(const std::filesystem::path& file, const Answer& answer);

}  // namespace sealcam::owner
