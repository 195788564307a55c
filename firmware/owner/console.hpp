// SPDX-License-Identifier: Apache-2.0
/// The input and the output of commands: a failure, which has a message with the next step and an exit code of
/// sysexits.h, whole outputs, and passphrases from the terminal or from a file for scripts.
#pragma once

#include <sysexits.h>

#include <csignal>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/passphrase.hpp"
#include "protocol/command.hpp"

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

/// Writes it as an OutputFile. The failure names the path.
[[nodiscard]] Outcome<> write_output(const std::filesystem::path& path, ByteView content);

/// Blocks the signals that end a program while it exists, for steps that must not be interrupted. Thread-bound.
class BlockedSignals {
 public:
  BlockedSignals() noexcept;
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals();

 private:
  sigset_t before_{};
};

/// Minimum length of a new passphrase, in characters of UTF-8.
inline constexpr std::size_t min_characters = 10;

enum class PassphrasePrompt { once, twice };

/// Reads the passphrase of a backup: the first line of `file` (/dev/fd/N is descriptor N). If `file` is empty, it reads
/// from the terminal, without echo. `twice` is for a new passphrase. Fails if there is no terminal, if the two inputs
/// differ, or if a new passphrase is too short.
[[nodiscard]] Outcome<crypto::Passphrase> read_passphrase(const std::string& file, PassphrasePrompt prompt);

/// Reads the passphrase of a Wi-Fi network: the first line of `file` ("-" is standard input), or from the terminal if
/// `file` is empty. `option` is the command line option for the file; the failure without a terminal names it.
[[nodiscard]] Outcome<protocol::Passphrase> read_wifi_passphrase(const std::string& file, std::string_view option);

/// Checks the name (SSID) of a Wi-Fi network: 1 to 32 bytes.
[[nodiscard]] Outcome<Bytes> parse_ssid(std::string_view text);

}  // namespace sealcam::owner
