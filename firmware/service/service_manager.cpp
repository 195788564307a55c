// SPDX-License-Identifier: Apache-2.0
#include "service/service_manager.hpp"

#include <systemd/sd-daemon.h>

namespace sealcam::service {

ServiceManager::ServiceManager(const Clock& clock) : clock_(clock) {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(0, &limit) > 0) interval_ = std::chrono::microseconds(limit / 2);
}

void ServiceManager::ready() { (void)::sd_notify(0, "READY=1"); }

void ServiceManager::stopping() { (void)::sd_notify(0, "STOPPING=1"); }

void ServiceManager::alive() {
  if (!interval_) return;
  const auto now = clock_.monotonic();
  if (said_ && now - *said_ < *interval_) return;
  said_ = now;
  (void)::sd_notify(0, "WATCHDOG=1");
}

}  // namespace sealcam::service
