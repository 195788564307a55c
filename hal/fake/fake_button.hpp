// SPDX-License-Identifier: Apache-2.0
/// A button that is held down when a test says so.
#pragma once

#include "hal/button.hpp"

namespace sealcam::hal::fake {

class FakeButton final : public Button {
 public:
  bool held = false;
  std::optional<Errc> error;  ///< of each call until reset

 private:
  Result<bool> do_pressed() override {
    if (error) return fail(*error, "as the test says");
    return held;
  }
  [[nodiscard]] std::string do_describe() const override { return "fake button"; }
};

}  // namespace sealcam::hal::fake
