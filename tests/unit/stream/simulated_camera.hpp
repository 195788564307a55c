// SPDX-License-Identifier: Apache-2.0
/// A model of a camera's encoder and publisher on a simulated link, for tests of the rate controller.
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
#include "stream/publish/send_backlog.hpp"
#include "unit/stream/simulated_link.hpp"

namespace sealcam::test {

/// The capture loop and the publisher as far as the rate depends on them, with the rate controller, and a hub at the
/// end of the link that reports once a second.
class SimulatedCamera {
 public:
  struct Result {
    double live = 0;  ///< share of time with a picture that is at most 5 s old
    double fps = 0, sent = 0;
    std::chrono::milliseconds p95{0}, max{0};
    double low = 1e9, high = 0;  ///< bitrate of the quality
    double other = 0;            ///< bit/s of the other connection
    int held = 0;
  };
  /// `scene`: bit/s that the pictures need in the best quality, at a time in seconds.
  explicit SimulatedCamera(
      LinkConfig link, std::function<double(double)> scene = [](double) { return 1e9; })
      : controller_({.best = {BitsPerSecond(2'000'000), 60, 0}}), link_(std::move(link)), scene_(std::move(scene)) {}

  Result run(std::chrono::seconds length) {
    Result result;
    std::vector<std::chrono::nanoseconds> delays;
    const double written = written_, other = link_.other_delivered();
    int live = 0, steps = 0;
    for (const auto end = clock_.monotonic() + length; clock_.monotonic() < end; ++steps) {
      clock_.advance(SimulatedLink::step);
      const MonotonicTime now = clock_.monotonic();
      link_.advance(now, seconds());
      deliver(now, delays);
      report(now);
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
    result.other = (link_.other_delivered() - other) * 8 / duration;
    return result;
  }

 private:
  struct Frame {
    MonotonicTime captured;
    double end;  // position of its last byte
    protocol::Counter counter;
  };
  [[nodiscard]] double seconds() const { return static_cast<double>(ticks_) / 100; }
  void measure(MonotonicTime now) { controller_.measured(backlog_.measure(now, link_.progress())); }
  void deliver(MonotonicTime now, std::vector<std::chrono::nanoseconds>& delays) {
    while (!frames_.empty() && frames_.front().end <= link_.delivered() + 0.5) {
      newest_ = frames_.front().captured;
      received_ = {frames_.front().counter, std::chrono::duration_cast<std::chrono::milliseconds>(now.since_boot), 0};
      delays.push_back(now - frames_.front().captured);
      frames_.pop_front();
    }
  }
  void report(MonotonicTime now) {
    if (now < next_report_) return;
    next_report_ = now + std::chrono::seconds(1);
    if (received_)
      if (const auto path = hubs_.report(hub_, *received_, now)) controller_.reported(now, *path);
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
    const double needed = scene_(seconds()) / 8 / rate;
    const double size = std::min(vbv_, std::min(budget, needed) * (keyframe ? 20 : noise));
    vbv_ -= size;
    return size;
  }
  /// x264 at its coarsest, 1920x1080.
  static double smallest(const stream::Quality& q, bool keyframe) {
    return (keyframe ? 8'700.0 : 450.0) * std::pow(0.38, q.downscale);
  }
  void send(MonotonicTime now, double bytes) {
    link_.write(static_cast<std::size_t>(bytes));
    controller_.sent(static_cast<std::size_t>(bytes));
    written_ += std::floor(bytes);
    const auto counter = protocol::Counter(++counter_);
    hubs_.sealed(counter, now, static_cast<std::size_t>(bytes));
    frames_.push_back({now, written_, counter});
  }

  FakeClock clock_;
  stream::RateController controller_;
  stream::SendBacklog backlog_{4};
  stream::HubReports hubs_;
  DeviceId hub_{std::array<std::byte, DeviceId::size>{}};
  SimulatedLink link_;
  std::function<double(double)> scene_;
  std::deque<Frame> frames_;
  std::optional<MonotonicTime> newest_;
  std::optional<protocol::ReceiverReport> received_;
  std::mt19937 random_{3};  // NOLINT(cert-msc51-cpp): the same pictures each time
  MonotonicTime next_picture_ = clock_.monotonic(), next_report_ = clock_.monotonic(), next_due_{};
  std::uint64_t ticks_ = 0, pictures_ = 0, counter_ = 0;
  double written_ = 0, vbv_ = 0;
};

}  // namespace sealcam::test
