// SPDX-License-Identifier: Apache-2.0
#include "hal/gpio/gpio_button.hpp"

#include <gpiod.h>

#include <cerrno>

#include "base/format.hpp"

namespace sealcam::hal::gpio {

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, Freed<Free>>;

std::unexpected<Error> fail_errno(const char* what) {
  const int e = errno;
  switch (e) {
    case ENOENT:
    case ENODEV: return fail(Errc::not_found, what, e);
    case EACCES:
    case EPERM: return fail(Errc::permission, what, e);
    case EBUSY: return fail(Errc::conflict, what, e);
    case EINVAL: return fail(Errc::invalid_argument, what, e);
    case ENOMEM: return fail(Errc::no_memory, what, e);
    default: return fail(Errc::io, what, e);
  }
}

}  // namespace

void GpioButton::Release::operator()(gpiod_line_request* request) const noexcept {
  ::gpiod_line_request_release(request);
}

Result<std::unique_ptr<GpioButton>> GpioButton::open(const ButtonLine& where) {
  const Handle<gpiod_chip, ::gpiod_chip_close> chip(::gpiod_chip_open(where.chip.c_str()));
  if (!chip) return fail_errno("opening the button's GPIO chip");
  const Handle<gpiod_line_settings, ::gpiod_line_settings_free> settings(::gpiod_line_settings_new());
  const Handle<gpiod_line_config, ::gpiod_line_config_free> lines(::gpiod_line_config_new());
  const Handle<gpiod_request_config, ::gpiod_request_config_free> request(::gpiod_request_config_new());
  if (!settings || !lines || !request) return fail(Errc::no_memory, "requesting the button's line", ENOMEM);
  ::gpiod_line_settings_set_active_low(settings.get(), where.active_low);
  ::gpiod_request_config_set_consumer(request.get(), "sealcam");
  // Without a bias, an open line has no defined value.
  const auto bias = where.active_low ? GPIOD_LINE_BIAS_PULL_UP : GPIOD_LINE_BIAS_PULL_DOWN;
  if (::gpiod_line_settings_set_direction(settings.get(), GPIOD_LINE_DIRECTION_INPUT) != 0 ||
      ::gpiod_line_settings_set_bias(settings.get(), bias) != 0 ||
      ::gpiod_line_config_add_line_settings(lines.get(), &where.line, 1, settings.get()) != 0)
    return fail_errno("configuring the button's line");
  Request held(::gpiod_chip_request_lines(chip.get(), request.get(), lines.get()));
  if (!held) return fail_errno("requesting the button's line");
  return std::unique_ptr<GpioButton>(new GpioButton(where, std::move(held)));
}

Result<bool> GpioButton::do_pressed() {
  switch (::gpiod_line_request_get_value(request_.get(), where_.line)) {
    case GPIOD_LINE_VALUE_ACTIVE: return true;
    case GPIOD_LINE_VALUE_INACTIVE: return false;
    default: return fail_errno("reading the button");
  }
}

std::string GpioButton::do_describe() const {
  return sealcam::format("line {} of {}", where_.line, where_.chip.string());
}

}  // namespace sealcam::hal::gpio
