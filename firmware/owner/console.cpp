// SPDX-License-Identifier: Apache-2.0
#include "owner/console.hpp"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"

namespace sealcam::owner {

std::unexpected<Failure> failure(const Error& error, std::string_view problem, std::string_view next_step) {
  Error shown = error;
  if (shown.place && problem.contains(*shown.place)) shown.place = nullptr;  // names the file once
  return failure(device::exit_code(error.code),
                 sealcam::format("{}: {}{}{}", problem, to_string(shown), next_step.empty() ? "" : "; ", next_step));
}

Outcome<Bytes> read(const std::filesystem::path& path, std::size_t limit, std::string_view next_step) {
  auto content = read_file(path, limit);
  if (!content) return failure(content.error(), sealcam::format("cannot read {}", path.string()), next_step);
  return std::move(*content);
}

Outcome<> write(const std::filesystem::path& path, ByteView content) {
  if (auto r = write_file_durably(path, content); !r)
    return failure(r.error(), sealcam::format("cannot write {}", path.string()));
  return {};
}

Outcome<> write_output(const std::filesystem::path& path, ByteView content) {
  const auto written = [&]() -> Result<> {
    auto file = OutputFile::open(path);
    if (!file) return std::unexpected(file.error());
    if (!write_all(file->descriptor(), content)) return fail_errno("writing a file", path);
    return file->publish();
  }();
  if (!written) return failure(written.error(), sealcam::format("cannot write {}", path.string()));
  return {};
}

BlockedSignals::BlockedSignals() noexcept {
  sigset_t interruptions;
  sigemptyset(&interruptions);
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGTSTP, SIGHUP}) sigaddset(&interruptions, signal);
  ::pthread_sigmask(SIG_BLOCK, &interruptions, &before_);
}

BlockedSignals::~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

namespace {

/// Switches the echo of a terminal off while it exists. It blocks signals meanwhile, because an interruption would
/// leave the terminal without echo.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd) {
    if (::tcgetattr(fd_, &before_) != 0) return;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    works_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (works_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  [[nodiscard]] bool works() const noexcept { return works_; }

 private:
  BlockedSignals signals_;  // ends after the echo is on again
  int fd_;
  termios before_{};
  bool works_ = false;
};

/// Reads up to the end of the line. `source` names the input in failures.
Outcome<crypto::Passphrase> read_line(int fd, std::string_view source) {
  Secret<crypto::Passphrase::max_size + 1> buffer;
  std::size_t size = 0;
  for (;;) {
    char c = 0;
    const auto n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(EX_IOERR, sealcam::format("cannot read the passphrase from {}", source));
    if (n == 0 || c == '\n') break;
    if (size < buffer.size()) buffer.fill()[size++] = static_cast<std::byte>(c);
  }
  auto passphrase = crypto::Passphrase::make(ByteView(buffer.reveal()).first(size));
  if (!passphrase)
    return failure(EX_USAGE, sealcam::format("cannot use the passphrase from {}: {}; enter another one", source,
                                             passphrase.error().what));
  return std::move(*passphrase);
}

void print(int fd, std::string_view text) { (void)!::write(fd, text.data(), text.size()); }

Outcome<crypto::Passphrase> prompt_for(int terminal, std::string_view text, std::string_view option) {
  const SilentTerminal silent(terminal);
  if (!silent.works())
    return failure(EX_IOERR, sealcam::format("cannot switch off the echo of the terminal; use {}", option));
  print(terminal, text);
  auto answer = read_line(terminal, "the terminal");
  print(terminal, "\n");
  return answer;
}

Outcome<> check_length(const crypto::Passphrase& passphrase) {
  const auto characters =
      std::ranges::count_if(passphrase.reveal(), [](std::byte b) { return (b & std::byte{0xc0}) != std::byte{0x80}; });
  if (static_cast<std::size_t>(characters) >= min_characters) return {};
  return failure(EX_USAGE, sealcam::format(
                               "the passphrase has {} characters, and the minimum is {}; use four or five random words",
                               characters, min_characters));
}

/// Opens the file, or the terminal if `file` is empty.
Outcome<UniqueFd> open_input(const std::string& file, std::string_view option) {
  UniqueFd fd(
      ::open(file.empty() ? "/dev/tty" : file.c_str(), (file.empty() ? O_RDWR | O_NOCTTY : O_RDONLY) | O_CLOEXEC));
  if (!fd && file.empty())
    return failure(EX_NOINPUT, sealcam::format("there is no terminal for the passphrase; use {} FILE", option));
  if (!fd) return failure(EX_NOINPUT, sealcam::format("cannot open {}; check its name and its permissions", file));
  return fd;
}

}  // namespace

Outcome<protocol::Passphrase> read_wifi_passphrase(const std::string& file, std::string_view option) {
  const auto input = open_input(file == "-" ? "/dev/stdin" : file, option);
  if (!input) return std::unexpected(input.error());
  const auto line = file.empty() ? prompt_for(input->get(), "Passphrase of the Wi-Fi network: ", option)
                                 : read_line(input->get(), file == "-" ? "standard input" : file);
  if (!line) return std::unexpected(line.error());
  auto text = as_text(line->reveal());
  if (text.ends_with('\r')) text.remove_suffix(1);  // a file with Windows line ends
  auto passphrase = protocol::Passphrase::parse(text);
  if (!passphrase)
    return failure(EX_USAGE, sealcam::format("the Wi-Fi passphrase is not valid: {}", passphrase.error().what));
  return std::move(*passphrase);
}

Outcome<Bytes> parse_ssid(std::string_view text) {
  if (text.empty() || text.size() > 32)
    return failure(EX_USAGE, sealcam::format("the network name (SSID) has {} bytes; use 1 to 32 bytes", text.size()));
  const auto bytes = as_bytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

Outcome<crypto::Passphrase> read_passphrase(const std::string& file, PassphrasePrompt prompt) {
  static constexpr auto option = "--passphrase-file";
  const bool is_new = prompt == PassphrasePrompt::twice;
  const auto input = open_input(file, option);
  if (!input) return std::unexpected(input.error());
  const auto& fd = *input;
  auto first = file.empty()
                   ? prompt_for(fd.get(), is_new ? "Passphrase for the backup: " : "Passphrase of the backup: ", option)
                   : read_line(fd.get(), file);
  if (!first || !is_new) return first;
  if (auto r = check_length(*first); !r) return std::unexpected(r.error());
  if (!file.empty()) return first;
  const auto second = prompt_for(fd.get(), "The same passphrase again: ", option);
  if (!second) return std::unexpected(second.error());
  if (!equal(first->reveal(), second->reveal()))
    return failure(EX_USAGE, "the two passphrases differ; start the command again");
  return first;
}

}  // namespace sealcam::owner
