// SPDX-License-Identifier: Apache-2.0
/// An activity light that remembers, for tests.
#pragma once

#include <optional>
#include <string>

#include "hal/board_control.hpp"

namespace sealcam::hal::fake {

/// Thread-bound, unlike the real ones: tests read the members.
class FakeBoard final : public BoardControl {
 public:
  bool active = false;
  bool identifying = false;
  std::string history;        ///< '+' on, '-' off, each change
  std::optional<Errc> error;  ///< of each call until reset

 private:
  Result<> do_set_activity(bool on) override {
    if (error) return fail(*error, "as the test says");
    if (on != active) history += on ? '+' : '-';
    active = on;
    return {};
  }
  Result<> do_set_identify(bool on) override {
    if (error) return fail(*error, "as the test says");
    identifying = on;
    return {};
  }
  [[nodiscard]] std::string do_describe() const override { return "fake light"; }
};

}  // namespace sealcam::hal::fake
