// SPDX-License-Identifier: Apache-2.0
/// Takes all free file descriptors of the process away, so that accept(2) fails with EMFILE.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdint>

/// Exists if the undefined behavior sanitizer checks the types of objects with virtual functions.
extern "C" [[gnu::weak]] std::uintptr_t __ubsan_vptr_type_cache[];  // NOLINT(*-reserved-identifier,*-avoid-c-arrays)

namespace sealcam::test {

/// Until its end the process can open no file and accept no connection. For tests without other threads. Skips the test
/// if the undefined behavior sanitizer is in the program: it reads memory through a pipe, and reports a fault where
/// none is if it cannot make one.
class NoDescriptors {
 public:
  NoDescriptors() {
    if (__ubsan_vptr_type_cache != nullptr) SKIP("the sanitizer needs free file descriptors");
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
