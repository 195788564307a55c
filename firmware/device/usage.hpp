// SPDX-License-Identifier: Apache-2.0
/// What a program prints if its command line is wrong, and the end of every program.
#pragma once

#include <functional>
#include <string_view>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace sealcam::device {

/// Prints the error, or the text that --help, --version or the word `help` requests. An unknown command is named, with
/// the list of commands. Returns the exit code: EX_OK or EX_USAGE.
[[nodiscard]] int report_usage(const CLI::App& app, const CLI::ParseError& error);

/// Runs `body`, writes the rest of standard output, and returns the exit code. An exception is printed after `prefix`:
/// EX_IOERR if the output cannot be written, EX_USAGE for std::invalid_argument, EX_SOFTWARE for any other. If the
/// reader of the output ended, the program ends without a message and with EX_OK.
[[nodiscard]] int run_program(std::string_view prefix, const std::function<int()>& body) noexcept;

}  // namespace sealcam::device
