// SPDX-License-Identifier: Apache-2.0
/// The end of a device's access: its certificates are on the revocation list, the access list has no topics for it, its
/// session ends, and the broker deletes the retained messages that only it could replace.
#pragma once

#include <cstddef>
#include <string>

#include "owner/broker/device_records.hpp"

namespace sealcam::owner {

/// Makes the broker's permissions and the certificate revocation list from the records.
[[nodiscard]] Outcome<> write_access(const BrokerFiles& files, BrokerKind kind);

/// What happened at a running broker.
struct Revoked {
  bool reloaded = false;   ///< a broker with this folder runs on this machine and read the lists again
  bool cleared = false;    ///< sessions of revoked devices ended, and their retained messages are deleted
  std::size_t topics = 0;  ///< whose retained messages are deleted
  std::string why_not;     ///< why the broker was not cleared
};

/// Revokes all certificates of the device and removes its permissions. Both are durable before the running broker is
/// told. A broker that does not run is cleared by a later call of this function or of clear_revoked(). Fails if the
/// device is neither authorized nor waiting for that.
[[nodiscard]] Outcome<Revoked> revoke(const BrokerFiles& files, const DeviceId& device);

/// Ends the sessions of revoked devices and deletes their retained messages, if that is not done yet. The caller has
/// locked the folder, and the running broker has read the lists.
[[nodiscard]] Outcome<Revoked> clear_revoked(const BrokerFiles& files, BrokerKind kind);

}  // namespace sealcam::owner
