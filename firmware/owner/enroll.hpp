// SPDX-License-Identifier: Apache-2.0
/// How a device becomes the account's: admitted to the broker, recorded, enrolled. Its state folder may be on this
/// machine (enroll) or the device elsewhere (pair.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "owner/account.hpp"
#include "owner/operator.hpp"

namespace sealcam::owner {

/// What a device is told and called, wherever it is.
struct Terms {
  std::string name;  ///< a camera's travels sealed in its grants; a hub's stays here
  std::shared_ptr<const Operator> broker;
  std::optional<std::string> host;  ///< instead of the broker's own
  std::optional<std::uint16_t> port;
};

struct EnrollRequest {
  protocol::Role role = protocol::Role::camera;
  std::filesystem::path state;  ///< absolute
  Terms terms;
};

struct Enrolled {
  DeviceId id;
  bool reloaded = false;  ///< a running broker was told
};

/// The owner's statement about a device's certificate request.
[[nodiscard]] Outcome<Bytes> make_admission(const Account& account, const protocol::Card& card,
                                            std::string_view request_pem);

/// The same for an operator elsewhere.
[[nodiscard]] Outcome<AdmissionRequest> admission_request(const Account& account, const protocol::Card& card,
                                                          std::string request_pem);

/// What an operator elsewhere is asked for beside a device: the owner's own connection and this machine's hub, when
/// they are not admitted yet.
[[nodiscard]] Outcome<std::vector<AdmissionRequest>> requests_of_this_machine(const Account& account);

/// Admits the owner's own connection and this machine's hub, when they are not yet; as after a restore.
[[nodiscard]] Outcome<> connect_account(const Account& account, const Operator& broker);

/// Everything that makes a device the account's.
struct Welcome {
  pairing::Enrolment enrolment;
  std::optional<Bytes> roster;  ///< cameras: the whole signed message
  bool reloaded = false;        ///< a running broker was told
};

/// The name is good, and free for that device.
[[nodiscard]] Outcome<> check_terms(const Account& account, const Terms& terms, protocol::Role role,
                                    const DeviceId& device);

/// What can fail is tried before the device hears of anything: the name is good and free for that device, the broker is
/// there. The owner's own connection and this machine's hub are admitted on the way when they are not yet.
[[nodiscard]] Outcome<> prepare(const Account& account, const Terms& terms, protocol::Role role,
                                const DeviceId& device);

/// After prepare(): admits the device at the broker, records it and renews rosters. The device itself learns nothing
/// yet.
[[nodiscard]] Outcome<Welcome> welcome(Account& account, const protocol::Card& card, std::string_view request_pem,
                                       const Terms& terms, const Clock& clock);

/// Its card and certificate request, from a state folder on this machine; keys are made when it is new. Nobody else's
/// device.
[[nodiscard]] Outcome<std::pair<protocol::Card, std::string>> device_here(const Account& account, protocol::Role role,
                                                                          const std::filesystem::path& state);

/// Doing it again for the same device renews its certificate and name. The owner's own connection and this machine's
/// hub are admitted on the way when they are not yet. Rosters are renewed, not published.
[[nodiscard]] Outcome<Enrolled> enroll(Account& account, const EnrollRequest& request, const Clock& clock);

}  // namespace sealcam::owner
