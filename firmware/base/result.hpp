// SPDX-License-Identifier: Apache-2.0
/// Results, errors and assertions. A function that can fail for a reason outside the program returns a Result. A broken
/// invariant inside the program asserts.
#pragma once

#include <expected>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>

namespace sealcam {

[[noreturn]] void assertion_failed(const char* condition, const std::source_location& where) noexcept;

}  // namespace sealcam

/// Always on: the supervisor restarts a program that aborts, but a program that continues with a broken invariant may
/// send wrong data.
#define SC_ASSERT(condition) \
  (static_cast<bool>(condition) ? void() : ::sealcam::assertion_failed(#condition, std::source_location::current()))

namespace sealcam {

/// The reason for a failure. All modules share this list, so that a caller needs no knowledge of the library behind a
/// call.
enum class Errc {
  invalid_argument,  ///< a value from the caller or the user is out of range
  malformed,         ///< received bytes do not have the expected form
  unsupported,       ///< the input is well formed, but this build does not support it
  not_found,         ///< no such file, device, encoder or key
  exists,            ///< the operation would overwrite something that must stay
  permission,        ///< the operating system or the broker denied access
  io,                ///< read or write failed
  timeout,           ///< nothing arrived in time
  device_lost,       ///< the sensor or encoder disappeared
  corrupt_frame,     ///< the sensor marked this picture as damaged
  end_of_stream,     ///< a finite source has ended
  no_memory,         ///< an allocation failed, or a fixed-size buffer is too small
  crypto,            ///< a cryptographic primitive failed, and the peer is not the cause
  bad_signature,     ///< a signature does not match
  not_decryptable,   ///< authenticated decryption failed
  wrong_key,         ///< the key is not the expected one
  replayed,          ///< the same message was accepted before
  stale,             ///< older than something already accepted
  exhausted,         ///< a counter or a limit is used up
  connection,        ///< the network connection failed or ended
  canceled,          ///< stopped on request
  conflict,          ///< two authenticated statements contradict each other
};

/// Fixed text of a code, for logs. Never null.
[[nodiscard]] std::string_view name(Errc code) noexcept;

/// A failure. Without a place it needs no heap, so that hot paths can create it.
struct Error {
  Errc code;
  int native = 0;         ///< errno, psa_status_t, AVERROR …; 0 if there is none
  const char* what = "";  ///< the failed operation, a string literal
  /// File, JSON pointer or device, for people; null on hot paths.
  std::shared_ptr<const std::string> place = {};

  friend bool operator==(const Error& a, const Error& b) noexcept { return a.code == b.code; }
};

template <class T = void>
using Result = std::expected<T, Error>;

/// Short form of `std::unexpected(Error{…})`.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, const char* what, int native = 0) noexcept {
  return std::unexpected(Error{code, native, what});
}

/// `error` with `place`. An error that already has a place keeps its own, which is the more exact one.
[[nodiscard]] Error located(Error error, std::string_view place);

/// One line for people: "/var/lib/sealcam/camera/roster: opening a file: not found (2)".
[[nodiscard]] std::string to_string(const Error& error);

}  // namespace sealcam
