// SPDX-License-Identifier: Apache-2.0
/// A board with one wireless card and scripted networks around it. Keeps what NetworkControl promises by a clock that
/// tests move: back by itself after the limit, also without its process; forgetful of what was not kept when the power
/// goes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "hal/network_control.hpp"

namespace sealcam::hal::fake {

/// Thread-bound.
class FakeNetwork final : public NetworkControl {
 public:
  struct Air {
    std::string ssid;
    bool reaches_broker = false;
    JoinFault fault = JoinFault::none;  ///< what joining it ends with
    std::chrono::nanoseconds takes = std::chrono::seconds(2);
  };
  explicit FakeNetwork(const Clock& clock) : clock_(clock) {}

  void add(const Air& air) { around_[air.ssid] = air; }
  void remove(const std::string& ssid) { around_.erase(ssid); }
  void start_in(const std::string& ssid) { kept_ = network_ = ssid; }
  /// Where the board is; empty: nowhere.
  [[nodiscard]] const std::string& network() const noexcept { return network_; }
  /// Where it would be after a restart.
  [[nodiscard]] const std::string& kept() const noexcept { return kept_; }
  [[nodiscard]] bool reaches_broker() const {
    const auto it = around_.find(network_);
    return it != around_.end() && it->second.reaches_broker;
  }
  [[nodiscard]] int joins() const noexcept { return joins_; }

  /// What the board does by itself.
  void advance() {
    if (deadline_ && clock_.monotonic() >= *deadline_) back(JoinFault::other);
  }
  /// The process is gone; a checkpoint is not.
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
    if (progress_.phase == Phase::joining || progress_.phase == Phase::joined) return fail(Errc::conflict, "on trial");
    wanted_ = as_text(ssid);
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
  JoinProgress do_step() override {
    const MonotonicTime now = clock_.monotonic();
    // An earlier process' trial is still to be taken back.
    if (progress_.phase == Phase::looking && waiting_ && !deadline_) begin(now);
    if (progress_.phase == Phase::joining) {
      const auto it = around_.find(wanted_);
      const Air air = it == around_.end() ? Air{.ssid = wanted_, .fault = JoinFault::not_found} : it->second;
      if (now - begun_ >= air.takes && air.fault != JoinFault::none) back(air.fault);
      else if (now - begun_ >= air.takes) {
        network_ = wanted_;
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
  std::string network_, kept_, wanted_;
  std::chrono::seconds limit_{};
  std::optional<MonotonicTime> waiting_, deadline_;
  MonotonicTime begun_;
  JoinProgress progress_;
  int joins_ = 0;
};

}  // namespace sealcam::hal::fake
