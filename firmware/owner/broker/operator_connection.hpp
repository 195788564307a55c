// SPDX-License-Identifier: Apache-2.0
/// The operator's own connections to the broker on this machine. Each one has a new key, whose certificate the
/// authority signs. The key exists in memory only.
#pragma once

#include <string>
#include <vector>

#include "base/types.hpp"
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

/// Deletes the retained message of each topic (MQTT 5 section 3.3.1.3). EX_UNAVAILABLE: not all were deleted.
[[nodiscard]] Outcome<> delete_retained(const BrokerFiles& files, const AuthorityKey& authority,
                                        const std::vector<std::string>& topics);

}  // namespace sealcam::owner
