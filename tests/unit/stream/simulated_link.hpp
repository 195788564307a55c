// SPDX-License-Identifier: Apache-2.0
/// A link, a TCP connection over it, and a model of a camera's encoder, for tests of the rate controller. The time is a
/// number of steps of 10 ms.
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
  std::function<bool(double)> competing{};  ///< whether another flow keeps the buffer half to completely full
};

/// First in, first out.
class SimulatedLink {
 public:
  explicit SimulatedLink(LinkConfig config) : config_(std::move(config)) {}
  static constexpr std::chrono::milliseconds step{10};

  void write(std::size_t bytes) { written_ += static_cast<double>(bytes); }
  void advance(MonotonicTime now, double seconds) {
    const double dt = std::chrono::duration<double>(step).count();
    const double rtt = std::chrono::duration<double>(config_.rtt).count();
    const bool competing = config_.competing && config_.competing(seconds);
    const auto buffer = static_cast<double>(config_.buffer);
    const double room = std::max(0.0, buffer - queued_);
    const double entering = std::min({written_ - entered_, room, std::max(0.0, window_ - (entered_ - acknowledged()))});
    entered_ += entering;
    enter(entering, true);
    if (competing) compete(buffer, dt);
    const double served = serve(config_.rate(seconds) / 8 * dt);
    delivered_ += served;
    control_window(served, rtt);
    marks_.emplace_back(now + config_.rtt, delivered_);
    while (!marks_.empty() && marks_.front().first <= now) {
      acknowledged_ = marks_.front().second;
      marks_.pop_front();
    }
  }
  [[nodiscard]] double delivered() const { return delivered_; }
  [[nodiscard]] transport::SendProgress progress() const {
    const auto done = static_cast<std::uint64_t>(acknowledged_);
    return {.acknowledged = done,
            .unacknowledged = static_cast<std::size_t>(written_) - static_cast<std::size_t>(done),
            .unsent = static_cast<std::size_t>(written_ - entered_),
            .min_rtt = config_.rtt};
  }

 private:
  [[nodiscard]] double acknowledged() const { return acknowledged_; }
  void enter(double bytes, bool own) {
    if (bytes <= 0) return;
    queued_ += bytes;
    queue_.push_back({bytes, own});
  }
  // Fills the buffer in four seconds, then loses a packet, and lets it become half empty.
  void compete(double buffer, double dt) {
    other_target_ = other_target_ >= buffer ? buffer / 2 : std::max(other_target_, buffer / 2) + buffer * dt / 8;
    enter(other_target_ - queued_, false);
  }
  double serve(double bytes) {
    double own = 0;
    while (bytes > 0 && !queue_.empty()) {
      auto& [left, is_own] = queue_.front();
      const double part = std::min(left, bytes);
      left -= part;
      bytes -= part;
      queued_ -= part;
      if (is_own) own += part;
      if (left <= 0) queue_.pop_front();
    }
    return own;
  }
  // One segment more in each round trip, half after a loss.
  void control_window(double served, double rtt) {
    constexpr double segment = 1'448;
    if (config_.loss == 0) return;
    window_ = std::min(window_, 1e6) + segment * served / std::max(segment, window_);
    since_loss_ += std::chrono::duration<double>(step).count();
    const double chance = config_.loss * served / segment;
    if (since_loss_ < rtt || std::uniform_real_distribution<double>(0, 1)(random_) >= chance) return;
    window_ = std::max(4 * segment, window_ / 2);
    since_loss_ = 0;
  }

  LinkConfig config_;
  std::mt19937 random_{1};  // NOLINT(cert-msc51-cpp): the same losses each time
  double written_ = 0, entered_ = 0, queued_ = 0, other_target_ = 0, delivered_ = 0, acknowledged_ = 0;
  double window_ = 1e9, since_loss_ = 0;
  std::deque<std::pair<double, bool>> queue_;  // bytes, and whether they are the camera's
  std::deque<std::pair<MonotonicTime, double>> marks_;
};

/// The capture loop and the publisher as far as the rate depends on them, with the rate controller.
class SimulatedCamera {
 public:
  struct Result {
    double live = 0;  ///< share of time with a picture that is at most 5 s old
    double fps = 0, sent = 0;
    std::chrono::milliseconds p95{0}, max{0};
    double low = 1e9, high = 0;  ///< bitrate of the quality
    int held = 0;
  };
  explicit SimulatedCamera(LinkConfig link)
      : controller_({.best = {BitsPerSecond(2'000'000), 60, 0}}), link_(std::move(link)) {}

  Result run(std::chrono::seconds length) {
    Result result;
    std::vector<std::chrono::nanoseconds> delays;
    const double written = written_;
    int live = 0, steps = 0;
    for (const auto end = clock_.monotonic() + length; clock_.monotonic() < end; ++steps) {
      clock_.advance(SimulatedLink::step);
      const MonotonicTime now = clock_.monotonic();
      link_.advance(now, seconds());
      deliver(now, delays);
      if (now >= next_picture_) {
        next_picture_ = next_picture_ + std::chrono::nanoseconds(33'333'333);
        picture(now, result);
      }
      if (++ticks_ % 10 == 0) {
        measure(now);
        controller_.tick(now);
      }
      const auto bitrate = static_cast<double>(controller_.quality().bitrate.value());
      result.low = std::min(result.low, bitrate);
      result.high = std::max(result.high, bitrate);
      if (newest_ && now - *newest_ <= std::chrono::seconds(5)) ++live;
    }
    std::ranges::sort(delays);
    using std::chrono::duration_cast, std::chrono::milliseconds;
    if (!delays.empty()) {
      result.p95 = duration_cast<milliseconds>(delays[delays.size() * 95 / 100]);
      result.max = duration_cast<milliseconds>(delays.back());
    }
    const double duration = std::chrono::duration<double>(length).count();
    result.live = static_cast<double>(live) / steps;
    result.fps = static_cast<double>(delays.size()) / duration;
    result.sent = (written_ - written) * 8 / duration;
    return result;
  }

 private:
  struct Frame {
    MonotonicTime captured;
    double end;  // position of its last byte
  };
  [[nodiscard]] double seconds() const { return static_cast<double>(ticks_) / 100; }
  void measure(MonotonicTime now) { controller_.measured(backlog_.measure(now, link_.progress())); }
  void deliver(MonotonicTime now, std::vector<std::chrono::nanoseconds>& delays) {
    while (!frames_.empty() && frames_.front().end <= link_.delivered()) {
      newest_ = frames_.front().captured;
      delays.push_back(now - frames_.front().captured);
      frames_.pop_front();
    }
  }
  void picture(MonotonicTime now, Result& result) {
    measure(now);
    const stream::Quality& q = controller_.quality();
    if (controller_.hold()) {
      ++result.held;
      return;
    }
    const std::chrono::nanoseconds interval = q.min_interval;
    if (now + interval / 8 < next_due_) return;
    next_due_ = (now - next_due_ > interval ? now : next_due_) + interval;
    const double rate = interval.count() == 0 ? 30 : 1e9 / static_cast<double>(interval.count());
    const bool keyframe = pictures_++ % q.keyframe_interval == 0;
    send(now, std::max(encode(q, rate, keyframe), smallest(q, keyframe)) + 300);
  }
  /// A VBV buffer that a key frame empties and that the other pictures fill again.
  double encode(const stream::Quality& q, double rate, bool keyframe) {
    const double budget = q.bitrate.value() / 8.0 / rate;
    const double buffer = std::max(budget, q.bitrate.value() / 8.0 * std::chrono::duration<double>(q.vbv).count());
    vbv_ = std::min(buffer, vbv_ + budget);
    const double noise = std::uniform_real_distribution<double>(0.6, 1.4)(random_);
    const double size = std::min(vbv_, keyframe ? budget * 20 : budget * noise);
    vbv_ -= size;
    return size;
  }
  /// x264 at its coarsest, 1920x1080.
  static double smallest(const stream::Quality& q, bool keyframe) {
    return (keyframe ? 8'700.0 : 450.0) * std::pow(0.38, q.downscale);
  }
  void send(MonotonicTime now, double bytes) {
    link_.write(static_cast<std::size_t>(bytes));
    written_ += std::floor(bytes);
    frames_.push_back({now, written_});
  }

  FakeClock clock_;
  stream::RateController controller_;
  stream::SendBacklog backlog_{4};
  SimulatedLink link_;
  std::deque<Frame> frames_;
  std::optional<MonotonicTime> newest_;
  std::mt19937 random_{3};  // NOLINT(cert-msc51-cpp): the same pictures each time
  MonotonicTime next_picture_ = clock_.monotonic(), next_due_{};
  std::uint64_t ticks_ = 0, pictures_ = 0;
  double written_ = 0, vbv_ = 0;
};

}  // namespace sealcam::test
