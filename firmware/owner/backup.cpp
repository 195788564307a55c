// SPDX-License-Identifier: Apache-2.0
#include "owner/backup.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "core/config.hpp"
#include "core/file.hpp"
#include "crypto/jwe.hpp"
#include "crypto/pkcs8.hpp"
#include "owner/patience.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view line_start = "sealcam-account: ";
constexpr std::size_t largest_part = 64U << 10;
constexpr std::string_view no_passphrase =
    "The passphrase is another one, or the file was changed. Try again, or take another copy of the backup";

/// A text with keys in it, wiped when it goes.
struct SecretText {
  SecretText() = default;
  explicit SecretText(std::string content) : text(std::move(content)) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { wipe(std::as_writable_bytes(std::span(text))); }
  std::string text;
};

std::string day(CaptureTime time) {
  const auto since = std::chrono::floor<std::chrono::seconds>(time.since_epoch);
  return std::format("{:%FT%TZ}", std::chrono::sys_seconds(since));
}

/// The account's files as JSON; an account without a broker has two of them less.
Outcome<> write_files(const Account& account, CaptureTime made, SecretText& out) {
  Json files = {{"account.json", account_text(account.file())}};
  const auto enrolment = read_file(account.files().owner().enrolment(), largest_part);
  if (enrolment) {
    auto key = read(account.files().owner().tls_key(), largest_part);
    if (!key) return std::unexpected(key.error());
    files["enrolment.json"] = as_text(*enrolment);
    files["tls.key"] = as_text(*key);
    wipe(*key);
  } else if (enrolment.error().code != Errc::not_found) {
    return failure(enrolment.error(), account.files().owner().enrolment().string());
  }
  out.text = Json{{"version", 1}, {"made", made.since_epoch.count()}, {"files", std::move(files)}}.dump();
  return {};
}

std::unexpected<Failure> not_opened(const Error& error) {
  if (error.code == Errc::not_decryptable) return failure(EX_NOPERM, std::string(no_passphrase));
  if (error.code == Errc::not_found)
    return failure(EX_CONFIG, "The file holds no encrypted private key. Choose a file of 'sealcam account backup'");
  return failure(error, "The backup", "Take another copy of it");
}

Outcome<> read_files(std::string_view text, Backup& backup) {
  ConfigReader reader(text);
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  (void)reader.integer("/made", 0, 0, INT64_MAX);
  const auto account = reader.required_text("/files/account.json");
  backup.enrolment = reader.text("/files/enrolment.json", "");
  const SecretText key(reader.text("/files/tls.key", ""));
  if (const auto error = reader.finish()) return failure(EX_CONFIG, std::format("The backup: {}", *error));
  auto parsed = parse_account(account, "The account in the backup");
  if (!parsed) return std::unexpected(parsed.error());
  backup.account = std::move(*parsed);
  if (backup.enrolment.empty()) return {};
  auto tls = transport::TlsKey::from_pem(as_bytes(key.text));
  if (!tls) return failure(tls.error(), "The TLS key in the backup");
  backup.tls = std::move(*tls);
  return {};
}

/// The connection as it was: the certificate in the enrolment belongs to the key of the backup.
Outcome<> restore_connection(const Account& account, const Backup& backup) {
  if (!backup.tls) return {};
  const auto files = account.files().owner();
  const auto request = transport::make_request(*backup.tls, account.key().id().to_string());
  if (!request) return failure(request.error(), "Making the certificate request");
  if (auto r = write(files.tls_key(), backup.tls->reveal_pem()); !r) return r;
  if (auto r = write(files.tls_request(), as_bytes(*request)); !r) return r;
  return write(files.enrolment(), as_bytes(backup.enrolment));
}

}  // namespace

Outcome<std::string> backup_text(const Account& account, const crypto::Passphrase& passphrase, CaptureTime made) {
  const auto identity = account.state().store().export_identity();
  if (!identity) return failure(identity.error(), "Reading the owner's key");
  const auto key = crypto::write_encrypted_key(*identity, passphrase);
  if (!key) return failure(key.error(), "Sealing the owner's key");
  SecretText files;
  if (auto r = write_files(account, made, files); !r) return std::unexpected(r.error());
  const auto sealed = crypto::seal_with_passphrase(as_bytes(files.text), passphrase);
  if (!sealed) return failure(sealed.error(), "Sealing the account");
  return std::format("Backup of Sealcam account {}, made {}.\nTo get it back: sealcam account restore FILE\n{}{}{}\n",
                     account.id().to_string(), day(made), *key, line_start, *sealed);
}

Outcome<> make_backup(Account& account, const fs::path& path, const crypto::Passphrase& passphrase,
                      const Clock& clock) {
  std::error_code ec;
  if (fs::exists(fs::symlink_status(path, ec)))
    return failure(EX_CANTCREAT, std::format("{} is there already. Choose another name", path.string()));
  const auto made = clock.wall();
  const auto text = backup_text(account, passphrase, made);
  if (!text) return std::unexpected(text.error());
  if (auto r = write(path, as_bytes(*text)); !r) return r;
  auto next = account.file();
  next.backup = {made, content_digest(next)};
  return account.store(std::move(next));
}

Outcome<Backup> read_backup(std::string_view text, const crypto::Passphrase& passphrase) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "Starting the crypto library");
  auto identity = crypto::read_encrypted_key(text, passphrase);
  if (!identity) return not_opened(identity.error());
  const auto key = crypto::import_signing_key(*identity);
  if (!key) return not_opened(key.error());
  Backup backup;
  backup.identity = std::move(*identity);
  const auto at = text.find("\n" + std::string(line_start));
  if (at == std::string_view::npos) return backup;
  auto line = text.substr(at + 1 + line_start.size());
  line = line.substr(0, line.find_first_of("\r\n"));
  auto files = crypto::open_with_passphrase(line, passphrase);
  if (!files) return not_opened(files.error());
  const auto read = read_files(as_text(*files), backup);
  wipe(*files);
  if (!read) return std::unexpected(read.error());
  if (backup.account->account != key->second.account())
    return failure(EX_CONFIG, "The backup's key and account do not belong together. Take another copy of it");
  return backup;
}

Outcome<Account> restore_account(const AccountFiles& files, Backup backup) {
  auto account = Account::restore(files, backup.identity, std::move(backup.account));
  if (!account) return account;
  if (auto r = restore_connection(*account, backup); !r) return std::unexpected(r.error());
  // Last: with it the folder holds an account.
  if (auto r = account->store(account->file()); !r) return std::unexpected(r.error());
  return account;
}

bool backup_is_current(const AccountFile& account) {
  return account.backup && account.backup->content == content_digest(account);
}

}  // namespace sealcam::owner
