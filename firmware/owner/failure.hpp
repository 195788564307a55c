// SPDX-License-Identifier: Apache-2.0
/// What a command of the owner says when it cannot go on: a sentence with the next step, and an exit
/// code of sysexits.h.
#pragma once

#include <sysexits.h>

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::owner {

struct Failure {
  int exit_code = EX_SOFTWARE;
  std::string message;
};

template <class T = void>
using Outcome = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> failure(int exit_code, std::string message) {
  return std::unexpected(Failure{exit_code, std::move(message)});
}

/// "`doing`: error" and, when there is one, ". `next_step`". The code follows from the error's.
[[nodiscard]] std::unexpected<Failure> failure(const Error& error, std::string_view doing,
                                               std::string_view next_step = {});

[[nodiscard]] int exit_code(Errc code) noexcept;

/// read_file() and write_file_durably() whose failures name the path.
[[nodiscard]] Outcome<Bytes> read(const std::filesystem::path& path, std::size_t limit,
                                  std::string_view next_step = {});
[[nodiscard]] Outcome<> write(const std::filesystem::path& path, ByteView content);

}  // namespace sealcam::owner
