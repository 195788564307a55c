// SPDX-License-Identifier: Apache-2.0
#include "owner/failure.hpp"

#include <format>

#include "core/file.hpp"

namespace sealcam::owner {

int exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument: return EX_USAGE;
    case Errc::not_found: return EX_NOINPUT;
    case Errc::exists: return EX_CANTCREAT;
    case Errc::permission: return EX_NOPERM;
    case Errc::io: return EX_IOERR;
    case Errc::timeout:
    case Errc::connection:
    case Errc::device_lost:
    case Errc::cancelled: return EX_UNAVAILABLE;
    case Errc::conflict: return EX_TEMPFAIL;
    case Errc::malformed:
    case Errc::unsupported:
    case Errc::bad_signature:
    case Errc::not_decryptable:
    case Errc::wrong_key:
    case Errc::replayed:
    case Errc::stale: return EX_CONFIG;
    default: return EX_SOFTWARE;
  }
}

std::unexpected<Failure> failure(const Error& error, std::string_view doing, std::string_view next_step) {
  return failure(exit_code(error.code),
                 std::format("{}: {}{}{}", doing, to_string(error), next_step.empty() ? "" : ". ", next_step));
}

Outcome<Bytes> read(const std::filesystem::path& path, std::size_t limit, std::string_view next_step) {
  auto content = read_file(path, limit);
  if (!content) return failure(content.error(), path.string(), next_step);
  return std::move(*content);
}

Outcome<> write(const std::filesystem::path& path, ByteView content) {
  if (auto r = write_file_durably(path, content); !r) return failure(r.error(), path.string());
  return {};
}

}  // namespace sealcam::owner
