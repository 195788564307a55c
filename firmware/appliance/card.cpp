// SPDX-License-Identifier: Apache-2.0
#include "appliance/card.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <format>

#include "appliance/connection_file.hpp"
#include "appliance/radio.hpp"
#include "appliance/settings.hpp"
#include "core/file.hpp"
#include "core/secret.hpp"

namespace sealcam::appliance {

namespace {

/// No file of ours is larger; one that somebody else gave one of our names is not to hold a start up.
constexpr off_t most_overwritten = 64 << 10;

constexpr auto error_name = "sealcam-settings-error.txt";
/// What an editor makes of sealcam.json that puts its own ending behind every name; a PC may not show it.
constexpr auto misnamed = "sealcam.json.txt";

Result<> overwrite(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(Errc::io, "size of a file that is to be erased", errno);
  static constexpr std::array<std::byte, 512> nothing{};
  for (off_t at = 0; at < std::min(info.st_size, most_overwritten);) {
    const auto n = ::pwrite(fd, nothing.data(), nothing.size(), at);
    if (n <= 0) return fail(Errc::io, "erase a file", errno);
    at += n;
  }
  if (::fsync(fd) != 0) return fail(Errc::io, "erase a file", errno);
  return {};
}

Result<> store(const CardFolders& folders, const Settings& settings) {
  if (settings.wifi) {
    std::string text = connection_file(*settings.wifi, settings.wifi_hidden);
    auto written = write_file_durably(folders.connections / connection_file_name, as_bytes(text));
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

Result<Taken> refuse(const CardFolders& folders, const std::string& why, Log& log) {
  log.error("sealcam.json on the card: {}", why);
  const std::string text =
      std::format("sealcam.json was not used.\r\n{}\r\nPut it right, and start the camera again.\r\n", why);
  if (auto r = write_file_durably(folders.card / error_name, as_bytes(text)); !r) return std::unexpected(r.error());
  return Taken::refused;
}

}  // namespace

Result<> erase_file(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) {
    if (errno == ENOENT) return {};
    return fail(errno == EACCES ? Errc::permission : Errc::io, "open a file to erase it", errno);
  }
  if (auto r = overwrite(fd.get()); !r) return r;
  if (::unlink(path.c_str()) != 0) return fail(Errc::io, "delete a file", errno);
  const UniqueFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail(Errc::io, "make a deletion durable", errno);
  return {};
}

namespace {

Result<Taken> take_file(const CardFolders& folders, Log& log) {
  const auto file = folders.card / "sealcam.json";
  auto content = read_file(file, largest_settings);
  if (!content && content.error().code == Errc::not_found) {
    if (auto r = erase_file(folders.card / error_name); !r) return std::unexpected(r.error());
    return Taken::none;
  }
  if (!content && content.error().code == Errc::exhausted)
    return refuse(folders, std::format("It is larger than {} bytes.", largest_settings), log);
  if (!content && content.error().native == EISDIR) return refuse(folders, "It is a folder.", log);
  if (!content) return std::unexpected(content.error());
  const auto settings = parse_settings(as_text(*content));
  wipe(*content);
  if (!settings) return refuse(folders, settings.error(), log);
  if (!settings->country.empty() && has_rules(folders.rules, settings->country) == false)
    return refuse(folders, std::format("/country: there are no rules for Wi-Fi in '{}'", settings->country), log);
  if (auto r = store(folders, *settings); !r) return std::unexpected(r.error());
  if (auto r = erase_file(file); !r) return std::unexpected(r.error());
  if (auto r = erase_file(folders.card / error_name); !r) return std::unexpected(r.error());
  log.info("settings of the card are taken:{}{}{}", settings->host_name.empty() ? "" : " name",
           settings->wifi ? " Wi-Fi" : "", settings->country.empty() ? "" : " country");
  return Taken::taken;
}

/// Beside what else is to be said.
Result<> say_misnamed(const CardFolders& folders, Log& log) {
  std::error_code ec;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folders.card / misnamed, ec))) return {};
  log.error("{} on the card is not read: its name has to be sealcam.json", misnamed);
  const auto said = read_file(folders.card / error_name, largest_settings);
  const std::string text = std::format(
      "{}{} was not read.\r\nIts name has to be sealcam.json; a PC may hide the last part of a name.\r\n"
      "Name it so, and start the camera again.\r\n",
      said ? as_text(*said) : "", misnamed);
  return write_file_durably(folders.card / error_name, as_bytes(text));
}

}  // namespace

Result<Taken> take_settings(const CardFolders& folders, Log& log) {
  auto taken = take_file(folders, log);
  if (!taken) return taken;
  if (auto r = say_misnamed(folders, log); !r) return std::unexpected(r.error());
  return taken;
}

std::string host_name(const CardFolders& folders) {
  const auto stored = read_file(folders.settings / "host-name", largest_host_name);
  const std::string name = stored ? host_name_of(as_text(*stored)) : "";
  return name.empty() ? "sealcam" : name;
}

}  // namespace sealcam::appliance
