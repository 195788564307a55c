// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/negotiate.hpp"

#include <linux/videodev2.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace sealcam::hal::v4l2 {

namespace {

// Drivers have fewer (vivid has about 90 formats); the bounds are for those that never say "no more".
constexpr std::uint32_t most_formats = 256, most_sizes = 256, most_rates = 64;

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
  if ((caps & V4L2_CAP_META_CAPTURE) != 0) return "gives metadata, no pictures";
  if ((caps & capture) == 0) return (caps & output) != 0 ? "takes pictures and gives none" : "gives no pictures";
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
  for (std::uint32_t i = 0; i < most_rates; ++i) {
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
    // The shortest interval is the highest rate. An interval of 0 has no bound.
    const double fastest = rate_of(e.stepwise.min);
    rates.push_back({rate_of(e.stepwise.max), fastest > 0 ? fastest : 120});
    break;
  }
  return rates;
}

int bounded(std::uint32_t n) noexcept { return static_cast<int>(std::min(n, 65536U)); }

std::vector<SizeRange> sizes_of(V4l2Device& device, std::uint32_t fourcc) {
  std::vector<SizeRange> sizes;
  for (std::uint32_t i = 0; i < most_sizes; ++i) {
    v4l2_frmsizeenum e{};
    e.index = i;
    e.pixel_format = fourcc;
    const int native = request(device, VIDIOC_ENUM_FRAMESIZES, &e);
    // Without this call any size may be asked for; the driver answers with the nearest it has.
    if (native != 0 && i == 0) return {{{32, 32}, {4096, 4096}, {1, 1}, {}}};
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

/// The size, strides and fields of either API's answer.
struct Answer {
  std::uint32_t fourcc = 0, field = 0;
  std::uint32_t width = 0, height = 0;
  std::size_t planes = 1;
  std::array<std::size_t, most_planes> stride{};
};

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
    return {p.pixelformat, p.field, p.width, p.height, 1, {p.bytesperline}};
  }
  const auto& p = format.fmt.pix_mp;
  Answer a{p.pixelformat, p.field, p.width, p.height, p.num_planes, {}};
  for (std::size_t i = 0; i < most_planes && i < a.planes; ++i) a.stride[i] = p.plane_fmt[i].bytesperline;
  return a;
}

/// Drivers of other times leave bytesperline 0: there is no padding then.
std::size_t stride_without_padding(PixelFormat format, std::size_t plane, std::size_t width) noexcept {
  if (format == PixelFormat::yuyv) return width * 2;
  return format == PixelFormat::yu12 && plane > 0 ? width / 2 : width;
}

Result<Layout> layout_of(const Answer& answer, const Format& wanted) {
  if (answer.fourcc != fourcc_number(wanted.fourcc) || answer.planes != wanted.planes)
    return fail(Errc::unsupported, "the driver sets another format than it offers");
  if (answer.field != V4L2_FIELD_NONE && answer.field != V4L2_FIELD_ANY && answer.field != V4L2_FIELD_INTERLACED)
    return fail(Errc::unsupported, "the driver gives half pictures (fields)");
  const Size size{bounded(answer.width), bounded(answer.height)};
  if (!is_valid(size)) return fail(Errc::unsupported, "the driver sets a size that cannot be used");
  Layout layout{wanted, size, answer.stride};
  for (std::size_t i = 0; i < wanted.planes; ++i) {
    if (layout.stride[i] == 0)
      layout.stride[i] = stride_without_padding(wanted.format, i, static_cast<std::size_t>(size.width));
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
    return fail(to_errc(native), "asking a device for its V4L2 capabilities", native);
  const std::uint32_t caps = (c.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? c.device_caps : c.capabilities;
  Identity identity{text(c.driver), text(c.card), text(c.bus_info), false, false, why_no_sensor(caps)};
  identity.multi_planar = (caps & V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0;
  v4l2_input input{};
  identity.has_input = (caps & V4L2_CAP_IO_MC) == 0 && request(device, VIDIOC_ENUMINPUT, &input) == 0;
  return identity;
}

std::vector<Offer> enumerate(V4l2Device& device, bool multi_planar) {
  std::vector<Offer> offers;
  for (std::uint32_t i = 0; i < most_formats; ++i) {
    v4l2_fmtdesc e{};
    e.index = i;
    e.type = buffer_type(multi_planar);
    if (request(device, VIDIOC_ENUM_FMT, &e) != 0) break;
    const auto format = known_format(e.pixelformat);
    if (!format || (e.flags & V4L2_FMT_FLAG_EMULATED) != 0) continue;
    if (format->planes > 1 && !multi_planar) continue;
    offers.push_back({std::string(format->fourcc), format->format, sizes_of(device, e.pixelformat)});
  }
  return offers;
}

Result<Negotiated> negotiate(V4l2Device& device, bool multi_planar, const Offer& offer, const Choice& choice) {
  const auto format = known_format(fourcc_number(offer.fourcc));
  SC_ASSERT(format);
  v4l2_format wanted = to_format(multi_planar, fourcc_number(offer.fourcc), choice.size);
  if (const int native = request(device, VIDIOC_S_FMT, &wanted); native != 0)
    return fail(to_errc(native), native == EBUSY ? "another program uses this device" : "setting the format", native);
  const auto layout = layout_of(answer_of(multi_planar, wanted), *format);
  if (!layout) return std::unexpected(layout.error());
  Negotiated negotiated{.layout = *layout};
  set_rate(device, multi_planar, choice.rate, negotiated);
  return negotiated;
}

}  // namespace sealcam::hal::v4l2
