// SPDX-License-Identifier: Apache-2.0
#include "image_init/card.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::image_init {

namespace {

/// Nothing if the settings have no network. The reader collects the errors.
std::optional<protocol::Wifi> read_wifi(ConfigReader& reader) {
  if (!reader.has("/wifi")) return std::nullopt;
  const auto ssid = reader.required_text("/wifi/ssid");
  auto psk = reader.required_text("/wifi/psk");
  auto passphrase = protocol::Passphrase::parse(psk);
  wipe(std::as_writable_bytes(std::span(psk)));
  if (ssid.empty() || ssid.size() > 32) {
    reader.reject("/wifi/ssid", "must have 1 to 32 bytes");
    return std::nullopt;
  }
  if (!passphrase) {
    reader.reject("/wifi/psk", "must have 8 to 63 printable ASCII characters");
    return std::nullopt;
  }
  const auto bytes = as_bytes(ssid);
  return protocol::Wifi{.ssid = Bytes(bytes.begin(), bytes.end()), .passphrase = std::move(*passphrase)};
}

}  // namespace

std::string host_name_of(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool kept = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) out += upper ? static_cast<char>(c - 'A' + 'a') : c;
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  out.resize(std::min(out.size(), max_host_name));
  while (out.ends_with('-')) out.pop_back();
  return out;
}

std::expected<Settings, std::string> parse_settings(std::string_view json) {
  ConfigReader reader(json);
  Settings settings;
  if (const auto name = reader.optional_text("/name")) {
    settings.host_name = host_name_of(*name);
    if (settings.host_name.empty()) reader.reject("/name", "must contain a letter or a digit");
  }
  settings.wifi = read_wifi(reader);
  if (settings.wifi) settings.wifi_hidden = reader.boolean("/wifi/hidden", false);
  settings.country = reader.text("/country", "");
  if (!settings.country.empty() && !is_country(settings.country))
    reader.reject("/country", "must be two capital letters, such as DE");
  if (auto error = reader.finish()) return std::unexpected(std::move(*error));
  return settings;
}

bool is_country(std::string_view text) {
  return text.size() == 2 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::optional<bool> has_rules(ByteView database, std::string_view country) {
  SC_ASSERT(is_country(country));
  constexpr std::uint32_t magic = 0x52474442;  // "RGDB"
  constexpr std::uint32_t version = 20;
  constexpr std::size_t head = 8;
  constexpr std::size_t entry = 4;  // two letters and the place of the country's rules
  if (database.size() < head || load_be<std::uint32_t>(database) != magic ||
      load_be<std::uint32_t>(database.subspan(4)) != version)
    return std::nullopt;
  for (auto rest = database.subspan(head); rest.size() >= entry; rest = rest.subspan(entry)) {
    if (load_be<std::uint16_t>(rest.subspan(2)) == 0) return false;  // end of the list
    if (as_text(rest.first(2)) == country) return true;
  }
  return std::nullopt;  // the file is truncated
}

std::optional<bool> has_rules(const std::filesystem::path& database, std::string_view country) {
  const auto content = read_file(database, max_rules);
  return content ? has_rules(ByteView(*content), country) : std::nullopt;
}

namespace {

/// Escapes a value for GLib's key files. Of the printable characters, a backslash and a leading space need it.
std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size() + 2);
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == ' ') out += "\\s";
    else out += c;
  }
  return out;
}

}  // namespace

std::string connection_file(const ConnectionFile& file, const protocol::Wifi& wifi, bool hidden) {
  std::string ssid;  // decimal bytes need no escapes
  for (const std::byte b : wifi.ssid) ssid += sealcam::format("{};", std::to_integer<int>(b));
  std::string psk = escaped(wifi.passphrase.reveal());
  std::string text;
  text.reserve(1024);  // a reallocation would leave a copy of the passphrase
  text += sealcam::format(
      "[connection]\nid={}\nuuid=5ea1ca30-0000-4000-8000-00000000000{}\ntype=wifi\n\n[wifi]\nmode=infrastructure\n",
      file.name.substr(0, file.name.find('.')), file.last_digit_of_uuid);
  if (hidden) text += "hidden=true\n";
  text += sealcam::format("ssid={}\n\n[wifi-security]\nkey-mgmt={}\npsk=", ssid, file.key_management);
  text += psk;
  text += "\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n";
  wipe(std::as_writable_bytes(std::span(psk)));
  return text;
}

namespace {

/// No file of the program is larger. Another file with the same name must not delay the start.
constexpr off_t max_overwritten = 64 << 10;

constexpr auto error_name = "sealcam-settings-error.txt";
constexpr auto settings_name = "sealcam.json";
constexpr std::size_t max_misnamed = 4;  // that are reported

Result<> overwrite(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(Errc::io, "reading the size of a file to erase", errno);
  static constexpr std::array<std::byte, 512> nothing{};
  for (off_t at = 0; at < std::min(info.st_size, max_overwritten);) {
    const auto n = ::pwrite(fd, nothing.data(), nothing.size(), at);
    if (n <= 0) return fail(Errc::io, "erase a file", errno);
    at += n;
  }
  if (::fsync(fd) != 0) return fail(Errc::io, "erase a file", errno);
  return {};
}

Result<> store(const CardFolders& folders, const Settings& settings) {
  for (const auto& file : connection_files) {
    if (!settings.wifi) break;
    std::string text = connection_file(file, *settings.wifi, settings.wifi_hidden);
    auto written = write_file_durably(folders.connections / file.name, as_bytes(text));
    wipe(std::as_writable_bytes(std::span(text)));
    if (!written) return written;
  }
  for (const auto& [name, value] :
       {std::pair("host-name", settings.host_name), std::pair("country", settings.country)}) {
    if (value.empty()) continue;
    if (auto written = write_file_durably(folders.settings / name, as_bytes(value)); !written) return written;
  }
  return {};
}

Result<Taken> reject(const CardFolders& folders, const std::string& why, Log& log) {
  log.error("sealcam.json on the SD card is rejected: {}", why);
  const std::string text =
      sealcam::format("sealcam.json was not used.\r\n{}\r\nCorrect it and restart the camera.\r\n", why);
  if (auto r = write_file_durably(folders.card / error_name, as_bytes(text)); !r) return std::unexpected(r.error());
  return Taken::rejected;
}

}  // namespace

Result<> erase_file(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    if (errno == ENOENT) return {};
    return fail(errno == EACCES ? Errc::permission : Errc::io, "opening a file to erase it", errno);
  }
  if (auto r = overwrite(fd.get()); !r) return r;
  if (::unlink(path.c_str()) != 0) return fail(Errc::io, "deleting a file", errno);
  const UniqueFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail(Errc::io, "making a deletion durable", errno);
  return {};
}

namespace {

Result<Taken> take_file(const CardFolders& folders, Log& log) {
  const auto file = folders.card / settings_name;
  auto content = read_file(file, max_settings);
  if (!content && content.error().code == Errc::not_found) {
    if (auto r = erase_file(folders.card / error_name); !r) return std::unexpected(r.error());
    return Taken::none;
  }
  if (!content && content.error().code == Errc::exhausted)
    return reject(folders, sealcam::format("The file is larger than {} bytes.", max_settings), log);
  if (!content && content.error().native == EISDIR) return reject(folders, "sealcam.json is a folder.", log);
  if (!content) return std::unexpected(content.error());
  const auto settings = parse_settings(as_text(*content));
  wipe(*content);
  if (!settings) return reject(folders, settings.error(), log);
  if (!settings->country.empty() && has_rules(folders.rules, settings->country) == false)
    return reject(folders, sealcam::format("/country: there are no radio rules for '{}'", settings->country), log);
  if (auto r = store(folders, *settings); !r) return std::unexpected(r.error());
  if (auto r = erase_file(file); !r) return std::unexpected(r.error());
  if (auto r = erase_file(folders.card / error_name); !r) return std::unexpected(r.error());
  log.info("applied settings from the SD card:{}{}{}", settings->host_name.empty() ? "" : " name",
           settings->wifi ? " Wi-Fi" : "", settings->country.empty() ? "" : " country");
  return Taken::taken;
}

/// Whether a person probably gave a file this name instead of sealcam.json. Some editors append .txt, which a PC may
/// hide; a browser numbers a second download; a card that is not FAT distinguishes capital letters.
bool is_misnamed(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') letters += static_cast<char>(c - 'A' + 'a');
    if (c >= 'a' && c <= 'z') letters += c;
  }
  std::string_view rest = letters;
  if (!rest.starts_with("sealcam")) return false;
  rest.remove_prefix(7);
  return rest.empty() || rest.starts_with("js") || rest == "txt" || rest == "conf" || rest == "settings";
}

std::vector<std::string> misnamed_files(const CardFolders& folders) {
  std::vector<std::string> names;
  std::error_code ec;
  for (std::filesystem::directory_iterator entry(folders.card, ec), end; !ec && entry != end; entry.increment(ec)) {
    std::error_code other;
    const auto name = entry->path().filename().string();
    // FAT also finds sealcam.json by a name with capital letters: then it was read.
    if (!is_misnamed(name) || std::filesystem::equivalent(entry->path(), folders.card / settings_name, other) ||
        std::filesystem::is_directory(entry->symlink_status(other)))
      continue;
    names.push_back(printable(name, 100));
  }
  std::ranges::sort(names);
  names.resize(std::min(names.size(), max_misnamed));
  return names;
}

/// Appends to the text about sealcam.json, if there is one.
Result<> report_misnamed(const CardFolders& folders, Log& log) {
  std::string text;
  for (const auto& name : misnamed_files(folders)) {
    log.error("'{}' on the SD card is not read: rename it to {}", name, settings_name);
    text += sealcam::format(
        "{} was not read.\r\nRename it to {} and restart the camera. A PC may hide the end of a name.\r\n", name,
        settings_name);
  }
  if (text.empty()) return {};
  const auto earlier = read_file(folders.card / error_name, max_settings);
  return write_file_durably(folders.card / error_name,
                            as_bytes(sealcam::format("{}{}", earlier ? as_text(*earlier) : "", text)));
}

}  // namespace

Result<Taken> take_settings(const CardFolders& folders, Log& log) {
  auto taken = take_file(folders, log);
  if (!taken) return taken;
  if (auto r = report_misnamed(folders, log); !r) return std::unexpected(r.error());
  return taken;
}

std::string host_name(const CardFolders& folders) {
  const auto stored = read_file(folders.settings / "host-name", max_host_name);
  const std::string name = stored ? host_name_of(as_text(*stored)) : "";
  return name.empty() ? "sealcam" : name;
}

}  // namespace sealcam::image_init
