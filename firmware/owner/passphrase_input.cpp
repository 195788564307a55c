// SPDX-License-Identifier: Apache-2.0
#include "owner/passphrase_input.hpp"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <format>

#include "core/file.hpp"

namespace sealcam::owner {

namespace {

/// Echo off for as long as it lives; signals wait meanwhile, or an interruption would leave the terminal mute.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd) {
    sigset_t interruptions;
    sigemptyset(&interruptions);
    for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGTSTP, SIGHUP}) sigaddset(&interruptions, signal);
    ::pthread_sigmask(SIG_BLOCK, &interruptions, &signals_);
    if (::tcgetattr(fd_, &before_) != 0) return;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    works_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (works_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    ::pthread_sigmask(SIG_SETMASK, &signals_, nullptr);
  }
  [[nodiscard]] bool works() const noexcept { return works_; }

 private:
  int fd_;
  termios before_{};
  sigset_t signals_{};
  bool works_ = false;
};

/// Bytes up to the end of the line; the rest of a line that is too long is thrown away. Nothing: end of input.
Outcome<crypto::Passphrase> read_line(int fd, std::string_view from) {
  Secret<crypto::Passphrase::max_size + 1> buffer;
  std::size_t size = 0;
  for (;;) {
    char c = 0;
    const auto n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(EX_IOERR, std::format("{} cannot be read", from));
    if (n == 0 || c == '\n') break;
    if (size < buffer.size()) buffer.fill()[size++] = static_cast<std::byte>(c);
  }
  auto passphrase = crypto::Passphrase::make(ByteView(buffer.reveal()).first(size));
  if (!passphrase) return failure(EX_USAGE, std::format("{}: {}", from, passphrase.error().what));
  return std::move(*passphrase);
}

void say(int fd, std::string_view words) { (void)!::write(fd, words.data(), words.size()); }

Outcome<crypto::Passphrase> ask(int terminal, std::string_view question, std::string_view option) {
  const SilentTerminal silent(terminal);
  if (!silent.works()) return failure(EX_IOERR, std::format("The terminal cannot be silenced. Use {}", option));
  say(terminal, question);
  auto answer = read_line(terminal, "The terminal");
  say(terminal, "\n");
  return answer;
}

Outcome<> long_enough(const crypto::Passphrase& passphrase) {
  const auto characters =
      std::ranges::count_if(passphrase.reveal(), [](std::byte b) { return (b & std::byte{0xc0}) != std::byte{0x80}; });
  if (static_cast<std::size_t>(characters) >= fewest_characters) return {};
  return failure(EX_USAGE, std::format("A passphrase has at least {} characters: who finds the file can try as many "
                                       "as they like. Four or five random words are good",
                                       fewest_characters));
}

}  // namespace

/// A file, or the terminal where none is named.
static Outcome<UniqueFd> open_input(const std::string& file, std::string_view option) {
  UniqueFd fd(
      ::open(file.empty() ? "/dev/tty" : file.c_str(), (file.empty() ? O_RDWR | O_NOCTTY : O_RDONLY) | O_CLOEXEC));
  if (!fd && file.empty())
    return failure(EX_NOINPUT, std::format("There is no terminal to ask for the passphrase on. Use {} FILE", option));
  if (!fd) return failure(EX_NOINPUT, std::format("{} cannot be opened", file));
  return fd;
}

Outcome<protocol::Passphrase> read_wifi_passphrase(const std::string& file, std::string_view option) {
  const auto input = open_input(file == "-" ? "/dev/stdin" : file, option);
  if (!input) return std::unexpected(input.error());
  const auto words = file.empty() ? ask(input->get(), "Passphrase of the Wi-Fi network: ", option)
                                  : read_line(input->get(), file == "-" ? "Standard input" : file);
  if (!words) return std::unexpected(words.error());
  auto text = as_text(words->reveal());
  if (text.ends_with('\r')) text.remove_suffix(1);  // a file from Windows
  auto passphrase = protocol::Passphrase::parse(text);
  if (!passphrase) return failure(EX_USAGE, std::format("Not a passphrase: {}", passphrase.error().what));
  return std::move(*passphrase);
}

Outcome<Bytes> parse_ssid(std::string_view text) {
  if (text.empty() || text.size() > 32) return failure(EX_USAGE, "A network's name (SSID) has 1 to 32 bytes");
  const auto bytes = as_bytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

Outcome<crypto::Passphrase> read_passphrase(const std::string& file, Asking asking) {
  static constexpr auto option = "--passphrase-file";
  const bool is_new = asking == Asking::twice;
  const auto input = open_input(file, option);
  if (!input) return std::unexpected(input.error());
  const auto& fd = *input;
  auto first = file.empty()
                   ? ask(fd.get(), is_new ? "Passphrase for the backup: " : "Passphrase of the backup: ", option)
                   : read_line(fd.get(), file);
  if (!first || !is_new) return first;
  if (auto r = long_enough(*first); !r) return std::unexpected(r.error());
  if (!file.empty()) return first;
  const auto second = ask(fd.get(), "The same again: ", option);
  if (!second) return std::unexpected(second.error());
  if (!equal(first->reveal(), second->reveal())) return failure(EX_USAGE, "The two differ. Begin again");
  return first;
}

}  // namespace sealcam::owner
