// SPDX-License-Identifier: Apache-2.0
#include "owner/broker_setup.hpp"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <format>
#include <nlohmann/json.hpp>

#include "core/config.hpp"
#include "core/file.hpp"
#include "crypto/psa.hpp"
#include "owner/access_list.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest_settings = 64U << 10;

bool is_wildcard(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? std::string() : std::string(entry->pw_name);
}

/// Names of the server's certificate: this machine by every name it has for itself, then the given ones.
std::vector<std::string> server_names(const BrokerSettings& settings) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  const auto add = [&](const std::string& name) {
    if (!is_wildcard(name) && !std::ranges::contains(names, name)) names.push_back(name);
  };
  add(settings.listen);
  for (const auto& host : settings.hosts) add(host);
  return names;
}

Outcome<> make_certificates(const BrokerFiles& files, const BrokerSettings& settings) {
  const auto authority_key = transport::TlsKey::generate();
  const auto server_key = transport::TlsKey::generate();
  if (!authority_key) return failure(authority_key.error(), "making the operator's key");
  if (!server_key) return failure(server_key.error(), "making the broker's key");
  const auto authority = transport::make_authority(*authority_key, "Sealcam broker operator");
  if (!authority) return failure(authority.error(), "making the operator's authority");
  const auto request = transport::make_request(*server_key, "sealcam-broker");
  if (!request) return failure(request.error(), "making the broker's certificate request");
  const auto certificate = transport::sign_request(*authority, *authority_key, *request, "sealcam-broker",
                                                   transport::CertificateUse::server, server_names(settings));
  if (!certificate)
    return failure(certificate.error(), "making the broker's certificate", "Check the names given with --host");
  if (auto r = write(files.authority_key(), authority_key->reveal_pem()); !r) return r;
  if (auto r = write(files.authority(), as_bytes(*authority)); !r) return r;
  if (auto r = write(files.server_key(), server_key->reveal_pem()); !r) return r;
  return write(files.server_certificate(), as_bytes(*certificate));
}

std::string settings_json(const BrokerSettings& settings) {
  const nlohmann::ordered_json json = {
      {"version", 1}, {"listen", settings.listen}, {"port", settings.port}, {"hosts", settings.hosts}};
  return json.dump(2) + "\n";
}

/// A pid file outlives its process, and another process may have the number: only a mosquitto that was started with
/// this configuration is meant.
bool is_this_broker(pid_t pid, const BrokerFiles& files) {
  const auto process = fs::path("/proc") / std::to_string(pid);
  const auto name = read_file(process / "comm", 64);
  const auto arguments = read_file(process / "cmdline", 64U << 10);
  if (!name || !arguments || !as_text(*name).starts_with("mosquitto")) return false;
  std::error_code ec;
  const auto folder = fs::read_symlink(process / "cwd", ec);
  for (std::string_view rest = as_text(*arguments); !rest.empty();) {
    const auto word = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    if (word.empty()) continue;
    std::error_code different;
    if (fs::equivalent(folder / fs::path(word), files.configuration(), different) && !different) return true;
  }
  return false;
}

/// Anything but what an attempt with wrong names leaves.
bool has_others_files(const BrokerFiles& files) {
  std::error_code ec;
  for (fs::directory_iterator it(files.folder, ec), end; !ec && it != end; it.increment(ec))
    if (it->path() != files.access_blocks() || !fs::is_empty(it->path(), ec)) return true;
  return false;
}

}  // namespace

std::string BrokerSettings::advertised_host() const {
  if (!hosts.empty()) return hosts.front();
  // The client takes names and IPv4 addresses; the certificate carries "localhost" in any case.
  return is_wildcard(listen) || listen.contains(':') ? "localhost" : listen;
}

Outcome<> make_broker(const BrokerFiles& files, const BrokerSettings& settings) {
  std::error_code ec;
  if (fs::exists(files.settings(), ec) || fs::exists(files.access_list(), ec))
    return failure(EX_CANTCREAT,
                   std::format("{} holds a broker already. Choose another folder", files.folder.string()));
  // A mosquitto.conf of somebody's, and the mode of a folder such as /etc/mosquitto, are not to be lost.
  if (has_others_files(files))
    return failure(EX_CANTCREAT, std::format("{} is not empty. Choose a new folder", files.folder.string()));
  if (files.folder.string().find_first_of("\r\n\t ") != std::string::npos)
    return failure(EX_USAGE, "Mosquitto cannot read paths with spaces. Choose a folder without them");
  if (auto r = crypto::init(); !r) return failure(r.error(), "starting the crypto library");
  if (auto r = make_private_folder(files.folder); !r) return failure(r.error(), files.folder.string());
  if (auto r = make_private_folder(files.access_blocks()); !r)
    return failure(r.error(), files.access_blocks().string());
  if (auto r = make_certificates(files, settings); !r) return r;
  const auto configuration = mosquitto_configuration(files, settings, user_name());
  if (auto r = write(files.configuration(), as_bytes(configuration)); !r) return r;
  if (auto r = write(files.access_list(), as_bytes(access_list({}))); !r) return r;
  return write(files.settings(), as_bytes(settings_json(settings)));
}

Outcome<BrokerSettings> read_broker(const BrokerFiles& files) {
  const auto content = read(files.settings(), largest_settings,
                            std::format("Make a broker there: sealcam broker init {}", files.folder.string()));
  if (!content) return std::unexpected(content.error());
  ConfigReader reader(as_text(*content));
  if (reader.integer("/version", 0, 0, INT64_MAX) != 1) reader.reject("/version", "must be 1");
  BrokerSettings settings;
  settings.listen = reader.required_text("/listen");
  settings.port = static_cast<std::uint16_t>(reader.integer("/port", 8883, 1, 65535));
  settings.hosts = reader.texts("/hosts");
  if (const auto error = reader.finish())
    return failure(EX_CONFIG, std::format("{}: {}", files.settings().string(), *error));
  return settings;
}

bool reload_broker(const BrokerFiles& files) {
  const auto text = read_file(files.pid(), 64);
  if (!text) return false;
  const auto digits = as_text(*text);
  pid_t pid = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (parsed.ec != std::errc() || pid <= 1 || !is_this_broker(pid, files)) return false;
  return ::kill(pid, SIGHUP) == 0;
}

}  // namespace sealcam::owner
