// SPDX-License-Identifier: Apache-2.0
/// Functions that all programs share: exit codes, version, opening and resetting the state folder.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/config.hpp"
#include "base/log.hpp"
#include "device/device_state.hpp"

namespace sealcam::device {

/// The firmware's version, such as "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

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

}  // namespace sealcam::device
