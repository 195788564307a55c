// SPDX-License-Identifier: Apache-2.0
#include "hub/decoder/decoder_child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <vector>

#include "base/file.hpp"
#include "hub/decoder/sandbox.hpp"

namespace sealcam::hub::decoder {

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
  if (!builder) return fail(Errc::unsupported, "open the media module");
  if (!restricted) return std::unexpected(restricted.error());
  try {
    const std::vector<ByteView> group(units.begin(), units.end());
    return (*builder)->make(group);
  } catch (const std::exception&) {
    return fail(Errc::no_memory, "decode a snapshot");
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
    std::fputs("--decoder: only sealcam-hub starts this process\n", stderr);
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
