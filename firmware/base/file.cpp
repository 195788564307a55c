// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>

#include "base/format.hpp"

namespace sealcam {

namespace fs = std::filesystem;

namespace {

template <class Call>
auto retry(Call call) {
  decltype(call()) r;
  do r = call();
  while (r < 0 && errno == EINTR);
  return r;
}

Result<> sync_path(const fs::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return fail_errno("opening for fsync", path);
  if (retry([&] { return ::fsync(fd.get()); }) != 0) return fail_errno("fsync", path);
  return {};
}

/// systemd may list several folders, separated by colons. Sealcam uses the first one.
fs::path from_systemd(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) return {};
  const std::string_view list(value);
  return fs::path(list.substr(0, list.find(':')));
}

/// $HOME, or the user's entry in passwd(5): `env -i`, cron and units of systemd may set no HOME. Files in the root
/// folder would be those of all users.
fs::path home_folder() {
  const auto is_home = [](const char* path) {
    return path != nullptr && *path == '/' && fs::path(path).lexically_normal() != "/";
  };
  if (const char* const home = std::getenv("HOME"); is_home(home)) return home;
  std::error_code ec;
  const passwd* const user = ::getpwuid(::geteuid());
  if (user != nullptr && is_home(user->pw_dir) && fs::is_directory(user->pw_dir, ec)) return user->pw_dir;
  throw std::invalid_argument(sealcam::format(
      "user {} has no home folder: set HOME, or name the folders with the options of --help", ::geteuid()));
}

/// The specification requires programs to ignore a relative path in the variable.
fs::path from_xdg(const char* variable, const char* below_home) {
  if (const char* const value = std::getenv(variable); value != nullptr && *value == '/') return value;
  return home_folder() / below_home;
}

}  // namespace

void UniqueFd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::unexpected<Error> fail_errno(const char* what, const fs::path& path, int e) {
  const auto code = e == ENOENT                               ? Errc::not_found
                    : e == EACCES || e == EPERM || e == EROFS ? Errc::permission
                                                              : Errc::io;
  return std::unexpected(located({code, e, what}, path.native()));
}

UniqueFd create_file(const fs::path& path, mode_t mode) {
  const auto create = [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); };
  UniqueFd fd(create());
  if (!fd && errno == EEXIST && ::unlink(path.c_str()) == 0) fd = UniqueFd(create());
  return fd;
}

bool write_all(int fd, ByteView content) {
  while (!content.empty()) {
    const auto n = retry([&] { return ::write(fd, content.data(), content.size()); });
    if (n < 0) return false;
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

Result<Bytes> read_file(const fs::path& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("opening a file", path);
  Bytes content;
  std::array<std::byte, 4096> block;
  for (;;) {
    const auto n = retry([&] { return ::read(fd.get(), block.data(), block.size()); });
    if (n < 0) return fail_errno("reading a file", path);
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > limit)
      return std::unexpected(located({Errc::exhausted, 0, "file is too large"}, path.native()));
    content.insert(content.end(), block.begin(), block.begin() + n);
  }
}

Result<> write_file_durably(const fs::path& path, ByteView content) {
  // A rename would replace a FIFO, or /dev/null.
  std::error_code ec;
  if (const auto status = fs::status(path, ec); fs::exists(status) && !fs::is_regular_file(status))
    return std::unexpected(located({Errc::exists, 0, "not a regular file"}, path.native()));
  auto temporary = path;
  temporary += ".new";
  const auto failed = [&](const char* what) {
    const int e = errno;
    ::unlink(temporary.c_str());
    return fail_errno(what, path, e);
  };
  {
    const UniqueFd fd = create_file(temporary, 0600);
    if (!fd) return fail_errno("creating a state file", path);
    if (!write_all(fd.get(), content) || retry([&] { return ::fsync(fd.get()); }) != 0)
      return failed("writing a state file");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("renaming a state file");
  return sync_entries_of(path);
}

Result<> sync_entries_of(const fs::path& path) {
  return sync_path(path.parent_path().empty() ? "." : path.parent_path(), O_RDONLY | O_DIRECTORY);
}

Result<> make_private_folder(const fs::path& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return fail_errno("creating a folder", path, ec == std::errc::permission_denied ? EACCES : ec.value());
  if (::chmod(path.c_str(), 0700) != 0) return fail_errno("setting the mode of a folder", path);
  return {};
}

Result<> sync_folder(const fs::path& path) {
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(path, ec)) {
    if (!entry.is_regular_file(ec)) continue;
    if (auto r = sync_path(entry.path(), O_RDONLY); !r) return r;
  }
  if (ec) return std::unexpected(located({Errc::io, ec.value(), "listing a folder"}, path.native()));
  return sync_path(path, O_RDONLY | O_DIRECTORY);
}

Result<UniqueFd> lock_folder(const fs::path& path) {
  const auto file = path / "lock";
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("opening the lock file", file);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK)
    return std::unexpected(located({Errc::conflict, 0, "another process uses this state folder"}, path.native()));
  return fail_errno("locking the state folder", path);
}

fs::path configuration_folder() {
  if (auto folder = from_systemd("CONFIGURATION_DIRECTORY"); !folder.empty()) return folder;
  return from_xdg("XDG_CONFIG_HOME", ".config") / "sealcam";
}

fs::path state_folder(std::string_view program) {
  if (auto folder = from_systemd("STATE_DIRECTORY"); !folder.empty()) return folder;
  return from_xdg("XDG_STATE_HOME", ".local/state") / "sealcam" / program;
}

}  // namespace sealcam
