// SPDX-License-Identifier: Apache-2.0
/// A light, a button and a network manager for tests, and a board with one wireless adapter and scripted networks in
/// range. Its time is a clock that tests move. It rolls back after the limit, also without the process, and a power cut
/// loses everything that was not stored.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "hal/board_control.hpp"

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
  void do_retry() override {}
  JoinProgress do_step() override { return progress_; }

  JoinProgress progress_;
};

/// Thread-bound.
class FakeNetwork final : public NetworkControl {
 public:
  struct Air {
    std::string ssid;
    bool reaches_broker = false;
    JoinFault fault = JoinFault::none;  ///< the result of a join
    std::chrono::nanoseconds takes = std::chrono::seconds(2);
  };
  explicit FakeNetwork(const Clock& clock) : clock_(clock) {}

  void add(const Air& air) { around_[air.ssid] = air; }
  void remove(const std::string& ssid) { around_.erase(ssid); }
  void start_in(const std::string& ssid) { kept_ = network_ = ssid; }
  /// The adapter loses its network, and the network manager does not join it again before retry().
  void give_up() { network_.clear(); }
  [[nodiscard]] int retries() const noexcept { return retries_; }
  /// The current network; empty: none.
  [[nodiscard]] const std::string& network() const noexcept { return network_; }
  /// The network after a restart.
  [[nodiscard]] const std::string& kept() const noexcept { return kept_; }
  [[nodiscard]] bool reaches_broker() const {
    const auto it = around_.find(network_);
    return it != around_.end() && it->second.reaches_broker;
  }
  [[nodiscard]] int joins() const noexcept { return joins_; }

  /// The board's rollback at the time limit.
  void advance() {
    if (deadline_ && clock_.monotonic() >= *deadline_) back(JoinFault::other);
  }
  /// The process ends, but its checkpoint stays.
  void forget_process() {
    progress_ = {};
    waiting_.reset();
  }
  void power_cut() {
    deadline_.reset();
    forget_process();
    network_ = kept_;
  }

 private:
  using Phase = JoinProgress::Phase;

  Result<> do_join(ByteView ssid, std::string_view, std::chrono::seconds limit) override {
    if (progress_.phase == Phase::joining || progress_.phase == Phase::joined)
      return fail(Errc::conflict, "a join attempt is active");
    desired_ = as_text(ssid);
    limit_ = limit;
    waiting_ = clock_.monotonic();
    progress_ = {.phase = Phase::looking};
    return {};
  }
  void do_keep() override {
    if (progress_.phase != Phase::joined) return;
    kept_ = network_;
    deadline_.reset();
    progress_.phase = Phase::kept;
  }
  void do_leave(JoinFault why) override {
    if (progress_.phase == Phase::looking) {
      waiting_.reset();
      progress_ = {.phase = Phase::back, .fault = why};
    }
    if (progress_.phase == Phase::joining || progress_.phase == Phase::joined)
      back(why == JoinFault::none ? JoinFault::not_found : why);
  }
  void do_forget() override {
    kept_.clear();
    power_cut();
  }
  void do_retry() override {
    ++retries_;
    if (progress_.phase != Phase::joining && progress_.phase != Phase::joined) network_ = kept_;
  }
  JoinProgress do_step() override {
    const MonotonicTime now = clock_.monotonic();
    // Undoes the join attempt of an earlier process.
    if (progress_.phase == Phase::looking && waiting_ && !deadline_) begin(now);
    if (progress_.phase == Phase::joining) {
      const auto it = around_.find(desired_);
      const Air air = it == around_.end() ? Air{.ssid = desired_, .fault = JoinFault::not_found} : it->second;
      if (now - begun_ >= air.takes && air.fault != JoinFault::none) back(air.fault);
      else if (now - begun_ >= air.takes) {
        network_ = desired_;
        progress_.phase = Phase::joined;
        progress_.since = now;
      }
    }
    return progress_;
  }

  void begin(MonotonicTime now) {
    ++joins_;
    waiting_.reset();
    begun_ = now;
    deadline_ = now + limit_;
    network_.clear();
    progress_.phase = Phase::joining;
  }
  void back(JoinFault why) {
    deadline_.reset();
    network_ = kept_;
    if (progress_.phase == Phase::joining || progress_.phase == Phase::joined)
      progress_ = {.phase = Phase::back, .fault = why};
  }

  const Clock& clock_;
  std::map<std::string, Air> around_;
  std::string network_, kept_, desired_;
  std::chrono::seconds limit_{};
  std::optional<MonotonicTime> waiting_, deadline_;
  MonotonicTime begun_;
  JoinProgress progress_;
  int joins_ = 0, retries_ = 0;
};

}  // namespace sealcam::hal::testing
