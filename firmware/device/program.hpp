// SPDX-License-Identifier: Apache-2.0
/// Functions that all programs share: exit codes, version, command line, opening and resetting the state folder, and
/// the reports of a running program: its readiness to systemd, and its status to scripts.
#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "device/device_state.hpp"

namespace sealcam::device {

/// The firmware's version, such as "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

/// The day until whose end SECURITY.md promises security fixes for this version, such as "2028-11-30". A later
/// SECURITY.md may extend the promise. The program does not know that.
[[nodiscard]] std::string_view support_until() noexcept;

/// The end of that day.
[[nodiscard]] CaptureTime support_end() noexcept;

/// Whether that day is over. False if the clock is not set (is_plausible()).
[[nodiscard]] bool support_ended(CaptureTime now) noexcept;

/// The promise for people; if support_ended(), that it may be over.
[[nodiscard]] std::string support_text(CaptureTime now);

/// The next step if support_ended().
inline constexpr std::string_view support_step =
    "install a version that SECURITY.md of the newest version lists as supported";

/// Logs support_text(). Logs it as a warning, with the next step, if support_ended().
void log_support(CaptureTime now, Log& log);

/// The exit code for an error, from sysexits.h. All programs use this table:
///
///     EX_USAGE 64        invalid_argument: correct the command line. systemd does not restart the program.
///     EX_NOINPUT 66      not_found
///     EX_UNAVAILABLE 69  timeout, connection, device_lost, canceled: the other side does not answer;
///                        conflict: another process uses the folder or the port
///     EX_SOFTWARE 70     corrupt_frame, end_of_stream, crypto: the program should have handled the error
///     EX_OSERR 71        no_memory
///     EX_CANTCREAT 73    exists
///     EX_IOERR 74        io, exhausted: for example a full disk
///     EX_NOPERM 77       permission
///     EX_CONFIG 78       malformed, unsupported, bad_signature, not_decryptable, wrong_key, replayed, stale: a file or
///                        a message does not fit this device
[[nodiscard]] int exit_code(Errc code) noexcept;

/// The exit code of a camera or hub that fails after its command line was accepted: as exit_code(), but EX_CONFIG for
/// invalid_argument. The value is then from a file, so systemd must restart the program.
[[nodiscard]] int service_exit_code(Errc code) noexcept;

/// The absolute path of a command line option; that of `fallback` if the option is empty.
[[nodiscard]] std::filesystem::path path_option(std::string_view given,
                                                const std::function<std::filesystem::path()>& fallback);

/// Reads the log level from the configuration: error, warning, info (default) or debug.
[[nodiscard]] LogLevel read_log_level(ConfigReader& reader, std::string_view pointer);

/// Opens the state folder as DeviceState::open() does. Logs an error with the folder's path and returns the exit code.
[[nodiscard]] std::expected<DeviceState, int> open_state(const std::filesystem::path& folder, protocol::Role role,
                                                         const Board* board, Log& log);

/// The subcommand `keys`: prints the device's id, or a JSON object with the id and the paths that enrollment needs.
/// Returns the exit code.
[[nodiscard]] int print_keys(const DeviceState& state, bool json);

/// The subcommand `reset`: resets the folder if `confirmed`, otherwise prints how to confirm. Returns the exit code.
[[nodiscard]] int reset_command(const std::filesystem::path& folder, protocol::Role role, bool confirmed, Log& log);

/// Notifies the service manager that started the program (sd_notify(3)). Does nothing without one. Ignores lost
/// messages: the service manager then acts as if the program hangs. Thread-bound.
class ServiceManager {
 public:
  /// Reads $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3)). `clock` must live longer.
  explicit ServiceManager(const Clock& clock);

  /// The program runs. It may still wait for pairing or for the broker.
  void ready();
  void stopping();

  /// The main loop calls this more often than half of `WatchdogSec=`. Sends a message at the first call, then once per
  /// half of that time. Does nothing if the unit has no watchdog.
  void alive();

 private:
  const Clock& clock_;
  std::optional<std::chrono::microseconds> interval_;
  std::optional<MonotonicTime> sent_;
};

/// Replaces a status file at once: a reader sees the old text or the new one. Not durable, so that a program that
/// writes it each second does not wait for a disk. Follows no link: the folder may belong to other users. Errors:
/// not_found, permission, io; the old file then stays.
[[nodiscard]] Result<> replace_status_file(const std::filesystem::path& path, std::string_view text);

}  // namespace sealcam::device

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
