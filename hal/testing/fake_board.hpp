// SPDX-License-Identifier: Apache-2.0
/// A light, a button and a network manager for tests.
#pragma once

#include <optional>
#include <string>

#include "hal/board_control.hpp"
#include "hal/network_control.hpp"

namespace sealcam::hal::testing {

/// Records the state of the activity light. Thread-bound.
class FakeBoard final : public BoardControl {
 public:
  bool active = false;
  std::string history;        ///< one '+' or '-' per change
  std::optional<Errc> error;  ///< returned by each call

 private:
  Result<> do_set_activity(bool on) override {
    if (error) return fail(*error, "as the test says");
    if (on != active) history += on ? '+' : '-';
    active = on;
    return {};
  }
  [[nodiscard]] std::string do_describe() const override { return "fake light"; }
};

/// A button that a test presses.
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

/// A board without a network manager.
class UnmanagedNetwork final : public NetworkControl {
  Result<> do_join(ByteView, std::string_view, std::chrono::seconds) override {
    progress_ = {.phase = JoinProgress::Phase::back, .fault = JoinFault::unmanaged};
    return {};
  }
  void do_keep() override {}
  void do_leave(JoinFault) override {}
  void do_forget() override { progress_ = {}; }
  JoinProgress do_step() override { return progress_; }

  JoinProgress progress_;
};

}  // namespace sealcam::hal::testing
