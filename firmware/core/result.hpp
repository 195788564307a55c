// SPDX-License-Identifier: Apache-2.0
/// Results and errors. Everything that can fail for a reason outside the program returns a Result;
/// a broken invariant inside the program asserts (assert.hpp).
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace sealcam {

/// Why something failed. One list for the whole firmware, so that a caller can decide without
/// knowing which library stood behind the call.
enum class Errc {
  invalid_argument,  ///< the caller's or the user's value is out of range
  malformed,         ///< outside bytes do not have the form they claim
  unsupported,       ///< well formed, but not something this build can do
  not_found,         ///< no such file, device, encoder, key
  exists,            ///< would overwrite something that must not be overwritten
  permission,        ///< the operating system or the broker said no
  io,                ///< read or write failed
  timeout,           ///< nothing came in the time given
  device_lost,       ///< the sensor or encoder went away
  corrupt_frame,     ///< the sensor marked this picture as damaged
  end_of_stream,     ///< a finite source is finished
  no_memory,         ///< an allocation or a fixed-size buffer was too small
  crypto,            ///< a crypto primitive failed for a reason that is not the peer's
  bad_signature,     ///< a signature does not match
  not_decryptable,   ///< authenticated decryption failed
  wrong_key,         ///< a key is not the one that was expected
  replayed,          ///< seen before
  stale,             ///< older than something already accepted
  exhausted,         ///< a counter or a limit is used up
  connection,        ///< the network connection failed or ended
  cancelled,         ///< stopped on request
  conflict,          ///< two authenticated statements contradict each other
};

/// Fixed text of a code, for logs. Never null.
[[nodiscard]] std::string_view name(Errc code) noexcept;

/// What failed. `what` points to a string literal: errors are made on hot paths and cost no heap.
struct Error {
  Errc code;
  int native = 0;         ///< errno, psa_status_t, AVERROR …; 0 when there is none
  const char* what = "";  ///< what was being done, a literal, in the words of the caller

  friend bool operator==(const Error& a, const Error& b) noexcept { return a.code == b.code; }
};

template <class T = void>
using Result = std::expected<T, Error>;

/// Short form of `std::unexpected(Error{…})`.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, const char* what, int native = 0) noexcept {
  return std::unexpected(Error{code, native, what});
}

/// One line for people: "malformed: roster version (native -138)".
[[nodiscard]] std::string to_string(const Error& error);

}  // namespace sealcam
