// SPDX-License-Identifier: Apache-2.0
/// Takes all free file descriptors of the process away, so that accept(2) fails with EMFILE.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace sealcam::test {

/// Until its end the process can open no file and accept no connection. For tests without other threads.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int free = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);  // the lowest one
    REQUIRE(free >= 0);
    ::close(free);
    const rlimit none{static_cast<rlim_t>(free), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace sealcam::test
