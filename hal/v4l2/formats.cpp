// SPDX-License-Identifier: Apache-2.0
#include <linux/videodev2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <tuple>

#include "base/format.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::hal::v4l2 {

namespace {

// The numbers are code points of ITU-T H.273, tables 2 to 4.

std::uint8_t primaries(std::uint32_t colorspace) noexcept {
  switch (colorspace) {
    case V4L2_COLORSPACE_SMPTE170M: return 6;
    case V4L2_COLORSPACE_SMPTE240M: return 7;
    case V4L2_COLORSPACE_470_SYSTEM_M: return 4;
    case V4L2_COLORSPACE_470_SYSTEM_BG: return 5;
    case V4L2_COLORSPACE_BT2020: return 9;
    case V4L2_COLORSPACE_DCI_P3: return 11;
    default: return 1;
  }
}

std::uint8_t transfer(std::uint32_t function) noexcept {
  switch (function) {
    case V4L2_XFER_FUNC_SRGB: return 13;
    case V4L2_XFER_FUNC_OPRGB: return 4;  // gamma 2.2
    case V4L2_XFER_FUNC_SMPTE240M: return 7;
    case V4L2_XFER_FUNC_NONE: return 8;
    case V4L2_XFER_FUNC_DCI_P3: return 17;
    case V4L2_XFER_FUNC_SMPTE2084: return 16;
    default: return 1;
  }
}

std::uint8_t matrix(std::uint32_t encoding) noexcept {
  switch (encoding) {
    case V4L2_YCBCR_ENC_709:
    case V4L2_YCBCR_ENC_XV709: return Colors::bt709;
    case V4L2_YCBCR_ENC_BT2020: return Colors::bt2020;
    case V4L2_YCBCR_ENC_BT2020_CONST_LUM: return 10;
    case V4L2_YCBCR_ENC_SMPTE240M: return 7;
    default: return Colors::bt601;
  }
}

bool is_rgb(std::uint32_t fourcc) noexcept { return fourcc == V4L2_PIX_FMT_RGB24 || fourcc == V4L2_PIX_FMT_BGR24; }

}  // namespace

Colors to_colors(std::uint32_t fourcc, const ColorFields& fields) noexcept {
  const bool rgb = is_rgb(fourcc);
  const auto space =
      fields.colorspace == V4L2_COLORSPACE_DEFAULT ? std::uint32_t{V4L2_COLORSPACE_SRGB} : fields.colorspace;
  const auto encoding = fields.encoding == V4L2_YCBCR_ENC_DEFAULT
                            ? static_cast<std::uint32_t>(V4L2_MAP_YCBCR_ENC_DEFAULT(space))
                            : fields.encoding;
  const auto quantization = fields.quantization == V4L2_QUANTIZATION_DEFAULT
                                ? static_cast<std::uint32_t>(V4L2_MAP_QUANTIZATION_DEFAULT(rgb, space, encoding))
                                : fields.quantization;
  const auto function = fields.transfer == V4L2_XFER_FUNC_DEFAULT
                            ? static_cast<std::uint32_t>(V4L2_MAP_XFER_FUNC_DEFAULT(space))
                            : fields.transfer;
  // JFIF (ITU-T T.871) is BT.601 with full range. Gray sensors use all values, also if their driver does not describe
  // it.
  const bool jpeg = fourcc == V4L2_PIX_FMT_MJPEG || fourcc == V4L2_PIX_FMT_JPEG;
  const bool full_gray = fourcc == V4L2_PIX_FMT_GREY && fields.quantization == V4L2_QUANTIZATION_DEFAULT;
  const bool full = jpeg || full_gray || quantization == V4L2_QUANTIZATION_FULL_RANGE;
  if (rgb) return {primaries(space), transfer(function), Colors::rgb, full};
  return {primaries(space), transfer(function), jpeg ? Colors::bt601 : matrix(encoding), full};
}

namespace {

constexpr std::array<Format, 12> formats = {{{"H264", PixelFormat::h264, 1},
                                             {"NV12", PixelFormat::nv12, 1},
                                             {"NM12", PixelFormat::nv12, 2},
                                             {"YU12", PixelFormat::yu12, 1},
                                             {"YM12", PixelFormat::yu12, 3},
                                             {"YUYV", PixelFormat::yuyv, 1},
                                             {"UYVY", PixelFormat::uyvy, 1},
                                             {"RGB3", PixelFormat::rgb24, 1},
                                             {"BGR3", PixelFormat::bgr24, 1},
                                             {"GREY", PixelFormat::gray, 1},
                                             {"MJPG", PixelFormat::mjpeg, 1},
                                             {"JPEG", PixelFormat::mjpeg, 1}}};

/// One color plane.
struct Part {
  std::size_t row;  // bytes of a row without padding
  std::size_t rows;
  std::size_t divide;  // divisor of the first plane's stride, if all planes are in one buffer
};

struct Parts {
  std::array<Part, max_planes> part{};
  std::size_t count = 0;
};

Parts parts_of(PixelFormat format, Size size) noexcept {
  const auto w = static_cast<std::size_t>(size.width);
  const auto h = static_cast<std::size_t>(size.height);
  switch (format) {
    case PixelFormat::yu12: return {{{{w, h, 1}, {w / 2, h / 2, 2}, {w / 2, h / 2, 2}}}, 3};
    case PixelFormat::nv12: return {{{{w, h, 1}, {w, h / 2, 1}}}, 2};
    default: break;
  }
  if (const auto bytes = packed_bytes(format); bytes > 0) return {{{{w * bytes, h, 1}}}, 1};
  return {};
}

bool place_coded(ByteView bytes, Picture& picture) noexcept {
  picture.planes[0] = {bytes.data(), bytes.size()};
  return !bytes.empty();
}

}  // namespace

std::uint32_t fourcc_number(std::string_view fourcc) noexcept {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4 && i < fourcc.size(); ++i)
    number |= std::uint32_t{static_cast<unsigned char>(fourcc[i])} << (8 * i);
  return number;
}

std::optional<Format> known_format(std::uint32_t fourcc) noexcept {
  const auto at = std::ranges::find(formats, fourcc, [](const Format& f) { return fourcc_number(f.fourcc); });
  if (at == formats.end()) return std::nullopt;
  return *at;
}

std::span<const Format> known_formats() noexcept { return formats; }

std::string known_names() {
  std::string text;
  for (const Format& f : formats) text.append(text.empty() ? "" : " ").append(f.fourcc);
  return text;
}

bool place(const Layout& layout, std::span<const ByteView> memory, Picture& picture) noexcept {
  if (memory.size() != layout.format.planes) return false;
  picture.format = layout.format.format;
  picture.size = layout.size;
  picture.colors = layout.colors;
  picture.planes = {};
  const Parts parts = parts_of(layout.format.format, layout.size);
  if (parts.count == 0) return place_coded(memory[0], picture);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const Part& part = parts.part[i];
    const bool own = layout.format.planes > 1;  // one buffer per plane
    const ByteView bytes = memory[own ? i : 0];
    const std::size_t stride = own ? layout.stride[i] : layout.stride[0] / part.divide;
    const std::size_t begin = own ? 0 : offset;
    // The last row may have no padding.
    if (stride < part.row || begin + stride * (part.rows - 1) + part.row > bytes.size()) return false;
    picture.planes[i] = {bytes.data() + begin, stride};
    offset += stride * part.rows;
  }
  return true;
}

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
