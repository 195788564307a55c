// SPDX-License-Identifier: Apache-2.0
#include "owner/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/format.hpp"

namespace sealcam::owner {

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

}  // namespace

OutputFile::OutputFile(fs::path path, fs::path temporary, UniqueFd file)
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), file_(std::move(other.file_)) {
  other.temporary_.clear();
}

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
    return OutputFile(path, {}, std::move(copy));
  }
  if (exists && !S_ISREG(status.st_mode)) {
    auto special = open_special(path);
    if (!special) return std::unexpected(special.error());
    return OutputFile(path, {}, std::move(*special));
  }
  constexpr std::size_t max_name = 200;  // with the other characters less than NAME_MAX
  auto name = (path.parent_path() / ("." + path.filename().string().substr(0, max_name) + ".XXXXXX")).string();
  UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return fail_errno("creating a file", path);
  return OutputFile(path, name, std::move(file));
}

Result<> OutputFile::publish() {
  if (temporary_.empty()) return {};
  while (::fsync(file_.get()) != 0)
    if (errno != EINTR) return fail_errno("writing a file", path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail_errno("renaming a file", path_);
  temporary_.clear();
  return sync_entries_of(path_);
}

Outcome<> write_output(const fs::path& path, ByteView content) {
  const auto written = [&]() -> Result<> {
    auto file = OutputFile::open(path);
    if (!file) return std::unexpected(file.error());
    if (!write_all(file->descriptor(), content)) return fail_errno("writing a file", path);
    return file->publish();
  }();
  if (!written) return failure(written.error(), sealcam::format("cannot write {}", path.string()));
  return {};
}

}  // namespace sealcam::owner
