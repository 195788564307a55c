// SPDX-License-Identifier: Apache-2.0
/// The failure of a command: a message with the next step, and an exit code of sysexits.h. The program prints the
/// message to standard error.
#pragma once

#include <sysexits.h>

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace sealcam::owner {

struct Failure {
  int exit_code = EX_SOFTWARE;
  std::string message;  ///< empty: the program has printed everything already
};

template <class T = void>
using Outcome = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> failure(int exit_code, std::string message) {
  return std::unexpected(Failure{exit_code, std::move(message)});
}

/// "`problem`: error; `next_step`". The exit code is that of device::exit_code(). The part after the semicolon is
/// optional.
[[nodiscard]] std::unexpected<Failure> failure(const Error& error, std::string_view problem,
                                               std::string_view next_step = {});

/// read_file() and write_file_durably(), with failures that name the path.
[[nodiscard]] Outcome<Bytes> read(const std::filesystem::path& path, std::size_t limit,
                                  std::string_view next_step = {});
[[nodiscard]] Outcome<> write(const std::filesystem::path& path, ByteView content);

}  // namespace sealcam::owner
