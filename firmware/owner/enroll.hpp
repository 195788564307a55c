// SPDX-License-Identifier: Apache-2.0
/// How a device whose state folder is on this machine becomes the account's: admitted to the broker, recorded,
/// enrolled. (Pairing over the network will do the same with a device that is elsewhere.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "owner/account.hpp"
#include "owner/broker_setup.hpp"

namespace sealcam::owner {

struct EnrollRequest {
  protocol::Role role = protocol::Role::camera;
  std::filesystem::path state;  ///< absolute
  std::string name;             ///< a camera's travels sealed in its grants; a hub's stays here
  BrokerFiles broker;
  std::optional<std::string> host;  ///< instead of the broker's own
  std::optional<std::uint16_t> port;
};

struct Enrolled {
  DeviceId id;
  bool reloaded = false;  ///< a running broker was told
};

/// The owner's statement about a device's certificate request.
[[nodiscard]] Outcome<Bytes> make_admission(const Account& account, const protocol::Card& card,
                                            std::string_view request_pem);

/// Admits the owner's own connection and this machine's hub, when they are not yet; as after a restore.
[[nodiscard]] Outcome<> connect_account(const Account& account, const BrokerFiles& broker);

/// Doing it again for the same device renews its certificate and name. The owner's own connection and this machine's
/// hub are admitted on the way when they are not yet. Rosters are renewed, not published.
[[nodiscard]] Outcome<Enrolled> enroll(Account& account, const EnrollRequest& request, const Clock& clock);

}  // namespace sealcam::owner
