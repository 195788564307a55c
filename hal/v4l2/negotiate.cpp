// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/negotiate.hpp"

#include <linux/videodev2.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "base/format.hpp"
#include "hal/v4l2/device.hpp"

namespace sealcam::hal::v4l2 {

namespace {

// Limits for drivers whose enumeration does not end. vivid has about 90 formats.
constexpr std::uint32_t max_formats = 256, max_sizes = 256, max_rates = 64;

template <std::size_t N>
std::string text(const unsigned char (&field)[N]) {
  const auto* begin = reinterpret_cast<const char*>(field);
  return {begin, ::strnlen(begin, N)};
}

std::uint32_t buffer_type(bool multi_planar) noexcept {
  return multi_planar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

std::string why_no_sensor(std::uint32_t caps) {
  constexpr std::uint32_t capture = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE;
  constexpr std::uint32_t output = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE;
  if ((caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)) != 0) return "an encoder, decoder or converter";
  if ((caps & V4L2_CAP_META_CAPTURE) != 0) return "delivers metadata, not pictures";
  if ((caps & capture) == 0) return (caps & output) != 0 ? "is an output" : "does not capture pictures";
  if ((caps & V4L2_CAP_STREAMING) == 0) return "cannot stream";
  return {};
}

double rate_of(const v4l2_fract& interval) noexcept {
  return interval.numerator == 0 ? 0 : static_cast<double>(interval.denominator) / interval.numerator;
}

v4l2_fract interval_of(double rate) noexcept {
  const auto near = [](double a, double b) { return std::abs(a - b) < 0.002; };
  if (near(rate, std::round(rate))) return {1, static_cast<std::uint32_t>(std::lround(rate))};
  const double ntsc = std::round(rate * 1.001);
  if (near(rate, ntsc / 1.001)) return {1001, static_cast<std::uint32_t>(std::lround(ntsc * 1000))};
  return {1000, static_cast<std::uint32_t>(std::lround(rate * 1000))};
}

std::vector<RateRange> rates_of(V4l2Device& device, std::uint32_t fourcc, Size size) {
  std::vector<RateRange> rates;
  for (std::uint32_t i = 0; i < max_rates; ++i) {
    v4l2_frmivalenum e{};
    e.index = i;
    e.pixel_format = fourcc;
    e.width = static_cast<std::uint32_t>(size.width);
    e.height = static_cast<std::uint32_t>(size.height);
    if (request(device, VIDIOC_ENUM_FRAMEINTERVALS, &e) != 0) break;
    if (e.type == V4L2_FRMIVAL_TYPE_DISCRETE) {
      const double rate = rate_of(e.discrete);
      if (rate > 0) rates.push_back({rate, rate});
      continue;
    }
    // The min_us interval is the highest rate. An interval of 0 means no limit.
    const double fastest = rate_of(e.stepwise.min);
    rates.push_back({rate_of(e.stepwise.max), fastest > 0 ? fastest : 120});
    break;
  }
  return rates;
}

int bounded(std::uint32_t n) noexcept { return static_cast<int>(std::min(n, 65536U)); }

std::vector<SizeRange> sizes_of(V4l2Device& device, std::uint32_t fourcc) {
  std::vector<SizeRange> sizes;
  for (std::uint32_t i = 0; i < max_sizes; ++i) {
    v4l2_frmsizeenum e{};
    e.index = i;
    e.pixel_format = fourcc;
    const int native = request(device, VIDIOC_ENUM_FRAMESIZES, &e);
    // A driver without this call accepts any size and chooses the nearest one.
    if (native != 0 && i == 0) return {{{min_side, min_side}, {max_side, max_side}, {1, 1}, {}}};
    if (native != 0) break;
    if (e.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
      const Size size{bounded(e.discrete.width), bounded(e.discrete.height)};
      sizes.push_back({size, size, {1, 1}, rates_of(device, fourcc, size)});
      continue;
    }
    const auto& s = e.stepwise;
    const Size max{bounded(s.max_width), bounded(s.max_height)};
    sizes.push_back({{bounded(s.min_width), bounded(s.min_height)},
                     max,
                     {std::max(bounded(s.step_width), 1), std::max(bounded(s.step_height), 1)},
                     rates_of(device, fourcc, max)});
    break;
  }
  return sizes;
}

/// Size, strides and fields, from the single- or multi-planar API.
struct Answer {
  std::uint32_t fourcc = 0, field = 0;
  std::uint32_t width = 0, height = 0;
  std::size_t planes = 1;
  std::array<std::size_t, max_planes> stride{};
  ColorFields colors{};
};

ColorFields colors_of(const auto& pix) noexcept {
  return {pix.colorspace, pix.ycbcr_enc, pix.quantization, pix.xfer_func};
}

v4l2_format to_format(bool multi_planar, std::uint32_t fourcc, Size size) {
  v4l2_format format{};
  format.type = buffer_type(multi_planar);
  const auto fill = [&](auto& pix) {
    pix.width = static_cast<std::uint32_t>(size.width);
    pix.height = static_cast<std::uint32_t>(size.height);
    pix.pixelformat = fourcc;
    pix.field = V4L2_FIELD_NONE;
  };
  if (multi_planar) fill(format.fmt.pix_mp);
  else fill(format.fmt.pix);
  return format;
}

Answer answer_of(bool multi_planar, const v4l2_format& format) {
  if (!multi_planar) {
    const auto& p = format.fmt.pix;
    return {p.pixelformat, p.field, p.width, p.height, 1, {p.bytesperline}, colors_of(p)};
  }
  const auto& p = format.fmt.pix_mp;
  Answer a{p.pixelformat, p.field, p.width, p.height, p.num_planes, {}, colors_of(p)};
  for (std::size_t i = 0; i < max_planes && i < a.planes; ++i) a.stride[i] = p.plane_fmt[i].bytesperline;
  return a;
}

/// Old drivers leave bytesperline 0, which means no padding.
std::size_t stride_without_padding(PixelFormat format, std::size_t plane, std::size_t width) noexcept {
  if (const auto bytes = packed_bytes(format); bytes > 0) return width * bytes;
  return format == PixelFormat::yu12 && plane > 0 ? width / 2 : width;
}

Result<Layout> layout_of(const Answer& answer, const Format& requested) {
  if (answer.fourcc != fourcc_number(requested.fourcc) || answer.planes != requested.planes)
    return fail(Errc::unsupported, "the driver set a format that it does not offer");
  if (answer.field != V4L2_FIELD_NONE && answer.field != V4L2_FIELD_ANY && answer.field != V4L2_FIELD_INTERLACED)
    return fail(Errc::unsupported, "the driver delivers fields instead of pictures");
  const Size size{bounded(answer.width), bounded(answer.height)};
  if (!is_valid(size)) return fail(Errc::unsupported, "the driver set an unusable size");
  Layout layout{requested, size, answer.stride, to_colors(answer.fourcc, answer.colors)};
  for (std::size_t i = 0; i < requested.planes; ++i) {
    if (layout.stride[i] == 0)
      layout.stride[i] = stride_without_padding(requested.format, i, static_cast<std::size_t>(size.width));
  }
  return layout;
}

void set_rate(V4l2Device& device, bool multi_planar, double rate, Negotiated& negotiated) {
  v4l2_streamparm parameters{};
  parameters.type = buffer_type(multi_planar);
  negotiated.rate = rate > 0 ? rate : 30;
  if (request(device, VIDIOC_G_PARM, &parameters) != 0) return;
  negotiated.can_set_rate = (parameters.parm.capture.capability & V4L2_CAP_TIMEPERFRAME) != 0;
  if (negotiated.can_set_rate) {
    parameters.parm.capture.timeperframe = interval_of(negotiated.rate);
    if (request(device, VIDIOC_S_PARM, &parameters) != 0) negotiated.can_set_rate = false;
  }
  const double answered = rate_of(parameters.parm.capture.timeperframe);
  if (answered >= 0.1 && answered <= 1000) negotiated.rate = answered;
}

}  // namespace

Result<Identity> identify(V4l2Device& device) {
  v4l2_capability c{};
  if (const int native = request(device, VIDIOC_QUERYCAP, &c); native != 0)
    return fail(to_errc(native), "reading the V4L2 capabilities", native);
  const std::uint32_t caps = (c.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? c.device_caps : c.capabilities;
  Identity identity{text(c.driver), text(c.card), text(c.bus_info), false, false, why_no_sensor(caps)};
  identity.multi_planar = (caps & V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0;
  v4l2_input input{};
  identity.has_input = (caps & V4L2_CAP_IO_MC) == 0 && request(device, VIDIOC_ENUMINPUT, &input) == 0;
  return identity;
}

/// Calls `use` with each format that libv4l2 does not emulate.
static void for_each_format(V4l2Device& device, bool multi_planar, auto&& use) {
  for (std::uint32_t i = 0; i < max_formats; ++i) {
    v4l2_fmtdesc e{};
    e.index = i;
    e.type = buffer_type(multi_planar);
    if (request(device, VIDIOC_ENUM_FMT, &e) != 0) break;
    if ((e.flags & V4L2_FMT_FLAG_EMULATED) == 0) use(e.pixelformat);
  }
}

std::vector<Offer> enumerate(V4l2Device& device, bool multi_planar) {
  std::vector<Offer> offers;
  for_each_format(device, multi_planar, [&](std::uint32_t fourcc) {
    const auto format = known_format(fourcc);
    if (!format || (format->planes > 1 && !multi_planar)) return;
    offers.push_back({std::string(format->fourcc), format->format, sizes_of(device, fourcc)});
  });
  return offers;
}

std::string to_string(const SizeRange& sizes) {
  const auto text = [](Size s) { return sealcam::format("{}x{}", s.width, s.height); };
  if (sizes.min == sizes.max) return text(sizes.max);
  return sealcam::format("{} to {} in steps of {}", text(sizes.min), text(sizes.max), text(sizes.step));
}

std::string offered(V4l2Device& device, bool multi_planar) {
  constexpr std::size_t max_listed = 12;  // formats, and sizes of each
  std::size_t formats = 0;
  std::string text;
  for_each_format(device, multi_planar, [&](std::uint32_t fourcc) {
    if (++formats > max_listed) return;
    text += formats == 1 ? "" : "; ";
    for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(fourcc >> shift & 0x7f);
    const auto sizes = sizes_of(device, fourcc);
    for (std::size_t i = 0; i < std::min(sizes.size(), max_listed); ++i)
      text += (i == 0 ? " " : ", ") + to_string(sizes[i]);
    if (sizes.size() > max_listed) text += ", …";
  });
  if (formats > max_listed) text += "; …";
  return text.empty() ? "nothing" : text;
}

Result<Negotiated> negotiate(V4l2Device& device, bool multi_planar, const Offer& offer, const Choice& choice) {
  const auto format = known_format(fourcc_number(offer.fourcc));
  SC_ASSERT(format);
  v4l2_format requested = to_format(multi_planar, fourcc_number(offer.fourcc), choice.size);
  if (const int native = request(device, VIDIOC_S_FMT, &requested); native != 0)
    return fail(to_errc(native), native == EBUSY ? "another program uses this device" : "setting the format", native);
  const auto answer = answer_of(multi_planar, requested);
  const auto layout = layout_of(answer, *format);
  if (!layout) return std::unexpected(layout.error());
  Negotiated negotiated{.layout = *layout, .describes_colors = answer.colors.colorspace != V4L2_COLORSPACE_DEFAULT};
  set_rate(device, multi_planar, choice.rate, negotiated);
  return negotiated;
}

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "video";

std::optional<int> number_of(std::string_view name) noexcept {
  if (!name.starts_with(prefix)) return std::nullopt;
  int number = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + prefix.size(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

/// Stable names by node. If a node has several, the first in alphabetical order.
std::map<fs::path, fs::path> stable_names(const fs::path& folder) {
  std::map<fs::path, fs::path> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "v4l" / "by-id", error)) {
    const fs::path target = fs::canonical(entry.path(), error);
    if (error) continue;
    fs::path& name = names[target];
    if (name.empty() || entry.path() < name) name = entry.path();
  }
  return names;
}

/// Why Sealcam cannot use this device as a sensor. Empty if it can.
std::string problem(V4l2Device& device, const Identity& identity, std::span<const Offer> offers) {
  if (!identity.why_no_sensor.empty()) return identity.why_no_sensor;
  if (!identity.has_input) return "part of a media pipeline that needs libcamera";
  if (offers.empty())
    return "has none of the supported formats " + known_names() + "; it offers " +
           offered(device, identity.multi_planar);
  return {};
}

}  // namespace

std::vector<Node> nodes(const fs::path& folder) {
  struct Found {
    bool unstable;
    int number;
    Node node;
  };
  std::vector<Found> found;
  const auto names = stable_names(folder);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto number = number_of(entry.path().filename().string());
    if (!number) continue;
    std::error_code ignored;
    const auto name = names.find(fs::canonical(entry.path(), ignored));
    const bool stable = name != names.end();
    found.push_back(
        {!stable, *number, {stable ? name->second.string() : entry.path().string(), entry.path().string()}});
  }
  std::ranges::sort(found, {}, [](const Found& f) { return std::pair(f.unstable, f.number); });
  std::vector<Node> out;
  out.reserve(found.size());
  for (Found& f : found) out.push_back(std::move(f.node));
  return out;
}

Survey survey(std::span<const Node> nodes, const DeviceOpener& open) {
  Survey result;
  for (const Node& node : nodes) {
    auto device = open(node.path);
    if (!device) {
      result.left_out.push_back({node, to_string(device.error()), device.error().code == Errc::permission});
      continue;
    }
    auto identity = identify(**device);
    if (!identity) {
      result.left_out.push_back({node, to_string(identity.error())});
      continue;
    }
    std::vector<Offer> offers;
    if (identity->why_no_sensor.empty()) offers = enumerate(**device, identity->multi_planar);
    if (auto why = problem(**device, *identity, offers); !why.empty()) {
      result.left_out.push_back({node, std::move(why)});
      continue;
    }
    result.sensors.push_back({node, std::move(*identity), std::move(offers), V4l2Controls(**device, 0).list()});
  }
  return result;
}

Result<OpenSensor> open_first(std::span<const Node> nodes, const DeviceOpener& open) {
  Error why{Errc::not_found, 0, "no V4L2 sensor found"};
  for (const Node& node : nodes) {
    auto device = open(node.path);
    if (!device) {
      // This node may be the sensor, so not_found would be wrong.
      const bool hidden = device.error().code == Errc::permission || device.error().native == EBUSY;
      if (hidden && why.code == Errc::not_found) why = device.error();
      continue;
    }
    auto identity = identify(**device);
    if (!identity || !identity->why_no_sensor.empty()) continue;
    if (!problem(**device, *identity, enumerate(**device, identity->multi_planar)).empty()) continue;
    return OpenSensor{node, std::move(*device), std::move(*identity)};
  }
  return std::unexpected(why);
}

}  // namespace sealcam::hal::v4l2
