// SPDX-License-Identifier: Apache-2.0
/// Text for people: std::format(), std::print() and std::println(), compiled once, and unknown text made safe to print.
/// The standard library's templates compile the whole formatter in each source file that calls them, which takes 1.5 s.
/// These functions leave only the check of the format string to the caller. Call them as sealcam::format(): an
/// unqualified call is ambiguous if an argument comes from the standard library.
#pragma once

#include <cstddef>
#include <cstdio>
#include <format>
#include <string>
#include <string_view>

namespace sealcam {

[[nodiscard]] std::string vformat(std::string_view format, std::format_args arguments);
/// Throws std::system_error if `file` cannot be written.
void vprint(std::FILE* file, std::string_view format, std::format_args arguments, bool line_end);

template <class... Args>
[[nodiscard]] std::string format(std::format_string<Args...> format, Args&&... args) {
  return sealcam::vformat(format.get(), std::make_format_args(args...));
}

/// Thread-safe: each call is one fwrite(3). Throws std::system_error if the file cannot be written.
template <class... Args>
void print(std::FILE* file, std::format_string<Args...> format, Args&&... args) {
  vprint(file, format.get(), std::make_format_args(args...), false);
}
template <class... Args>
void print(std::format_string<Args...> format, Args&&... args) {
  vprint(stdout, format.get(), std::make_format_args(args...), false);
}
template <class... Args>
void println(std::FILE* file, std::format_string<Args...> format, Args&&... args) {
  vprint(file, format.get(), std::make_format_args(args...), true);
}
template <class... Args>
void println(std::format_string<Args...> format, Args&&... args) {
  vprint(stdout, format.get(), std::make_format_args(args...), true);
}

/// Makes text from outside safe for a terminal, a log or a page. A question mark replaces control characters (C0, DEL
/// and C1), line and paragraph separators, marks that change the direction of writing (Unicode UAX 9, section 2),
/// characters without a visible form and bytes that are not UTF-8 (RFC 3629). A result longer than `max` bytes is cut
/// between two characters. Reentrant.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max);

}  // namespace sealcam
