// SPDX-License-Identifier: Apache-2.0
/// Renewal of the broker's certificates, and the operator's backup. Devices keep their enrollment.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "crypto/passphrase.hpp"
#include "owner/broker/broker_setup.hpp"

namespace sealcam::owner {

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
