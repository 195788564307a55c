// SPDX-License-Identifier: Apache-2.0
#include "image_init/pairing_notice.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "image_init/card.hpp"
#include "pairing/pairing_service.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::image_init {

namespace {

constexpr std::size_t max_string = 512;

/// Fails after `timeout`. A serial line with flow control or a USB line without a reader may accept no text.
bool write_all(int fd, std::string_view text, std::chrono::milliseconds timeout) {
  const auto ends = std::chrono::steady_clock::now() + timeout;
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 || errno != EAGAIN) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(ends - std::chrono::steady_clock::now());
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) return false;
  }
  return true;
}

/// A terminal in raw mode needs a carriage return before each line feed.
std::string with_returns(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

}  // namespace

std::vector<std::filesystem::path> consoles_of(std::string_view active) {
  std::vector<std::filesystem::path> found;
  while (!active.empty()) {
    const auto end = std::min(active.find_first_of(" \n"), active.size());
    const auto name = active.substr(0, end);
    active.remove_prefix(std::min(end + 1, active.size()));
    if (name.empty() || name.starts_with('.') || name.contains('/')) continue;
    auto path = std::filesystem::path("/dev") / (name == "tty0" ? "tty1" : name);
    if (!std::ranges::contains(found, path)) found.push_back(std::move(path));
  }
  return found;
}

PairingNotice::PairingNotice(NoticePlaces places, Log& log) : places_(std::move(places)), log_(log) {}

PairingNotice::~PairingNotice() { withdraw(); }

bool PairingNotice::poll() {
  auto content = read_file(places_.file, max_string);
  if (!content) {
    withdraw();
    if (content.error().code == Errc::not_found) return false;
    reject(to_string(content.error()));
    return true;
  }
  std::string_view text = as_text(*content);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto string = protocol::PairingString::parse(text);
  if (string) {
    rejected_ = false;
    std::string revealed = string->reveal();
    if (revealed != shown_) show(revealed);
    wipe(std::as_writable_bytes(std::span(revealed)));
  } else {
    withdraw();
    reject(string.error().what);
  }
  wipe(*content);
  return true;
}

void PairingNotice::reject(std::string_view why) {
  if (!std::exchange(rejected_, true))
    log_.error("the pairing string in {} is not shown: {}", places_.file.string(), why);
}

void PairingNotice::show(const std::string& text) {
  wipe(std::as_writable_bytes(std::span(shown_)));
  shown_ = text;
  // The card first, because a console may be slow.
  if (auto r = write_file_durably(places_.card / "pairing.txt", as_bytes(sealcam::format("{}\r\n", text))); !r)
    log_.warning("the pairing string is not on the SD card: {}", to_string(r.error()));
  const auto code = pairing::qr_code(text);
  print(sealcam::format(
      "\nThis camera is unpaired. To pair it, run 'sealcam camera pair' on the owner's machine with\n\n    {}\n\n{}\n",
      text, code.value_or("")));
}

void PairingNotice::withdraw() {
  if (shown_.empty()) return;
  wipe(std::as_writable_bytes(std::span(shown_)));
  shown_.clear();
  // Clears the screen and the scrollback, so that people cannot scan an invalid code.
  print("\x1b[H\x1b[2J\x1b[3J\nThe pairing string is no longer valid.\n");
  if (auto r = erase_file(places_.card / "pairing.txt"); !r)
    log_.warning("the pairing string is still on the SD card: {}", to_string(r.error()));
}

void PairingNotice::print(std::string_view text) {
  const std::string lines = with_returns(text);
  for (const auto& console : places_.consoles) {
    const UniqueFd fd(::open(console.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!fd || !write_all(fd.get(), lines, places_.timeout))
      log_.warning("the pairing string is not on the console {}", console.string());
  }
}

}  // namespace sealcam::image_init
