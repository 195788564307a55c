// SPDX-License-Identifier: Apache-2.0
/// How a device joins the account: it is authorized at the broker, added to the account, and enrolled. The device's
/// state folder is on this machine (enroll), or the device is in the local network (pair).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "device/enrollment.hpp"
#include "owner/account/account.hpp"
#include "owner/broker/operator.hpp"
#include "protocol/command.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::owner {

/// Options of a new device.
struct EnrollmentOptions {
  std::string name;  ///< a camera's grants contain its name, sealed; no message contains the name of a hub
  std::shared_ptr<const Operator> broker;
  std::optional<std::string> host;  ///< replaces the broker's own address
  std::optional<std::uint16_t> port;
};

struct EnrollRequest {
  protocol::Role role = protocol::Role::camera;
  std::filesystem::path state;  ///< absolute
  EnrollmentOptions options;
};

struct PairRequest {
  protocol::Role role = protocol::Role::camera;
  protocol::PairingString shown;              ///< the pairing string that the device shows
  std::optional<protocol::HostPort> address;  ///< replaces the address in the pairing string
  EnrollmentOptions options;
  std::optional<protocol::Wifi> wifi{};  ///< a camera joins this network after the pairing
};

struct Enrolled {
  DeviceId id;
  bool reloaded = false;       ///< a running broker read its access list again
  std::string model, version;  ///< as a paired device reported them; printable
};

/// The files that a device made for its authorization.
struct DeviceRequest {
  protocol::DeviceDescriptor descriptor;
  Bytes signed_descriptor;  ///< the message of the descriptor
  std::string request_pem;  ///< certificate request
};

/// Reads the files of a device in a state folder. Fails if it has another role.
[[nodiscard]] Outcome<DeviceRequest> read_device_request(const device::StateFiles& files, protocol::Role role);

/// Signs the owner's authorization. Fails if the certificate request is not for the id and the TLS key in the
/// descriptor.
[[nodiscard]] Outcome<AuthorizationRequest> authorization_request(const Account& account, const DeviceRequest& device);
/// The requests of the owner's own connection and of this machine's hub, if they are not authorized yet.
[[nodiscard]] Outcome<std::vector<AuthorizationRequest>> requests_of_this_machine(const Account& account);

/// Authorizes the owner's own connection and this machine's hub, if they are not authorized yet, and makes the broker
/// accept them.
[[nodiscard]] Outcome<> connect_account(const Account& account, const Operator& broker);

/// Everything that a new device needs.
struct EnrollmentBundle {
  device::Enrollment enrollment;
  std::optional<Bytes> roster;  ///< cameras only: the whole signed message
  BrokerAccess access = BrokerAccess::no_broker;
};

/// Checks that the name is valid and that no other device has it.
[[nodiscard]] Outcome<> check_enrollment_options(const Account& account, const EnrollmentOptions& options,
                                                 protocol::Role role, const DeviceId& device);
/// The steps that can fail before the device is involved: checks the options, and authorizes the owner's own connection
/// and this machine's hub, if they are not authorized yet. Returns whether it authorized one of them; the broker
/// accepts it after Operator::apply().
[[nodiscard]] Outcome<bool> prepare_enrollment(const Account& account, const EnrollmentOptions& options,
                                               protocol::Role role, const DeviceId& device);
/// After prepare_enrollment(): authorizes the device, writes the lists of the broker, adds the device to the account
/// and renews the rosters. Sends nothing to the device, and takes no longer than a device waits.
[[nodiscard]] Outcome<EnrollmentBundle> make_enrollment_bundle(Account& account, const DeviceRequest& device,
                                                               const EnrollmentOptions& options, const Clock& clock);
/// After the last message to the device: makes the broker accept the device if that is still pending. Returns whether a
/// running broker read its access list again.
[[nodiscard]] Outcome<bool> finish_access(const Operator& broker, const EnrollmentBundle& bundle);

/// Reads a state folder on this machine, and makes keys if it is new. Fails if the device has another owner.
[[nodiscard]] Outcome<DeviceRequest> local_device(const Account& account, protocol::Role role,
                                                  const std::filesystem::path& state);
/// Enrolls a device whose state folder is on this machine. If it is already enrolled, its certificate and its name are
/// renewed. Rosters are renewed, but not published.
[[nodiscard]] Outcome<Enrolled> enroll(Account& account, const EnrollRequest& request, const Clock& clock);

/// Gets the descriptor and the certificate request of a device in the network, for an operator on another machine. The
/// device proves its id. It stays unpaired, and its pairing code stays valid. Failures are those of pair().
[[nodiscard]] Outcome<DeviceRequest> request_from_device(const Account& account, const PairRequest& request);
/// Pairs a device in the network. Blocks for about a minute at most. Each failure has a message with the next step.
/// Rosters are renewed, but not published.
[[nodiscard]] Outcome<Enrolled> pair(Account& account, const PairRequest& request, const Clock& clock);

}  // namespace sealcam::owner
