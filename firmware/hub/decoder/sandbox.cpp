// SPDX-License-Identifier: Apache-2.0
#include "hub/decoder/sandbox.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace sealcam::hub::decoder {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr std::uint32_t architecture = AUDIT_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t architecture = AUDIT_ARCH_RISCV64;
#else
#error "Add the AUDIT_ARCH constant of this processor."
#endif
static_assert(std::endian::native == std::endian::little, "the filter reads the low half of an argument");

// The sanitizers reserve terabytes of addresses.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool reserves_addresses = true;
#elif defined(__has_feature)
constexpr bool reserves_addresses =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer);
#else
constexpr bool reserves_addresses = false;
#endif

/// Calls of a decoder that has its libraries, its memory allocator and one open socket.
constexpr std::uint32_t permitted[] = {
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_exit,
    SYS_exit_group,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_futex,
    SYS_rt_sigreturn,
    SYS_getpid,
    SYS_rt_sigprocmask,
    SYS_clock_gettime,
    SYS_sched_yield,
    SYS_restart_syscall,
    // For a thread that a library started and that has not run yet: the C library ends the process if they fail.
    SYS_set_robust_list,
    SYS_rseq,
#ifdef SYS_sigreturn
    SYS_sigreturn,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
#ifdef SYS_futex_time64
    SYS_futex_time64,
#endif
};

/// Permitted unless the third argument contains PROT_EXEC.
constexpr std::uint32_t permitted_without_execution[] = {
    SYS_mprotect,
#ifdef SYS_mmap
    SYS_mmap,
#endif
#ifdef SYS_mmap2
    SYS_mmap2,
#endif
};

constexpr std::uint32_t kill = SECCOMP_RET_KILL_PROCESS;
constexpr std::uint32_t deny = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t permit = SECCOMP_RET_ALLOW;

constexpr sock_filter load(std::size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}
/// If not equal, skips this many instructions.
constexpr sock_filter if_equal(std::uint32_t value, std::uint8_t skipped) {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, skipped, value};
}
/// If no bit is set, skips this many instructions.
constexpr sock_filter if_any_bit(std::uint32_t bits, std::uint8_t skipped) {
  return {BPF_JMP | BPF_JSET | BPF_K, 0, skipped, bits};
}
constexpr sock_filter end(std::uint32_t action) { return {BPF_RET | BPF_K, 0, 0, action}; }

std::vector<sock_filter> make_filter() {
  constexpr sock_filter skip_if_native{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, architecture};
  std::vector<sock_filter> program{load(offsetof(seccomp_data, arch)), skip_if_native, end(kill),
                                   load(offsetof(seccomp_data, nr))};
  for (const auto call : permitted_without_execution)
    program.insert(program.end(), {if_equal(call, 4), load(offsetof(seccomp_data, args[2])), if_any_bit(PROT_EXEC, 1),
                                   end(deny), end(permit)});
  for (const auto call : permitted) program.insert(program.end(), {if_equal(call, 1), end(permit)});
  program.push_back(end(deny));
  return program;
}

bool limit(decltype(RLIMIT_CPU) resource, rlim_t value) {
  const rlimit both{value, value};
  return ::setrlimit(resource, &both) == 0;
}

}  // namespace

Result<> enter_sandbox() {
  const bool limited = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NPROC, 0) &&
                       limit(RLIMIT_NOFILE, 1) && limit(RLIMIT_CPU, max_processor_time.count()) &&
                       (reserves_addresses || (limit(RLIMIT_DATA, max_memory) && limit(RLIMIT_AS, max_addresses)));
  if (!limited) return fail(Errc::unsupported, "limit the decoder", errno);
  auto program = make_filter();
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // For all threads: a library may have started one.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
    return fail(Errc::unsupported, "restrict the system calls of the decoder", errno);
  return {};
}

}  // namespace sealcam::hub::decoder
