// SPDX-License-Identifier: Apache-2.0
#include "device/service.hpp"

#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/file.hpp"

namespace sealcam::device {

ServiceManager::ServiceManager(const Clock& clock) : clock_(clock) {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(0, &limit) > 0) interval_ = std::chrono::microseconds(limit / 2);
}

void ServiceManager::ready() { (void)::sd_notify(0, "READY=1"); }

void ServiceManager::stopping() { (void)::sd_notify(0, "STOPPING=1"); }

void ServiceManager::alive() {
  if (!interval_) return;
  const auto now = clock_.monotonic();
  if (sent_ && now - *sent_ < *interval_) return;
  sent_ = now;
  (void)::sd_notify(0, "WATCHDOG=1");
}

Result<> replace_status_file(const std::filesystem::path& path, std::string_view text) {
  // A rename would replace a FIFO, or /dev/null.
  std::error_code ec;
  if (const auto status = std::filesystem::status(path, ec);
      std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    return std::unexpected(located({Errc::exists, 0, "not a regular file"}, path.native()));
  auto temporary = path;
  temporary += ".new";
  const auto failed = [&](const char* what) {
    const int native = errno;
    ::unlink(temporary.c_str());
    return fail_errno(what, path, native);
  };
  const UniqueFd fd = create_file(temporary, 0644);
  if (!fd) return fail_errno("create the status file", path);
  if (!write_all(fd.get(), as_bytes(text))) return failed("write the status file");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("replace the status file");
  return {};
}

}  // namespace sealcam::device
