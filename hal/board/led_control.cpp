// SPDX-License-Identifier: Apache-2.0
#include "hal/board/led_control.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "base/file.hpp"

namespace sealcam::hal::board {

namespace {

constexpr std::size_t max_attribute = 4096;  // of sysfs
constexpr std::string_view by_hand = "none";

Result<> write_attribute(const std::filesystem::path& file, std::string_view text) {
  // O_TRUNC is for plain files in tests. sysfs takes each write as a whole value.
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  const auto failed = [](int error) -> std::unexpected<Error> {
    switch (error) {
      case EACCES:
      case EPERM: return fail(Errc::permission, "writing to the activity light", error);
      case ENOENT:
      case ENODEV: return fail(Errc::device_lost, "writing to the activity light", error);
      case EINVAL: return fail(Errc::unsupported, "the activity light does not take this", error);
      default: return fail(Errc::io, "writing to the activity light", error);
    }
  };
  if (!fd) return failed(errno);
  ssize_t n = -1;
  do n = ::write(fd.get(), text.data(), text.size());
  while (n < 0 && errno == EINTR);
  if (n < 0) return failed(errno);
  return {};
}

Result<std::string> read_attribute(const std::filesystem::path& file) {
  const auto bytes = read_file(file, max_attribute);
  if (!bytes) return std::unexpected(bytes.error());
  std::string text(as_text(*bytes));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// In "none [mmc0] timer", mmc0 is the current trigger.
Result<std::string> current_trigger(std::string_view text) {
  const auto begin = text.find('[');
  const auto end = text.find(']', begin == std::string_view::npos ? 0 : begin);
  if (begin == std::string_view::npos || end == std::string_view::npos)
    return fail(Errc::malformed, "the trigger of the activity light");
  return std::string(text.substr(begin + 1, end - begin - 1));
}

bool is_number(std::string_view text) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Result<std::unique_ptr<LedControl>> LedControl::open(const std::filesystem::path& folder) {
  const auto triggers = read_attribute(folder / "trigger");
  if (!triggers) return std::unexpected(triggers.error());
  auto trigger = current_trigger(*triggers);
  if (!trigger) return std::unexpected(trigger.error());
  auto before = read_attribute(folder / "brightness");
  if (!before) return std::unexpected(before.error());
  auto brightest = read_attribute(folder / "max_brightness");
  if (!brightest) return std::unexpected(brightest.error());
  if (!is_number(*before) || !is_number(*brightest))
    return fail(Errc::malformed, "the brightness of the activity light");
  std::unique_ptr<LedControl> led(
      new LedControl(folder, std::move(*trigger), std::move(*before), std::move(*brightest)));
  if (const auto shown = led->show(); !shown) return std::unexpected(shown.error());
  return led;
}

LedControl::~LedControl() {
  // An error is ignored, because the light may be unplugged.
  [[maybe_unused]] const bool given_back = write_attribute(folder_ / "trigger", by_hand) &&
                                           write_attribute(folder_ / "brightness", before_) &&
                                           write_attribute(folder_ / "trigger", trigger_);
}

Result<> LedControl::show() {
  if (auto set = write_attribute(folder_ / "trigger", by_hand); !set) return set;
  return write_attribute(folder_ / "brightness", active_ ? brightest_ : "0");
}

Result<> LedControl::do_set_activity(bool on) {
  active_ = on;
  return show();
}

std::string LedControl::do_describe() const { return folder_.string(); }

LogControl::~LogControl() { show(false); }

void LogControl::show(bool on) {
  if (std::exchange(active_, on) != on) log_.info("activity: the sensor is {}", on ? "on" : "off");
}

Result<> LogControl::do_set_activity(bool on) {
  show(on);
  return {};
}

std::string LogControl::do_describe() const { return "lines in the log"; }

}  // namespace sealcam::hal::board
