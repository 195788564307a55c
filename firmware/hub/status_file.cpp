// SPDX-License-Identifier: Apache-2.0
#include "hub/status_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/file.hpp"

namespace sealcam::hub {
namespace {

Result<> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(Errc::io, "write the status file", errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<> replace_status_file(const std::filesystem::path& path, std::string_view text) {
  const auto part = path.string() + ".part";
  const UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail(errno == EACCES ? Errc::permission : Errc::io, "create the status file", errno);
  if (auto r = write_all(fd.get(), text); !r) return r;
  if (::rename(part.c_str(), path.c_str()) != 0) return fail(Errc::io, "replace the status file", errno);
  return {};
}

}  // namespace sealcam::hub
