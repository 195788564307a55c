// SPDX-License-Identifier: Apache-2.0
/// New files of this process are readable by its user only.
#pragma once

#include <sys/stat.h>

namespace sealcam {

/// PSA's file store creates files with the process's umask. Until destruction, that is 0077. Not thread-safe: the umask
/// belongs to the process.
class PrivateUmask {
 public:
  PrivateUmask() noexcept : before_(::umask(0077)) {}
  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;
  ~PrivateUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

}  // namespace sealcam
