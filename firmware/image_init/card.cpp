// SPDX-License-Identifier: Apache-2.0
#include "image_init/card.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "image_init/settings.hpp"

namespace sealcam::image_init {

namespace {

/// No file of the program is larger. Another file with the same name must not delay the start.
constexpr off_t max_overwritten = 64 << 10;

constexpr auto error_name = "sealcam-settings-error.txt";
/// Some editors append .txt to each name, and a PC may hide it.
constexpr auto misnamed = "sealcam.json.txt";

Result<> overwrite(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(Errc::io, "read the size of a file to erase", errno);
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
  log.info("took settings from the SD card:{}{}{}", settings->host_name.empty() ? "" : " name",
           settings->wifi ? " Wi-Fi" : "", settings->country.empty() ? "" : " country");
  return Taken::taken;
}

/// Appends to the text about sealcam.json, if there is one.
Result<> report_misnamed(const CardFolders& folders, Log& log) {
  std::error_code ec;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folders.card / misnamed, ec))) return {};
  log.error("{} on the SD card is not read: rename it to sealcam.json", misnamed);
  const auto earlier = read_file(folders.card / error_name, max_settings);
  const std::string text = sealcam::format(
      "{}{} was not read.\r\nRename it to sealcam.json and restart the camera. A PC may hide the end of a name.\r\n",
      earlier ? as_text(*earlier) : "", misnamed);
  return write_file_durably(folders.card / error_name, as_bytes(text));
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
