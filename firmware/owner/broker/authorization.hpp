// SPDX-License-Identifier: Apache-2.0
/// Access to a broker, from its start to its end: an operator authorizes a device that its owner and the device itself
/// signed for, lists the devices, renews the broker's certificates, and revokes a device. After a revocation the
/// device's certificates are on the revocation list, the access list has no topics for it, its session ends, and the
/// broker deletes the retained messages that only it could replace.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "crypto/passphrase.hpp"
#include "owner/broker/broker_setup.hpp"
#include "owner/broker/device_records.hpp"

namespace sealcam::owner {

/// The data that an operator needs to authorize one device. The device signed the descriptor, which contains the key of
/// the certificate request. The owner signed the authorization. A phone has no certificate request: the owner's
/// authorization contains the hash of its password.
struct AuthorizationRequest {
  std::string request_pem;  ///< empty: a phone
  Bytes descriptor;
  Bytes authorization;
};

struct AuthorizedDevice {
  Authorized device;
  std::string certificate_pem;  ///< empty: a phone
};

/// Compares id, role and TLS key in the device's descriptor, in the owner's authorization and in the certificate
/// request. Signs the certificate, or accepts the hash of a phone's password, and writes the record of the device. The
/// broker accepts the device after apply_authorizations(). An account can authorize its device again. A device of
/// another account must be revoked first. Otherwise anyone who saw its request could move the device to another
/// account. Errors: EX_NOPERM (they differ, another account, another way to log in, or the account has too many
/// devices), EX_CONFIG (damaged, or a phone and no listener for phones).
[[nodiscard]] Outcome<AuthorizedDevice> authorize(const BrokerFiles& files, const AuthorizationRequest& request);

/// Whether the running broker accepts all authorized devices.
enum class BrokerAccess {
  no_broker,  ///< no broker with this folder runs on this machine
  pending,    ///< the lists are written, and apply_authorizations() is needed
  applied,
};

/// Writes the permissions of all authorized devices. Mosquitto reads them at once. RabbitMQ reads them in
/// apply_authorizations(), or at its next start, because this can take minutes on a busy machine.
[[nodiscard]] Outcome<BrokerAccess> write_authorizations(const BrokerFiles& files);

/// Writes the permissions of all authorized devices, and makes the running broker read them. Returns whether such a
/// broker runs on this machine. A command calls this function once, after the last device, and not while a device
/// waits for a message.
[[nodiscard]] Outcome<bool> apply_authorizations(const BrokerFiles& files);

/// Makes the checks of authorize() and writes nothing.
[[nodiscard]] Outcome<Authorized> check_authorization(const BrokerFiles& files, const AuthorizationRequest& request);

/// Authorized devices in ascending order of the id.
[[nodiscard]] Outcome<std::vector<Authorized>> list_authorized(const BrokerFiles& files);

/// Makes the broker's permissions and the certificate revocation list from the records.
[[nodiscard]] Outcome<> write_access(const BrokerFiles& files, BrokerKind kind);

/// The effects at a running broker.
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

/// Makes a new key and certificate for the broker, also for new names: `hosts` replaces the names in the settings
/// unless it is empty. Returns whether a running broker uses them. An interrupted call can be repeated.
[[nodiscard]] Outcome<bool> renew_server(const BrokerFiles& files, const std::vector<std::string>& hosts);

/// Makes a new certificate for the authority, with the same name and the same key. Certificates of devices and the
/// authority in the enrollments stay valid, because both name the same key. Mosquitto reads the new one at its start.
[[nodiscard]] Outcome<> renew_authority(const BrokerFiles& files);

/// Writes a new file: the authority's key, sealed with the passphrase, and the other files of the operator, sealed with
/// that key. firmware/docs/backup.md describes the format. Fails if the file exists.
[[nodiscard]] Outcome<> back_up_broker(const BrokerFiles& files, const std::filesystem::path& file,
                                       const crypto::Passphrase& passphrase, CaptureTime made);

/// Names and contents of the files in a backup, without the authority's key. The names are those of BrokerFiles; the
/// names of records are ids.
using BackedUpFiles = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Outcome<BackedUpFiles> parse_backed_up_files(std::string_view text);

/// Makes the folder of a backup. The authority, its revocations and all authorized devices are those of the backup.
[[nodiscard]] Outcome<> restore_broker(const BrokerFiles& files, std::string_view backup,
                                       const crypto::Passphrase& passphrase);

}  // namespace sealcam::owner
