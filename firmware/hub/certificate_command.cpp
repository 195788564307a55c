// SPDX-License-Identifier: Apache-2.0
// sealcam-hub certificate: a local authority for the listeners that browsers use, and its certificates.
#include <sys/stat.h>
#include <sysexits.h>

#include <algorithm>
#include <cctype>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "hub/commands.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::hub {
namespace {

namespace fs = std::filesystem;
using transport::Period;
using transport::TlsKey;

constexpr std::chrono::days authority_time{3650};
/// Browsers reject certificates that are valid for longer. Both ends count.
constexpr std::chrono::seconds certificate_time = std::chrono::days(397) - std::chrono::seconds(1);
/// The clock of a phone may be slow.
constexpr std::chrono::days earlier{1};
constexpr std::size_t max_pem = std::size_t{16} << 10;

struct Authority {
  TlsKey key;
  std::string certificate;
  bool made = false;  ///< by this call
};

struct Files {
  fs::path folder;
  [[nodiscard]] fs::path authority() const { return folder / "authority.crt"; }
  [[nodiscard]] fs::path authority_key() const { return folder / "authority.key"; }
  [[nodiscard]] fs::path certificate() const { return folder / "web.crt"; }
  [[nodiscard]] fs::path key() const { return folder / "web.key"; }
};

/// The same form for equal lists, because the authority permits exactly its names.
std::vector<std::string> normalized(std::vector<std::string> names) {
  for (auto& name : names)
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

/// The name of the authority, which a browser shows in its list.
std::string common_name(std::string_view first) {
  std::string name = "Sealcam " + std::string(first.substr(0, 40));
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0 && c != ' ' && c != '.'; }, '-');
  return name;
}

Result<TlsKey> read_key(const fs::path& path) {
  auto pem = read_file(path, TlsKey::max_pem);
  if (!pem) return std::unexpected(pem.error());
  auto key = TlsKey::from_pem(*pem);
  wipe(*pem);
  if (!key) return std::unexpected(located(key.error(), path.native()));
  return key;
}

/// Keeps the mode of a folder that exists: other programs may use it, and the keys in it have mode 0600.
Result<> make_folder(const fs::path& folder) {
  std::error_code ec;
  if (fs::is_directory(folder, ec)) return {};
  return make_private_folder(folder);
}

/// A certificate is not secret.
Result<> write_certificate(const fs::path& path, std::string_view pem) {
  if (auto r = write_file_durably(path, as_bytes(pem)); !r) return r;
  if (::chmod(path.c_str(), 0644) != 0) return fail_errno("changing the mode", path);
  return {};
}

Result<Authority> open_authority(const Files& files, const std::vector<std::string>& names, CaptureTime now) {
  const bool has_key = device::is_present(files.authority_key()),
             has_certificate = device::is_present(files.authority());
  if (has_key != has_certificate)
    return std::unexpected(
        located({Errc::not_found, 0, "authority.key and authority.crt belong together: one is missing"},
                files.folder.native()));
  if (has_key) {
    auto key = read_key(files.authority_key());
    if (!key) return std::unexpected(key.error());
    const auto pem = read_file(files.authority(), max_pem);
    if (!pem) return std::unexpected(pem.error());
    return Authority{std::move(*key), std::string(as_text(*pem))};
  }
  if (device::is_present(files.certificate()) || device::is_present(files.key()))
    return std::unexpected(
        located({Errc::invalid_argument, 0,
                 "the folder has web.crt or web.key but not authority.crt, so this command did not make them: "
                 "use another folder"},
                files.folder.native()));
  auto key = TlsKey::generate();
  if (!key) return std::unexpected(key.error());
  const Period period{{now.since_epoch - earlier}, {now.since_epoch - earlier + authority_time}};
  auto certificate = transport::make_web_authority(*key, common_name(names.front()), names, period);
  if (!certificate) return std::unexpected(certificate.error());
  if (auto r = write_file_durably(files.authority_key(), key->reveal_pem()); !r) return std::unexpected(r.error());
  if (auto r = write_certificate(files.authority(), *certificate); !r) return std::unexpected(r.error());
  return Authority{std::move(*key), std::move(*certificate), true};
}

Result<> renew(const Files& files, const Authority& authority, const std::vector<std::string>& names, CaptureTime now) {
  const auto key = TlsKey::generate();
  if (!key) return std::unexpected(key.error());
  const Period period{{now.since_epoch - earlier}, {now.since_epoch - earlier + certificate_time}};
  const auto certificate = transport::make_web_certificate(authority.certificate, authority.key, *key, names, period);
  if (!certificate) return std::unexpected(located(certificate.error(), files.authority().native()));
  if (auto r = write_file_durably(files.key(), key->reveal_pem()); !r) return r;
  return write_certificate(files.certificate(), *certificate);
}

void print_next_steps(const Files& files, const Authority& authority, CaptureTime end) {
  sealcam::println("{}: valid until {}", files.certificate().string(), date(end));
  if (authority.made)
    sealcam::println(
        "\nInstall {} on each phone: copy it there, open it, and trust it as an authority (iOS: Settings, General, "
        "About, Certificate Trust Settings; Android: Settings, Security, Install a certificate, CA certificate). It "
        "can sign for these names, and for names below them. Some systems ignore this limit, so keep authority.key "
        "secret. With it you renew the certificate.\n"
        "Hub: set /app/certificate and /app/key in hub.json to web.crt and web.key, or to copies that the hub can "
        "read, and restart the hub.\n"
        "Broker: run 'sealcam broker web DIR --certificate web.crt --key web.key', and restart Mosquitto.",
        files.authority().string());
  else
    sealcam::println(
        "\nThe key is new as well. Copy web.crt and web.key to where the hub reads them, and restart the hub. For the "
        "broker, run 'sealcam broker web DIR --certificate web.crt --key web.key'. Phones need no change.");
  sealcam::println("Run the same command again before this certificate ends.");
}

int fail_at_names(const Error& error, Log& log) {
  log.error("{}", to_string(error));
  if (error.code == Errc::conflict)
    log.error("use the same names, or another folder; phones must then install the authority of that folder");
  return device::exit_code(error.code);
}

}  // namespace

int make_certificate(const CertificateOptions& options, Log& log) {
  const auto now = SystemClock().wall();
  if (!is_plausible(now)) {
    log.error(
        "the date {} is wrong, and browsers check dates: set the clock, for example with 'timedatectl set-ntp true'",
        date(now));
    return EX_CONFIG;
  }
  const auto names = normalized(options.names);
  const Files files{fs::absolute(options.folder)};
  if (auto r = make_folder(files.folder); !r) return fail_at_names(r.error(), log);
  const auto authority = open_authority(files, names, now);
  if (!authority) return fail_at_names(authority.error(), log);
  const auto authority_end = transport::certificate_end(authority->certificate);
  if (!authority_end) return fail_at_names(located(authority_end.error(), files.authority().native()), log);
  if (authority_end->since_epoch < now.since_epoch + certificate_time) {
    log.error("the authority in {} ends on {}: use another folder, and install its authority on the phones",
              files.folder.string(), date(*authority_end));
    return EX_CONFIG;
  }
  if (auto r = renew(files, *authority, names, now); !r) return fail_at_names(r.error(), log);
  print_next_steps(files, *authority, {now.since_epoch - earlier + certificate_time});
  return EX_OK;
}

}  // namespace sealcam::hub
