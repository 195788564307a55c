// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

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

namespace {

/// A descriptor of this process that `file` refers to, for example by the name /dev/stdout; -1 if there is none.
int standard_stream(const struct stat& file) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat open{};
    if (::fstat(fd, &open) == 0 && open.st_dev == file.st_dev && open.st_ino == file.st_ino) return fd;
  }
  return -1;
}

std::unexpected<Error> rejected(const char* why, const fs::path& path) {
  return std::unexpected(located({Errc::exists, 0, why}, path.native()));
}

/// Opens a FIFO or a character device.
Result<UniqueFd> open_special(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return fail_errno("opening the output", path);
  if (S_ISREG(status.st_mode)) return rejected("the output was exchanged for a file", path);
  if (S_ISFIFO(status.st_mode) && status.st_uid != ::geteuid())
    return rejected("the output is a FIFO of another user", path);
  return fd;
}

/// The beginning of a temporary name. With six more characters it is shorter than NAME_MAX.
std::string temporary_name(const fs::path& path) {
  constexpr std::size_t max_name = 200;
  return (path.parent_path() / ("." + path.filename().string().substr(0, max_name) + ".")).string();
}

/// The name of an open file that linkat(2) accepts without privileges (proc(5)).
std::string open_name(int descriptor) { return sealcam::format("/proc/self/fd/{}", descriptor); }

/// A file that has no name yet. Nothing if the file system cannot have one, or if /proc is missing.
UniqueFd create_unnamed(const fs::path& folder) {
  UniqueFd file(::open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file && ::access(open_name(file.get()).c_str(), F_OK) != 0) file.reset();
  return file;
}

/// Gives the open file the name. False after an error; errno has the reason.
bool link_open(int descriptor, const std::string& name) {
  return ::linkat(AT_FDCWD, open_name(descriptor).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

/// Gives the open file a temporary name beside `path`; empty after an error.
std::string link_temporary(int descriptor, const fs::path& path) {
  constexpr int attempts = 100, names = 1'000'000;
  for (int i = 0; i < attempts; ++i) {
    auto name = temporary_name(path) + sealcam::format("{:06}", (::getpid() + i) % names);
    if (link_open(descriptor, name)) return name;
    if (errno != EEXIST) break;
  }
  return {};
}

}  // namespace

OutputFile::OutputFile(fs::path path, State state, fs::path temporary, UniqueFd file)
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)), state_(state) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      state_(other.state_) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<OutputFile> OutputFile::open(const fs::path& path) {
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return fail_errno("creating a file", path);
  if (exists && S_ISDIR(status.st_mode)) return fail_errno("creating a file", path, EISDIR);
  if (exists && S_ISBLK(status.st_mode)) return rejected("the output is a block device", path);
  if (const int stream = exists ? standard_stream(status) : -1; stream >= 0) {
    UniqueFd copy(::fcntl(stream, F_DUPFD_CLOEXEC, 0));
    if (!copy) return fail_errno("opening the output", path);
    return OutputFile(path, State::named, {}, std::move(copy));
  }
  if (exists && !S_ISREG(status.st_mode)) {
    auto special = open_special(path);
    if (!special) return std::unexpected(special.error());
    return OutputFile(path, State::named, {}, std::move(*special));
  }
  if (auto file = create_unnamed(path.parent_path())) return OutputFile(path, State::unnamed, {}, std::move(file));
  auto name = temporary_name(path) + "XXXXXX";
  UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return fail_errno("creating a file", path);
  return OutputFile(path, State::temporary, name, std::move(file));
}

Result<> OutputFile::publish() {
  if (state_ == State::named) return {};
  while (::fsync(file_.get()) != 0)
    if (errno != EINTR) return fail_errno("writing a file", path_);
  if (state_ == State::unnamed) {
    if (link_open(file_.get(), path_.string())) {
      state_ = State::named;
      return sync_entries_of(path_);
    }
    // linkat(2) replaces nothing, so an existing file needs a temporary name for the rename.
    if (errno == EEXIST) temporary_ = link_temporary(file_.get(), path_);
    if (temporary_.empty()) return fail_errno("naming a file", path_);
    state_ = State::temporary;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail_errno("renaming a file", path_);
  temporary_.clear();
  state_ = State::named;
  return sync_entries_of(path_);
}

namespace {

/// Opens the spare file, or makes a private one. The old content of a spare file is not needed. A link or a file with a
/// second name is removed and not written to.
UniqueFd open_spare(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) return fd;
  return create_file(path, 0600);
}

/// False if the file has no other content than `content` afterwards, on the disk.
bool overwrite(int fd, ByteView content) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !write_all(fd, content)) return false;
  // Only if necessary, because this also frees the reserved blocks behind the content.
  const auto size = static_cast<off_t>(content.size());
  if (status.st_size > size && ::ftruncate(fd, size) != 0) return false;
  return ::fsync(fd) == 0;
}

bool exchange(const fs::path& spare, const fs::path& path) {
  if (::renameat2(AT_FDCWD, spare.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return true;
  // The first store, or a file system without the exchange.
  if (errno != ENOENT && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return false;
  return ::rename(spare.c_str(), path.c_str()) == 0;
}

}  // namespace

ReservedFile::ReservedFile(fs::path path, std::size_t capacity)
    : path_(std::move(path)), spare_(spare_of(path_)), capacity_(capacity) {}

Result<> ReservedFile::reserve() {
  const UniqueFd fd = open_spare(spare_);
  if (!fd) return fail_errno("creating the spare file", path_);
  struct stat status{};
  constexpr std::size_t block = 512;  // the unit of st_blocks, always
  if (::fstat(fd.get(), &status) == 0 && static_cast<std::size_t>(status.st_blocks) * block >= capacity_) return {};
  if (::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(capacity_)) != 0 && errno != EOPNOTSUPP)
    return fail_errno("reserving space for a state file", path_);
  return {};
}

Result<> ReservedFile::sync_names() {
  if (settled_) return {};
  if (auto r = sync_entries_of(path_); !r) return r;
  settled_ = true;
  return {};
}

Result<> ReservedFile::store(ByteView content) {
  // If an earlier exchange is not durable, the disk may still have the spare file under the name of the file.
  if (auto r = sync_names(); !r) return r;
  {
    const UniqueFd fd = open_spare(spare_);
    if (!fd) return fail_errno("creating a state file", path_);
    if (!overwrite(fd.get(), content)) return fail_errno("writing a state file", path_);
  }
  settled_ = false;
  if (!exchange(spare_, path_)) return fail_errno("renaming a state file", path_);
  if (auto r = sync_names(); !r) return r;
  (void)reserve();  // the next store reports a missing spare file
  return {};
}

}  // namespace sealcam
