// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/negotiate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <tuple>

#include "base/format.hpp"

namespace sealcam::hal::v4l2 {

namespace {

constexpr double usual_rate = 30;
constexpr double no_difference = 1.05;

/// The best mode of one offer.
struct Mode {
  Size size;
  double rate = 0;
  int size_distance = 0;
  double rate_distance = 1;  // ratio to the desired rate, at least 1
};

int cost(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::h264: return 0;
    case PixelFormat::nv12:
    case PixelFormat::yu12: return 1;
    case PixelFormat::yuyv:
    case PixelFormat::uyvy:
    case PixelFormat::rgb24:
    case PixelFormat::bgr24: return 2;
    case PixelFormat::mjpeg: return 3;
    case PixelFormat::gray: break;
  }
  return 4;
}

std::string_view cost_text(PixelFormat format) noexcept {
  constexpr std::array texts = {"needs no encoder", "needs no conversion", "must be converted",
                                "must be decoded and converted", "has no colors"};
  return texts[static_cast<std::size_t>(cost(format))];
}

bool fits(int n, int min, int max) noexcept {
  return n % 2 == 0 && n >= std::max(min, min_side) && n <= std::min(max, max_side);
}

/// The usable length nearest to `requested` in min, min + step, …, max.
std::optional<int> nearest(int requested, int min, int max, int step) noexcept {
  if (step < 1 || max < min) return std::nullopt;
  const int last = (max - min) / step;
  const int middle = std::clamp((requested - min + step / 2) / step, 0, last);
  // At most every second length is odd, so that this needs few steps unless `requested` is outside of the limits.
  for (int away = 0; away <= last; ++away) {
    for (const int i : {middle - away, middle + away}) {
      const int n = min + i * step;
      if (i >= 0 && i <= last && fits(n, min, max)) return n;
    }
  }
  return std::nullopt;
}

double ratio(double a, double b) noexcept { return std::max(a / b, b / a); }

/// The nearest rate and its distance. If no rates are known, the distance is 1.
std::pair<double, double> nearest_rate(std::span<const RateRange> rates, double requested) noexcept {
  std::pair<double, double> best{0, rates.empty() ? 1 : HUGE_VAL};
  for (const RateRange& r : rates) {
    const double rate = std::clamp(requested, r.min, std::max(r.min, r.max));
    if (rate <= 0) continue;
    const double distance = ratio(rate, requested) < no_difference ? 1 : ratio(rate, requested);
    if (distance < best.second) best = {rate, distance};
  }
  return best.second == HUGE_VAL ? std::pair<double, double>{0, 1} : best;
}

std::optional<Mode> best_mode(const Offer& offer, const DesiredFormat& requested) {
  std::optional<Mode> best;
  for (const SizeRange& s : offer.sizes) {
    const auto width = nearest(requested.size.width, s.min.width, s.max.width, s.step.width);
    const auto height = nearest(requested.size.height, s.min.height, s.max.height, s.step.height);
    if (!width || !height) continue;
    const auto [rate, distance] = nearest_rate(s.rates, requested.rate);
    const Mode mode{{*width, *height},
                    rate,
                    std::abs(*width - requested.size.width) + std::abs(*height - requested.size.height),
                    distance};
    if (!best || std::tie(mode.size_distance, mode.rate_distance) < std::tie(best->size_distance, best->rate_distance))
      best = mode;
  }
  return best;
}

auto rank(const Offer& offer, const Mode& mode) {
  return std::tuple(mode.size_distance, mode.rate_distance, cost(offer.format));
}

std::string why_not(const Offer& other, const std::optional<Mode>& mode, const Offer& winner, const Mode& best,
                    const DesiredFormat& requested) {
  if (!requested.fourcc.empty() && other.fourcc != requested.fourcc)
    return sealcam::format("{}: {} is configured", other.fourcc, requested.fourcc);
  if (!mode) return sealcam::format("{}: no usable size", other.fourcc);
  if (mode->size_distance > best.size_distance)
    return sealcam::format("{}: nearest size {}x{}", other.fourcc, mode->size.width, mode->size.height);
  if (mode->rate_distance > best.rate_distance) return sealcam::format("{}: only {:.3g}/s", other.fourcc, mode->rate);
  if (cost(other.format) > cost(winner.format))
    return sealcam::format("{}: {}, {} {}", other.fourcc, cost_text(other.format), winner.fourcc,
                           cost_text(winner.format));
  return sealcam::format("{}: not better than {}", other.fourcc, winner.fourcc);
}

std::string why(const Offer& offer, const Mode& mode, const DesiredFormat& requested) {
  std::string text = sealcam::format("{} {}x{}", offer.fourcc, mode.size.width, mode.size.height);
  if (mode.rate > 0) text += sealcam::format(" at {:.4g}/s", mode.rate);
  text += sealcam::format(": {}", cost_text(offer.format));
  if (mode.size_distance > 0)
    text += sealcam::format("; nearest to the requested {}x{}", requested.size.width, requested.size.height);
  if (mode.rate_distance > 1) text += sealcam::format("; nearest to the requested {:.4g}/s", requested.rate);
  return text;
}

}  // namespace

Result<Choice> choose(std::span<const Offer> offers, const DesiredFormat& desired) {
  DesiredFormat requested = desired;
  if (requested.rate <= 0) requested.rate = usual_rate;
  std::vector<std::optional<Mode>> modes;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    modes.push_back(best_mode(offers[i], requested));
    if (!modes[i] || (!requested.fourcc.empty() && offers[i].fourcc != requested.fourcc)) continue;
    if (!best || rank(offers[i], *modes[i]) < rank(offers[*best], *modes[*best])) best = i;
  }
  if (!best) return fail(Errc::not_found, "none of the device's formats and sizes can be used");
  const Mode& mode = *modes[*best];
  Choice choice{*best,
                mode.size,
                mode.rate,
                mode.size_distance == 0 && mode.rate_distance == 1,
                why(offers[*best], mode, requested),
                {}};
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (i != *best) choice.passed_over.push_back(why_not(offers[i], modes[i], offers[*best], mode, requested));
  }
  return choice;
}

}  // namespace sealcam::hal::v4l2
