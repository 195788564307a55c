// SPDX-License-Identifier: Apache-2.0
/// The process that decodes one group of pictures and ends. The hub starts it for each snapshot, so that no stream of
/// a camera affects the keys of the hub or the snapshot of another camera.
#pragma once

#include "hal/media.hpp"

namespace sealcam::hub::decoder {

/// The argument with which a program runs run_child().
inline constexpr const char* child_argument = "--decoder";

/// Standard input is a stream socket. Request: number of access units, then size and bytes of each one. Answer: 0 or
/// Errc + 1, native error, size of the JPEG, and its bytes. Numbers have four bytes, big-endian.
inline constexpr std::size_t answer_size = 12;
inline constexpr std::size_t max_request = 9U << 20;
inline constexpr std::size_t max_units = 100'000;
inline constexpr std::size_t max_jpeg = 16U << 20;

/// Opens a still builder, closes all files except standard input, enters the sandbox, serves one request. Returns the
/// exit code; the caller must call _exit() with it. Single-threaded programs only.
[[nodiscard]] int run_child(hal::Media& media) noexcept;

}  // namespace sealcam::hub::decoder
