// SPDX-License-Identifier: Apache-2.0
#include "base/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/format.hpp"

namespace sealcam {

namespace fs = std::filesystem;

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

}  // namespace sealcam
