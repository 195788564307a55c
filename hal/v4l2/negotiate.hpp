// SPDX-License-Identifier: Apache-2.0
/// Finds V4L2 sensors, chooses one of a device's formats, sizes and rates, and sets it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hal/frame_source.hpp"
#include "hal/picture.hpp"
#include "hal/v4l2/device.hpp"

namespace sealcam::hal::v4l2 {

/// The color fields of v4l2_pix_format and v4l2_pix_format_mplane. 0 means the default, which depends on the others.
struct ColorFields {
  std::uint32_t colorspace = 0, encoding = 0, quantization = 0, transfer = 0;
};

/// Applies the defaults of linux/videodev2.h. Reentrant.
[[nodiscard]] Colors to_colors(std::uint32_t fourcc, const ColorFields& fields) noexcept;

inline constexpr std::size_t max_planes = 3;

struct Format {
  std::string_view fourcc;  ///< four characters
  PixelFormat format;
  std::size_t planes;  ///< buffers per picture: 1, or one per color plane
};

/// Finds a format by V4L2's number.
[[nodiscard]] std::optional<Format> known_format(std::uint32_t fourcc) noexcept;
/// All supported formats.
[[nodiscard]] std::span<const Format> known_formats() noexcept;
/// Their names, separated by blanks.
[[nodiscard]] std::string known_names();
[[nodiscard]] std::uint32_t fourcc_number(std::string_view fourcc) noexcept;

struct Layout {
  Format format{};
  Size size;
  std::array<std::size_t, max_planes> stride{};  ///< of each buffer: bytes from one row to the next
  Colors colors{};
};

/// Points the picture's planes into `memory`, which has the used bytes of each buffer. Returns false if the picture is
/// not complete.
[[nodiscard]] bool place(const Layout& layout, std::span<const ByteView> memory, Picture& picture) noexcept;

/// Pictures per second; a fixed rate has min == max.
struct RateRange {
  double min = 0, max = 0;
};

/// Sizes from min to max; a fixed size has min == max.
struct SizeRange {
  Size min, max;
  Size step{1, 1};
  std::vector<RateRange> rates{};  ///< empty: the driver does not report them
};

/// One format of a device.
struct Offer {
  std::string fourcc;  ///< V4L2's four characters, such as "NV12" or "NM12"
  PixelFormat format = PixelFormat::yu12;
  std::vector<SizeRange> sizes;
};

struct DesiredFormat {
  Size size{1920, 1080};
  double rate = 0;       ///< pictures per second; 0: the nearest to 30
  std::string fourcc{};  ///< only this format; empty: the best format
};

struct Choice {
  std::size_t offer = 0;  ///< index in the offers
  Size size;
  double rate = 0;  ///< 0: unknown
  bool exact = false;
  std::string reason;                    ///< why this offer was chosen; a sentence for the log
  std::vector<std::string> passed_over;  ///< one reason for each other offer
};

/// Chooses the size nearest to the desired one, then the nearest rate, then the cheapest format: H.264 (needs no
/// encoder), NV12 and YU12 (need no conversion), YUYV, UYVY and RGB (converted), MJPEG (decoded and converted), gray
/// (no colors). Sizes are compared by the sum of the differences in width and height. Rates are compared by their
/// ratio; 5 % count as equal. Reentrant. Errors: not_found (no usable offer).
[[nodiscard]] Result<Choice> choose(std::span<const Offer> offers, const DesiredFormat& requested);

struct Identity {
  std::string driver, card, bus;
  bool multi_planar = false;
  bool has_input = false;     ///< a sensor or a connector is attached
  std::string why_no_sensor;  ///< empty: the device is a sensor
};

/// Errors: device_lost, io.
[[nodiscard]] Result<Identity> identify(V4l2Device& device);

/// Returns the formats that Sealcam supports, with sizes and rates, but without those that libv4l2 emulates.
[[nodiscard]] std::vector<Offer> enumerate(V4l2Device& device, bool multi_planar);
/// "640x480", or "32x32 to 640x480 in steps of 2x2".
[[nodiscard]] std::string to_string(const SizeRange& sizes);
/// All formats and sizes of the device, for an error message: "XYUV 640x480, 320x240; H264 5120x2880".
[[nodiscard]] std::string offered(V4l2Device& device, bool multi_planar);

struct Negotiated {
  Layout layout;
  double rate = 0;  ///< as the driver reports it, otherwise as chosen, otherwise 30
  bool can_set_rate = false;
  bool describes_colors = false;  ///< the driver set a color space
};
/// Sets format, size and rate. The driver may change the size; the layout has the result. Errors: unsupported (the
/// driver set another format, fields, or an odd size), device_lost, io (another program uses the device).
[[nodiscard]] Result<Negotiated> negotiate(V4l2Device& device, bool multi_planar, const Offer& offer,
                                           const Choice& choice);

/// One device node.
struct Node {
  std::string path;    ///< its stable name in v4l/by-id, otherwise the node
  std::string device;  ///< the node itself
};
/// Returns the nodes in a folder: first those with a stable name, then by number.
[[nodiscard]] std::vector<Node> nodes(const std::filesystem::path& folder);

struct Sensor {
  Node node;
  Identity identity;
  std::vector<Offer> offers;
  std::vector<ControlInfo> controls;
};
struct LeftOut {
  Node node;
  std::string why;
  bool permission = false;  ///< the device may not be opened
};
struct Survey {
  std::vector<Sensor> sensors;
  std::vector<LeftOut> left_out;
};
/// Opens and queries each node. Changes no settings.
[[nodiscard]] Survey survey(std::span<const Node> nodes, const DeviceOpener& open);

struct OpenSensor {
  Node node;
  std::unique_ptr<V4l2Device> device;
  Identity identity;
};
/// Returns the first sensor with a usable format. Errors: not_found; permission or io, if a node may not be opened or
/// another program uses it, because that node may be the sensor.
[[nodiscard]] Result<OpenSensor> open_first(std::span<const Node> nodes, const DeviceOpener& open);

}  // namespace sealcam::hal::v4l2
