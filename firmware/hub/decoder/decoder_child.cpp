// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <vector>

#include "base/file.hpp"
#include "hub/decoder/decoder.hpp"

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
    return fail(Errc::unsupported, "restricting the system calls of the decoder", errno);
  return {};
}

namespace {

bool read_all(MutableBytes out) {
  while (!out.empty()) {
    const auto n = ::read(STDIN_FILENO, out.data(), out.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    out = out.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool write_all(ByteView bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(STDIN_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<std::uint32_t> read_number(std::size_t max) {
  std::array<std::byte, 4> bytes{};
  if (!read_all(bytes)) return std::nullopt;
  const auto value = load_be<std::uint32_t>(bytes);
  return value <= max ? std::optional(value) : std::nullopt;
}

std::optional<std::vector<Bytes>> read_request() {
  const auto count = read_number(max_units);
  if (!count) return std::nullopt;
  std::vector<Bytes> units;
  std::size_t total = 0;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto size = read_number(max_request - total);
    if (!size) return std::nullopt;
    total += *size;
    if (!read_all(units.emplace_back(*size))) return std::nullopt;
  }
  return units;
}

bool answer(const Result<Bytes>& jpeg) {
  const ByteView content = jpeg ? ByteView(*jpeg) : ByteView();
  std::array<std::byte, answer_size> head{};
  const MutableBytes out(head);
  store_be(out, jpeg ? 0U : static_cast<std::uint32_t>(jpeg.error().code) + 1);
  store_be(out.subspan(4), jpeg ? 0U : static_cast<std::uint32_t>(jpeg.error().native));
  store_be(out.subspan(8), static_cast<std::uint32_t>(content.size()));
  return write_all(head) && write_all(content);
}

using Builder = Result<std::unique_ptr<hal::StillBuilder>>;

Result<Bytes> decode(const Builder& builder, const Result<>& restricted, const std::vector<Bytes>& units) {
  if (!builder) return fail(Errc::unsupported, "opening the media module");
  if (!restricted) return std::unexpected(restricted.error());
  try {
    const std::vector<ByteView> group(units.begin(), units.end());
    return (*builder)->make(group);
  } catch (const std::exception&) {
    return fail(Errc::no_memory, "decoding a snapshot");
  }
}

/// If memory is short, the kernel ends this process before the hub (proc_pid_oom_score_adj(5)).
void offer_to_end_first() {
  const UniqueFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file) (void)sealcam::write_all(file.get(), as_bytes(std::string_view("1000")));
}

int serve(hal::Media& media) {
  offer_to_end_first();
  // Loads the libraries, which need files.
  const auto builder = media.open_still_builder();
  ::close(STDOUT_FILENO);
  ::close(STDERR_FILENO);
  const auto restricted = enter_sandbox();
  const auto units = read_request();
  if (!units) return EX_PROTOCOL;
  return answer(decode(builder, restricted, *units)) ? EX_OK : EX_IOERR;
}

}  // namespace

int run_child(hal::Media& media) noexcept {
  struct stat input{};
  if (::fstat(STDIN_FILENO, &input) != 0 || !S_ISSOCK(input.st_mode)) {
    (void)std::fputs("--decoder: only sealcam-hub starts this process\n", stderr);
    return EX_USAGE;
  }
  try {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return serve(media);
  } catch (const std::exception&) {
    return EX_OSERR;
  }
}

}  // namespace sealcam::hub::decoder
