// SPDX-License-Identifier: Apache-2.0
/// The account in one file, sealed with a passphrase. README.md beside this file has the format and why it is so.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/passphrase.hpp"
#include "owner/account.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {

/// The text of a backup: words for people, the identity key (crypto/pkcs8.hpp), the account's files (crypto/jwe.hpp).
[[nodiscard]] Outcome<std::string> backup_text(const Account& account, const crypto::Passphrase& passphrase,
                                               CaptureTime made);

/// Writes it, never over a file that is there, and notes in the account when that was.
[[nodiscard]] Outcome<> make_backup(Account& account, const std::filesystem::path& path,
                                    const crypto::Passphrase& passphrase, const Clock& clock);

/// Move-only: keys are in it.
struct Backup {
  Secret<32> identity;
  /// Nothing when the file holds the key alone, as one that OpenSSL wrote.
  std::optional<AccountFile> account;
  std::string enrolment;                 ///< content of enrolment.json; empty when there was none
  std::optional<transport::TlsKey> tls;  ///< the key of that enrolment's certificate
};

/// Fails with the next step: another passphrase, a damaged file.
[[nodiscard]] Outcome<Backup> read_backup(std::string_view text, const crypto::Passphrase& passphrase);

/// Makes the account's folder anew: the same identity, the account's content with every camera unlearned, a new hub
/// identity for this machine in place of the lost machine's. Going on after an interruption is allowed.
[[nodiscard]] Outcome<Account> restore_account(const AccountFiles& files, Backup backup);

/// Whether there is a backup that has all of the account's content.
[[nodiscard]] bool backup_is_current(const AccountFile& account);

}  // namespace sealcam::owner
