// SPDX-License-Identifier: Apache-2.0
#include "hal/board_control.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/log.hpp"
#include "hal/gpio/gpio_button.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace std::chrono_literals;

namespace {

/// Feeds ten readings a second. 'x' is a second with the button down, '.' a second with the button up. Returns the
/// number of long presses.
int presses(std::string_view seconds) {
  LongPress press;
  MonotonicTime now;
  int count = 0;
  for (const char second : seconds)
    for (int i = 0; i < 10; ++i) {
      now = now + 100ms;
      if (press.feed(second == 'x', now)) ++count;
    }
  return count;
}

}  // namespace

TEST_CASE("a press of five seconds without a break counts once") {
  CHECK(presses("..xxxxx.") == 0);
  CHECK(presses("..xxxxxx.") == 1);
  CHECK(presses(".xxxxxxxxxxxxxxxxxxxx") == 1);
  CHECK(presses(".xxxx.xxxx.xxxx.") == 0);
  CHECK(presses(".xxxxxx.xxxxxx.") == 2);
}

TEST_CASE("a button that is down at the start counts only after a release") {
  CHECK(presses("xxxxxxxxxxxxxxxxxxxxxxxxx") == 0);
  CHECK(presses("xxxxxxxxx.xxxxxx") == 1);
}

TEST_CASE("a release in between restarts the five seconds") {
  LongPress press;
  MonotonicTime now;
  CHECK_FALSE(press.feed(false, now));
  for (int i = 0; i < 49; ++i) CHECK_FALSE(press.feed(true, now = now + 100ms));
  CHECK_FALSE(press.feed(false, now = now + 100ms));
  for (int i = 0; i < 50; ++i) CHECK_FALSE(press.feed(true, now = now + 100ms));
  CHECK(press.feed(true, now + 100ms));
}

TEST_CASE("a missing chip or another file is an error") {
  CHECK(gpio::GpioButton::open({.chip = "/nowhere/gpiochip0", .line = 3}).error().code == Errc::not_found);
  CHECK_FALSE(gpio::GpioButton::open({.chip = "/dev/null", .line = 3}));
}
