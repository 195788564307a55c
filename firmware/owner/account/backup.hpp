// SPDX-License-Identifier: Apache-2.0
/// The account in one file, sealed with a passphrase. firmware/docs/backup.md describes the format.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/passphrase.hpp"
#include "owner/account/account.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

/// The text of a backup: a header for people, the identity key, and the account's files (crypto/passphrase.hpp).
[[nodiscard]] Outcome<std::string> backup_text(const Account& account, const crypto::Passphrase& passphrase,
                                               CaptureTime made);

/// Writes a new file and records the time in the account. Fails if the file exists.
[[nodiscard]] Outcome<> make_backup(Account& account, const std::filesystem::path& path,
                                    const crypto::Passphrase& passphrase, const Clock& clock);

/// An opened backup. Move-only, because it contains keys.
struct Backup {
  Secret<32> identity;
  std::optional<AccountFile> account;    ///< absent if the file contains only a key, for example one of OpenSSL
  std::string enrollment;                ///< content of enrollment.json; empty if the account had no broker
  std::optional<transport::TlsKey> tls;  ///< the key of the certificate in `enrollment`
};

/// Opens a backup. Fails with the next step if the passphrase is wrong or the file is damaged.
[[nodiscard]] Outcome<Backup> read_backup(std::string_view text, const crypto::Passphrase& passphrase);

/// As read_backup(), with the identity key in place of the passphrase, whose check takes half a second on purpose.
[[nodiscard]] Outcome<Backup> read_backup(std::string_view text, Secret<32> identity);

/// Makes the account's folder: the same identity, the content of the backup, and a new hub identity for this machine.
/// Every camera is out of sync. An interrupted call can be repeated.
[[nodiscard]] Outcome<Account> restore_account(const AccountFiles& files, Backup backup);

/// The failure to open a backup, with the next step. `what` names the backup's kind in commands: account or broker.
[[nodiscard]] std::unexpected<Failure> open_failure(const Error& error, std::string_view what);
/// The time as in the header of a backup.
[[nodiscard]] std::string backup_time(CaptureTime time);

/// Whether the newest backup contains the account's present content.
[[nodiscard]] bool backup_is_current(const AccountFile& account);

}  // namespace sealcam::owner
