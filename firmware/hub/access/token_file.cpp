// SPDX-License-Identifier: Apache-2.0
#include "hub/access/token_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <thread>

#include "base/file.hpp"

namespace sealcam::hub::access {
namespace {

constexpr std::size_t max_file = 64U << 10;
constexpr int lock_tries = 50;
constexpr std::chrono::milliseconds lock_pause{20};

Result<UniqueFd> lock(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    return std::unexpected(
        located({errno == EACCES ? Errc::permission : Errc::io, errno, "open the lock of access.json"}, path.native()));
  for (int i = 0; i < lock_tries; ++i) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(Errc::io, "lock access.json", errno);
    std::this_thread::sleep_for(lock_pause);
  }
  return std::unexpected(located({Errc::conflict, 0, "another process keeps access.json locked"}, path.native()));
}

}  // namespace

TokenFile::Version TokenFile::version() const {
  struct stat info{};
  if (::stat(file_.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size};
}

Result<Tokens> TokenFile::read() const {
  const auto content = read_file(file_, max_file);
  if (!content && content.error().code == Errc::not_found) return Tokens();
  if (!content) return std::unexpected(content.error());
  return parse_tokens(as_text(*content));
}

Result<std::optional<Tokens>> TokenFile::do_read_if_changed() {
  // The version first: a change during the read is then noticed by the next call.
  const auto now = version();
  if (known_ == now) return std::nullopt;
  auto tokens = read();
  known_ = now;  // also of a damaged file, so that each call does not read it again
  if (!tokens) return std::unexpected(tokens.error());
  return std::move(*tokens);
}

Result<Tokens> TokenFile::do_update(const TokenChange& change) {
  const auto locked = lock(lock_);
  if (!locked) return std::unexpected(locked.error());
  auto tokens = read();
  if (!tokens) return std::unexpected(tokens.error());
  if (auto r = change(*tokens); !r) return std::unexpected(r.error());
  if (auto r = write_file_durably(file_, as_bytes(to_json(*tokens))); !r) return std::unexpected(r.error());
  known_ = version();
  return tokens;
}

}  // namespace sealcam::hub::access
