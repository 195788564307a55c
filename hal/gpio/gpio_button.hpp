// SPDX-License-Identifier: Apache-2.0
/// A button on a GPIO line (Linux, libgpiod 2).
#pragma once

#include <filesystem>
#include <memory>

#include "hal/board_control.hpp"

struct gpiod_line_request;

namespace sealcam::hal::gpio {

struct ButtonLine {
  std::filesystem::path chip;  ///< such as /dev/gpiochip0
  unsigned line = 0;
  bool active_low = false;  ///< the button pulls the line down, and the line is biased up; otherwise the reverse
};

/// Requests the line as an input until its destruction. Thread-bound.
class GpioButton final : public Button {
 public:
  /// Errors: not_found (no such chip), permission, conflict (another program or driver has the line),
  /// invalid_argument (the chip has no such line), io.
  [[nodiscard]] static Result<std::unique_ptr<GpioButton>> open(const ButtonLine& where);

 private:
  struct Release {
    void operator()(gpiod_line_request* request) const noexcept;
  };
  using Request = std::unique_ptr<gpiod_line_request, Release>;

  GpioButton(ButtonLine where, Request request) : where_(std::move(where)), request_(std::move(request)) {}
  Result<bool> do_pressed() override;
  [[nodiscard]] std::string do_describe() const override;

  ButtonLine where_;
  Request request_;
};

}  // namespace sealcam::hal::gpio
