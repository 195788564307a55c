// SPDX-License-Identifier: Apache-2.0
/// The actions of a decoder that a camera controls. decoder_probe.cpp runs them in the sandbox. A test runs some of
/// them in its own process, as the control.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <string>

namespace sealcam::test {

/// 0, or the errno of a call that returned a negative value. Closes the file that it opened.
template <class Number>
int outcome(Number result) {
  if (result < 0) return errno;
  ::close(static_cast<int>(result));
  return 0;
}

/// Each of them succeeds in an ordinary process of Linux.
inline const std::map<std::string, std::function<int()>>& forbidden_actions() {
  static const std::map<std::string, std::function<int()>> actions{
      {"read a file", [] { return outcome(::open("/proc/self/status", O_RDONLY | O_CLOEXEC)); }},
      {"write a file", [] { return outcome(::open("/dev/null", O_WRONLY | O_CLOEXEC)); }},
      {"make an internet socket", [] { return outcome(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
      {"make a local socket", [] { return outcome(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }},
      {"find its parent", [] { return ::kill(::getpid(), 0) == 0 ? 0 : errno; }},
      {"run a program", [] { return outcome(::memfd_create("probe", MFD_CLOEXEC)); }},
      {"make executable memory",
       [] {
         void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return page == MAP_FAILED ? errno : 0;
       }},
      {"make its memory executable",
       [] {
         void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         if (page == MAP_FAILED) return 0;
         return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
       }},
  };
  return actions;
}

}  // namespace sealcam::test
