// SPDX-License-Identifier: Apache-2.0
#include "core/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sealcam {

namespace {

std::unexpected<Error> fail_errno(const char* what) {
  const int e = errno;
  switch (e) {
    case ENOENT: return fail(Errc::not_found, what, e);
    case EACCES:
    case EPERM:
    case EROFS: return fail(Errc::permission, what, e);
    default: return fail(Errc::io, what, e);
  }
}

template <class Call>
auto retry(Call call) {
  decltype(call()) r;
  do r = call();
  while (r < 0 && errno == EINTR);
  return r;
}

Result<> write_all(int fd, ByteView content) {
  while (!content.empty()) {
    const auto n = retry([&] { return ::write(fd, content.data(), content.size()); });
    if (n < 0) return fail_errno("writing a state file");
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

/// A new file, private from its first moment. One that a power cut left under the name, or that somebody put there with
/// other rights or as a link to somewhere else, is not written to but goes.
UniqueFd make_private_file(const std::filesystem::path& path) {
  const auto make = [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); };
  UniqueFd fd(make());
  if (!fd && errno == EEXIST && ::unlink(path.c_str()) == 0) fd = UniqueFd(make());
  return fd;
}

Result<> sync_path(const std::filesystem::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return fail_errno("opening for fsync");
  if (retry([&] { return ::fsync(fd.get()); }) != 0) return fail_errno("fsync");
  return {};
}

}  // namespace

void UniqueFd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<Bytes> read_file(const std::filesystem::path& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("opening a file");
  Bytes content;
  std::array<std::byte, 4096> block;
  for (;;) {
    const auto n = retry([&] { return ::read(fd.get(), block.data(), block.size()); });
    if (n < 0) return fail_errno("reading a file");
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > limit) return fail(Errc::exhausted, "file is too large");
    content.insert(content.end(), block.begin(), block.begin() + n);
  }
}

Result<> write_file_durably(const std::filesystem::path& path, ByteView content) {
  auto temporary = path;
  temporary += ".new";
  {
    const UniqueFd fd = make_private_file(temporary);
    if (!fd) return fail_errno("creating a state file");
    auto written = write_all(fd.get(), content);
    if (written && retry([&] { return ::fsync(fd.get()); }) != 0) written = fail_errno("fsync of a state file");
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = fail_errno("renaming a state file");
    ::unlink(temporary.c_str());
    return error;
  }
  return sync_path(path.parent_path().empty() ? "." : path.parent_path(), O_RDONLY | O_DIRECTORY);
}

Result<> make_private_folder(const std::filesystem::path& path) {
  std::error_code ec;
  std::filesystem::create_directories(path, ec);
  if (ec)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "creating a folder", ec.value());
  if (::chmod(path.c_str(), 0700) != 0) return fail_errno("setting a folder's mode");
  return {};
}

Result<> sync_folder(const std::filesystem::path& path) {
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(path, ec)) {
    if (!entry.is_regular_file(ec)) continue;
    if (auto r = sync_path(entry.path(), O_RDONLY); !r) return r;
  }
  if (ec) return fail(Errc::io, "listing a folder", ec.value());
  return sync_path(path, O_RDONLY | O_DIRECTORY);
}

Result<UniqueFd> lock_folder(const std::filesystem::path& path) {
  UniqueFd fd(::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("opening the lock file");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Errc::conflict, "another process uses this state folder");
    return fail_errno("locking the state folder");
  }
  return fd;
}

}  // namespace sealcam
