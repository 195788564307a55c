// SPDX-License-Identifier: Apache-2.0
/// How a device elsewhere in the local network becomes the account's: pairing/client.hpp and the same steps as
/// enroll().
#pragma once

#include <optional>

#include "owner/enroll.hpp"
#include "protocol/pairing_string.hpp"
#include "protocol/wifi.hpp"

namespace sealcam::owner {

struct PairRequest {
  protocol::Role role = protocol::Role::camera;
  protocol::PairingString shown;              ///< what the device shows
  std::optional<protocol::HostPort> instead;  ///< of the address in it
  Terms terms;
  std::optional<protocol::Wifi> wifi{};  ///< a camera's: what it joins once it is paired
};

struct Paired {
  Enrolled enrolled;
  std::string model, version;  ///< the device's own words
};

/// The first visit, for an operator elsewhere: the device proves who it is and hands out its certificate request. It
/// stays nobody's, and its code good. Failures as of pair().
[[nodiscard]] Outcome<std::pair<protocol::Card, std::string>> introduce(const Account& account,
                                                                        const PairRequest& request);

/// Blocks for at most about a minute. Every failure is a sentence with the next step. Rosters are renewed, not
/// published.
[[nodiscard]] Outcome<Paired> pair(Account& account, const PairRequest& request, const Clock& clock);

}  // namespace sealcam::owner
