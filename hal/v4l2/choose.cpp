// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/choose.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <format>
#include <optional>
#include <tuple>

namespace sealcam::hal::v4l2 {

namespace {

constexpr double usual_rate = 30;
constexpr double no_difference = 1.05;

/// The best that one offer can do.
struct Mode {
  Size size;
  double rate = 0;
  int size_distance = 0;
  double rate_distance = 1;  // ratio to the wanted one, 1 and more
};

int cost(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::h264: return 0;
    case PixelFormat::nv12:
    case PixelFormat::yu12: return 1;
    case PixelFormat::yuyv: return 2;
    case PixelFormat::mjpeg: break;
  }
  return 3;
}

std::string_view cost_in_words(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::h264: return "needs no encoder";
    case PixelFormat::nv12:
    case PixelFormat::yu12: return "goes into an encoder as it is";
    case PixelFormat::yuyv: return "must be converted";
    case PixelFormat::mjpeg: break;
  }
  return "must be decoded and converted";
}

bool fits(int n, int min, int max) noexcept { return n % 2 == 0 && n >= std::max(min, 32) && n <= std::min(max, 4096); }

/// The usable length nearest to `wanted` among min, min + step … max.
std::optional<int> nearest(int wanted, int min, int max, int step) noexcept {
  if (step < 1 || max < min) return std::nullopt;
  const int last = (max - min) / step;
  const int middle = std::clamp((wanted - min + step / 2) / step, 0, last);
  // Odd ones are no more than every second; only at the bounds of 32 and 4096 does it take more.
  for (int away = 0; away <= last; ++away) {
    for (const int i : {middle - away, middle + away}) {
      const int n = min + i * step;
      if (i >= 0 && i <= last && fits(n, min, max)) return n;
    }
  }
  return std::nullopt;
}

double ratio(double a, double b) noexcept { return std::max(a / b, b / a); }

/// The rate and its distance; no rates known counts as no difference.
std::pair<double, double> nearest_rate(std::span<const RateRange> rates, double wanted) noexcept {
  std::pair<double, double> best{0, rates.empty() ? 1 : HUGE_VAL};
  for (const RateRange& r : rates) {
    const double rate = std::clamp(wanted, r.min, std::max(r.min, r.max));
    if (rate <= 0) continue;
    const double distance = ratio(rate, wanted) < no_difference ? 1 : ratio(rate, wanted);
    if (distance < best.second) best = {rate, distance};
  }
  return best.second == HUGE_VAL ? std::pair<double, double>{0, 1} : best;
}

std::optional<Mode> best_mode(const Offer& offer, const Wanted& wanted) {
  std::optional<Mode> best;
  for (const SizeRange& s : offer.sizes) {
    const auto width = nearest(wanted.size.width, s.min.width, s.max.width, s.step.width);
    const auto height = nearest(wanted.size.height, s.min.height, s.max.height, s.step.height);
    if (!width || !height) continue;
    const auto [rate, distance] = nearest_rate(s.rates, wanted.rate);
    const Mode mode{{*width, *height},
                    rate,
                    std::abs(*width - wanted.size.width) + std::abs(*height - wanted.size.height),
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
                    const Wanted& wanted) {
  if (!wanted.fourcc.empty() && other.fourcc != wanted.fourcc)
    return std::format("{}: {} is configured", other.fourcc, wanted.fourcc);
  if (!mode) return std::format("{}: no usable size", other.fourcc);
  if (mode->size_distance > best.size_distance)
    return std::format("{}: nearest size {}x{}", other.fourcc, mode->size.width, mode->size.height);
  if (mode->rate_distance > best.rate_distance) return std::format("{}: only {:.3g}/s", other.fourcc, mode->rate);
  if (cost(other.format) > cost(winner.format))
    return std::format("{}: {}, {} {}", other.fourcc, cost_in_words(other.format), winner.fourcc,
                       cost_in_words(winner.format));
  return std::format("{}: no better than {}", other.fourcc, winner.fourcc);
}

std::string why(const Offer& offer, const Mode& mode, const Wanted& wanted) {
  std::string text = std::format("{} {}x{}", offer.fourcc, mode.size.width, mode.size.height);
  if (mode.rate > 0) text += std::format(" at {:.4g}/s", mode.rate);
  text += std::format(": {}", cost_in_words(offer.format));
  if (mode.size_distance > 0)
    text += std::format("; nearest to the wanted {}x{}", wanted.size.width, wanted.size.height);
  if (mode.rate_distance > 1) text += std::format("; nearest to the wanted {:.4g}/s", wanted.rate);
  return text;
}

}  // namespace

Result<Choice> choose(std::span<const Offer> offers, const Wanted& asked) {
  Wanted wanted = asked;
  if (wanted.rate <= 0) wanted.rate = usual_rate;
  std::vector<std::optional<Mode>> modes;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    modes.push_back(best_mode(offers[i], wanted));
    if (!modes[i] || (!wanted.fourcc.empty() && offers[i].fourcc != wanted.fourcc)) continue;
    if (!best || rank(offers[i], *modes[i]) < rank(offers[*best], *modes[*best])) best = i;
  }
  if (!best) return fail(Errc::not_found, "this device offers no format that can be used");
  const Mode& mode = *modes[*best];
  Choice choice{
      *best, mode.size, mode.rate, mode.size_distance == 0 && mode.rate_distance == 1, why(offers[*best], mode, wanted),
      {}};
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (i != *best) choice.passed_over.push_back(why_not(offers[i], modes[i], offers[*best], mode, wanted));
  }
  return choice;
}

}  // namespace sealcam::hal::v4l2
