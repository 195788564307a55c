// SPDX-License-Identifier: Apache-2.0
/// A link and a TCP connection over it, for tests of the rate controller. The time is a number of steps of 10 ms.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "base/testing/fakes.hpp"
#include "stream/publish/rate_controller.hpp"

namespace sealcam::test {

struct LinkConfig {
  std::function<double(double)> rate;       ///< bit/s at a time in seconds
  std::size_t buffer = 100'000;             ///< bytes that the link holds; the socket holds the rest
  std::chrono::milliseconds rtt{20};        ///< with an empty buffer
  double loss = 0;                          ///< share of packets; each one halves the congestion window
  std::function<bool(double)> competing{};  ///< whether another TCP connection has data without end
  bool behind_broker = false;               ///< the link is the hub's; the camera's own connection is never full
};

/// The congestion window of a TCP connection: one segment more in each round trip, half after a loss. It does not grow
/// while the sender has no data.
class CongestionWindow {
 public:
  static constexpr double segment = 1'448;
  [[nodiscard]] double bytes() const { return bytes_; }
  void acknowledged(double bytes, bool limited) {
    if (limited) bytes_ += bytes_ < threshold_ ? bytes : segment * bytes / bytes_;
  }
  void lost(double now, double round_trip) {
    if (now - lost_ < round_trip) return;
    threshold_ = bytes_ = std::max(4 * segment, bytes_ / 2);
    lost_ = now;
  }

 private:
  double bytes_ = 10 * segment, threshold_ = 1e9, lost_ = -1e9;
};

/// First in, first out. A sender that finds the buffer full loses a segment, which it sends again.
class SimulatedLink {
 public:
  explicit SimulatedLink(LinkConfig config) : config_(std::move(config)) {}
  static constexpr std::chrono::milliseconds step{10};

  void write(std::size_t bytes) { own_.waiting += static_cast<double>(bytes); }
  void advance(MonotonicTime now, double seconds) {
    const double dt = std::chrono::duration<double>(step).count();
    const double rate = config_.rate(seconds) / 8;
    round_trip_ = std::chrono::duration<double>(config_.rtt).count() + queued_ / std::max(rate, 1'000.0);
    if (config_.competing && config_.competing(seconds)) other_.waiting = 1e9;
    else other_ = {};
    enter(seconds);
    serve(rate * dt, seconds);
    marks_.emplace_back(now + config_.rtt, own_.served);
    while (!marks_.empty() && marks_.front().first <= now) {
      acknowledged_ = marks_.front().second;
      marks_.pop_front();
    }
  }
  [[nodiscard]] double delivered() const { return own_.served; }
  [[nodiscard]] double other_delivered() const { return other_served_; }
  [[nodiscard]] transport::SendProgress progress() const {
    const auto whole = [](double bytes) { return static_cast<std::size_t>(std::llround(std::max(0.0, bytes))); };
    if (config_.behind_broker) return {.acknowledged = whole(own_.entered + own_.waiting), .min_rtt = config_.rtt};
    return {.acknowledged = whole(acknowledged_),
            .unacknowledged = whole(own_.entered + own_.waiting) - whole(acknowledged_),
            .unsent = whole(own_.waiting),
            .min_rtt = config_.rtt};
  }

 private:
  struct Flow {
    double waiting = 0, entered = 0, served = 0;  // bytes
    CongestionWindow window;
  };
  [[nodiscard]] double demand(const Flow& flow) const {
    // Without loss and other traffic, the window has no effect that the tests need.
    const bool limited = config_.loss > 0 || config_.competing;
    const double window = limited ? flow.window.bytes() : 1e9;
    return std::min(flow.waiting, std::max(0.0, window - (flow.entered - flow.served)));
  }
  void enter(double seconds) {
    const double room = std::max(0.0, static_cast<double>(config_.buffer) - queued_);
    const double own = demand(own_), other = demand(other_);
    const double share = std::min(1.0, room / std::max(own + other, 1.0));
    enter(own_, own, share, true, seconds);
    enter(other_, other, share, false, seconds);
  }
  void enter(Flow& flow, double demanded, double share, bool own, double seconds) {
    if (demanded <= 0) return;
    if (share < 1) flow.window.lost(seconds, round_trip_);
    const double bytes = demanded * share;
    flow.waiting -= bytes;
    flow.entered += bytes;
    queued_ += bytes;
    queue_.push_back({bytes, own});
  }
  void serve(double bytes, double seconds) {
    double own = 0, other = 0;
    while (bytes > 0 && !queue_.empty()) {
      auto& [left, is_own] = queue_.front();
      const double part = std::min(left, bytes);
      left -= part;
      bytes -= part;
      queued_ -= part;
      (is_own ? own : other) += part;
      if (left <= 0) queue_.pop_front();
    }
    other_served_ += other;
    acknowledge(own_, own, seconds);
    if (other_.entered > 0) acknowledge(other_, other, seconds);
  }
  void acknowledge(Flow& flow, double bytes, double seconds) {
    flow.window.acknowledged(bytes, flow.entered - flow.served > flow.window.bytes() / 2);
    flow.served += bytes;
    const double chance = config_.loss * bytes / CongestionWindow::segment;
    if (chance > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < chance)
      flow.window.lost(seconds, round_trip_);
  }

  LinkConfig config_;
  std::mt19937 random_{1};  // NOLINT(cert-msc51-cpp): the same losses each time
  Flow own_, other_;
  double queued_ = 0, acknowledged_ = 0, other_served_ = 0, round_trip_ = 0;
  std::deque<std::pair<double, bool>> queue_;  // bytes, and whether they are the camera's
  std::deque<std::pair<MonotonicTime, double>> marks_;
};

}  // namespace sealcam::test
