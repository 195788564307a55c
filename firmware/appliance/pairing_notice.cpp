// SPDX-License-Identifier: Apache-2.0
#include "appliance/pairing_notice.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <format>
#include <utility>

#include "appliance/card.hpp"
#include "core/file.hpp"
#include "core/secret.hpp"
#include "pairing/display.hpp"
#include "protocol/pairing_string.hpp"

namespace sealcam::appliance {

namespace {

constexpr std::size_t largest_string = 512;

/// A serial line whose other end holds it up, or a USB line without one, takes nothing: that must hold nobody up here.
bool write_all(int fd, std::string_view text, std::chrono::milliseconds patience) {
  const auto ends = std::chrono::steady_clock::now() + patience;
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

/// A terminal in raw mode takes a line feed for no more than that.
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

PairingNotice::~PairingNotice() { take_away(); }

bool PairingNotice::look() {
  auto content = read_file(places_.file, largest_string);
  if (!content) {
    take_away();
    if (content.error().code == Errc::not_found) return false;
    refuse(to_string(content.error()));
    return true;
  }
  std::string_view text = as_text(*content);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto string = protocol::PairingString::parse(text);
  if (string) {
    refused_ = false;
    std::string revealed = string->reveal();
    if (revealed != shown_) show(revealed);
    wipe(std::as_writable_bytes(std::span(revealed)));
  } else {
    take_away();
    refuse(string.error().what);
  }
  wipe(*content);
  return true;
}

void PairingNotice::refuse(std::string_view why) {
  if (!std::exchange(refused_, true)) log_.error("{} is not shown: {}", places_.file.string(), why);
}

void PairingNotice::show(const std::string& text) {
  wipe(std::as_writable_bytes(std::span(shown_)));
  shown_ = text;
  // The card first: a console may take its time.
  if (auto r = write_file_durably(places_.card / "pairing.txt", as_bytes(std::format("{}\r\n", text))); !r)
    log_.warning("the pairing string is not on the card: {}", to_string(r.error()));
  const auto code = pairing::qr_code(text);
  print(std::format("\nThis camera belongs to nobody yet. Its owner runs 'sealcam camera pair' with\n\n    {}\n\n{}\n",
                    text, code.value_or("")));
}

void PairingNotice::take_away() {
  if (shown_.empty()) return;
  wipe(std::as_writable_bytes(std::span(shown_)));
  shown_.clear();
  // Cleared screen, and what scrolled out of it: nobody is to scan what counts no longer.
  print("\x1b[H\x1b[2J\x1b[3J\nThe pairing string that was here counts no longer.\n");
  if (auto r = erase_file(places_.card / "pairing.txt"); !r)
    log_.warning("the pairing string is still on the card: {}", to_string(r.error()));
}

void PairingNotice::print(std::string_view text) {
  const std::string lines = with_returns(text);
  for (const auto& console : places_.consoles) {
    const UniqueFd fd(::open(console.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!fd || !write_all(fd.get(), lines, places_.patience)) log_.warning("{} cannot be written", console.string());
  }
}

}  // namespace sealcam::appliance
