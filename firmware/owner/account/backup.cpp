// SPDX-License-Identifier: Apache-2.0
#include "owner/account/backup.hpp"

#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/console.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view account_label = "SEALCAM ACCOUNT";
constexpr std::size_t max_backed_up_file = 64U << 10;

/// A text that contains keys; wiped on destruction.
struct SecretText {
  SecretText() = default;
  explicit SecretText(std::string content) : text(std::move(content)) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { wipe(std::as_writable_bytes(std::span(text))); }
  std::string text;
};

/// The account's files as JSON. An account without a broker has no enrollment and no TLS key.
Outcome<> collect_files(const Account& account, CaptureTime made, SecretText& out) {
  Json files = {{"account.json", account_text(account.file())}};
  const auto path = account.files().owner().enrollment();
  const auto enrollment = read_file(path, max_backed_up_file);
  if (enrollment) {
    auto key = read(account.files().owner().tls_key(), max_backed_up_file);
    if (!key) return std::unexpected(key.error());
    files["enrollment.json"] = as_text(*enrollment);
    files["tls.key"] = as_text(*key);
    wipe(*key);
  } else if (enrollment.error().code != Errc::not_found) {
    return failure(enrollment.error(), sealcam::format("cannot read {}", path.string()));
  }
  out.text = Json{{"version", 1}, {"made", made.since_epoch.count()}, {"files", std::move(files)}}.dump();
  return {};
}

Outcome<> parse_files(std::string_view text, Backup& backup) {
  ConfigReader reader(text);
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  (void)reader.integer("/made", 0, 0, INT64_MAX);
  const auto account = reader.required_text("/files/account.json");
  backup.enrollment = reader.text("/files/enrollment.json", "");
  const SecretText key(reader.text("/files/tls.key", ""));
  if (const auto error = reader.finish())
    return failure(EX_CONFIG, sealcam::format("the backup is damaged: {}; use another copy of it", *error));
  auto parsed = parse_account(account, "the account in the backup");
  if (!parsed) return std::unexpected(parsed.error());
  backup.account = std::move(*parsed);
  if (backup.enrollment.empty()) return {};
  auto tls = transport::TlsKey::from_pem(as_bytes(key.text));
  if (!tls) return failure(tls.error(), "the TLS key in the backup is damaged", "use another copy of the backup");
  backup.tls = std::move(*tls);
  return {};
}

}  // namespace

std::string backup_time(CaptureTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.since_epoch);
  return sealcam::format("{:%FT%TZ}", std::chrono::sys_seconds(seconds));
}

std::unexpected<Failure> open_failure(const Error& error, std::string_view what) {
  if (error.code == Errc::not_decryptable)
    return failure(EX_NOPERM,
                   "cannot open the backup: the passphrase is wrong or the file was changed; enter the "
                   "passphrase again, or use another copy of the backup");
  if (error.code == Errc::not_found)
    return failure(
        EX_CONFIG,
        sealcam::format("the file contains no encrypted private key; choose a file of 'sealcam {} backup'", what));
  return failure(error, "cannot open the backup", "use another copy of it");
}

Outcome<std::string> backup_text(const Account& account, const crypto::Passphrase& passphrase, CaptureTime made) {
  const auto identity = account.state().store().export_identity();
  if (!identity) return failure(identity.error(), "cannot read the account's key");
  const auto key = crypto::write_encrypted_key(*identity, passphrase);
  if (!key) return failure(key.error(), "cannot seal the account's key");
  SecretText files;
  if (auto r = collect_files(account, made, files); !r) return std::unexpected(r.error());
  const auto sealed = crypto::write_sealed_pem(account_label, as_bytes(files.text), *identity);
  if (!sealed) return failure(sealed.error(), "cannot seal the account's files");
  return sealcam::format(
      "Backup of the Sealcam account {}, made {}.\nRestore it with: sealcam account restore FILE\n{}{}",
      account.id().to_string(), backup_time(made), *key, *sealed);
}

Outcome<> make_backup(Account& account, const fs::path& path, const crypto::Passphrase& passphrase,
                      const Clock& clock) {
  std::error_code ec;
  if (fs::exists(fs::symlink_status(path, ec)))
    return failure(EX_CANTCREAT, sealcam::format("{} already exists; choose another name", path.string()));
  const auto made = clock.wall();
  const auto text = backup_text(account, passphrase, made);
  if (!text) return std::unexpected(text.error());
  if (auto r = write_output(path, as_bytes(*text)); !r) return r;
  auto next = account.file();
  next.backup = {made, content_digest(next)};
  return account.store(std::move(next));
}

Outcome<Backup> read_backup(std::string_view text, const crypto::Passphrase& passphrase) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  auto identity = crypto::read_encrypted_key(text, passphrase);
  if (!identity) return open_failure(identity.error(), "account");
  return read_backup(text, std::move(*identity));
}

Outcome<Backup> read_backup(std::string_view text, Secret<32> identity) {
  const auto key = crypto::import_signing_key(identity);
  if (!key) return open_failure(key.error(), "account");
  Backup backup;
  backup.identity = std::move(identity);
  auto files = crypto::read_sealed_pem(account_label, text, backup.identity);
  if (!files && files.error().code == Errc::not_found) return backup;
  if (!files) return open_failure(files.error(), "account");
  const auto parsed = parse_files(as_text(*files), backup);
  wipe(*files);
  if (!parsed) return std::unexpected(parsed.error());
  if (backup.account->account != key->second.account())
    return failure(EX_CONFIG, "the key and the account in the backup do not match; use another copy of it");
  return backup;
}

Outcome<Account> restore_account(const AccountFiles& files, Backup backup) {
  auto account =
      Account::restore(files, backup.identity, backup.tls ? &*backup.tls : nullptr, std::move(backup.account));
  if (!account) return account;
  // With the TLS key of the backup, its certificate lets the account connect to its broker.
  if (backup.tls)
    if (auto r = write(account->files().owner().enrollment(), as_bytes(backup.enrollment)); !r)
      return std::unexpected(r.error());
  // account.json is written last: it marks a complete account.
  if (auto r = account->store(account->file()); !r) return std::unexpected(r.error());
  return account;
}

bool backup_is_current(const AccountFile& account) {
  return account.backup && account.backup->content == content_digest(account);
}

}  // namespace sealcam::owner
