// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/format.hpp"

namespace sealcam {

void assertion_failed(const char* condition, const std::source_location& where) noexcept {
  (void)std::fprintf(stderr, "%s:%u: %s: assertion failed: %s\n", where.file_name(), where.line(),
                     where.function_name(), condition);
  std::abort();
}

std::string_view name(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument: return "invalid argument";
    case Errc::malformed: return "malformed";
    case Errc::unsupported: return "unsupported";
    case Errc::not_found: return "not found";
    case Errc::exists: return "exists already";
    case Errc::permission: return "permission denied";
    case Errc::io: return "input/output error";
    case Errc::timeout: return "timed out";
    case Errc::device_lost: return "device lost";
    case Errc::corrupt_frame: return "corrupt frame";
    case Errc::end_of_stream: return "end of stream";
    case Errc::no_memory: return "out of memory";
    case Errc::crypto: return "crypto failure";
    case Errc::bad_signature: return "bad signature";
    case Errc::not_decryptable: return "not decryptable";
    case Errc::wrong_key: return "wrong key";
    case Errc::replayed: return "replayed";
    case Errc::stale: return "stale";
    case Errc::exhausted: return "exhausted";
    case Errc::connection: return "connection failed";
    case Errc::canceled: return "canceled";
    case Errc::conflict: return "conflict";
  }
  return "unknown error";
}

Error located(Error error, std::string_view place) {
  if (!error.place && !place.empty()) error.place = std::make_shared<const std::string>(place);
  return error;
}

/// The text of an errno; null for the numbers of libraries. FFmpeg returns an errno as a negative number.
static const char* system_text(const Error& error) {
  constexpr int max_errno = 131;  // those of PSA begin at -132
  switch (error.code) {
    case Errc::malformed:
    case Errc::crypto:
    case Errc::connection: return nullptr;
    case Errc::io:
    case Errc::not_found:
    case Errc::permission:
    case Errc::device_lost:
    case Errc::unsupported:
    case Errc::no_memory: break;
    default:
      if (error.native < 0) return nullptr;
  }
  const int number = std::abs(error.native);
  return number != 0 && number <= max_errno ? ::strerrordesc_np(number) : nullptr;
}

std::string to_string(const Error& error) {
  const std::string place = error.place ? *error.place + ": " : "";
  if (const char* const text = system_text(error))
    return sealcam::format("{}{}: {}{}", place, error.what, static_cast<char>(std::tolower(text[0])), text + 1);
  if (error.native == 0) return sealcam::format("{}{}: {}", place, error.what, name(error.code));
  return sealcam::format("{}{}: {} ({})", place, error.what, name(error.code), error.native);
}

}  // namespace sealcam
