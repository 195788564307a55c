// SPDX-License-Identifier: Apache-2.0
#include "core/result.hpp"

#include <format>

namespace sealcam {

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
    case Errc::cancelled: return "cancelled";
    case Errc::conflict: return "conflict";
  }
  return "unknown error";
}

std::string to_string(const Error& error) {
  if (error.native == 0) return std::format("{}: {}", error.what, name(error.code));
  return std::format("{}: {} ({})", error.what, name(error.code), error.native);
}

}  // namespace sealcam
