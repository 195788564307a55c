// SPDX-License-Identifier: Apache-2.0
/// Flat colors through each path from a sensor or a file to what people see.
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <iostream>
#include <map>

#include "base/format.hpp"
#include "base/testing/fakes.hpp"
#include "contract/flat_colors.hpp"
#include "contract/pictures.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "hal/modules/modules.hpp"
#include "hal/v4l2/v4l2_source.hpp"
#include "support/decoded_jpeg.hpp"
#include "support/fake_v4l2.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

constexpr double max_error = 3;

/// How a V4L2 driver describes the samples.
struct Described {
  const char* name;
  Colors colors;
  v4l2::ColorFields fields;
};

/// The formats of sensors that do not encode.
constexpr std::array<std::pair<const char*, PixelFormat>, 8> formats{{{"YUYV", PixelFormat::yuyv},
                                                                      {"UYVY", PixelFormat::uyvy},
                                                                      {"NV12", PixelFormat::nv12},
                                                                      {"YU12", PixelFormat::yu12},
                                                                      {"GREY", PixelFormat::gray},
                                                                      {"RGB3", PixelFormat::rgb24},
                                                                      {"BGR3", PixelFormat::bgr24},
                                                                      {"MJPG", PixelFormat::mjpeg}}};

constexpr std::uint8_t wide = 9;  // primaries of BT.2020
const std::array described{
    Described{"BT.601 limited", {1, 13, Colors::bt601, false}, {V4L2_COLORSPACE_SRGB}},
    Described{"BT.601 full",
              {1, 13, Colors::bt601, true},
              {V4L2_COLORSPACE_SRGB, V4L2_YCBCR_ENC_DEFAULT, V4L2_QUANTIZATION_FULL_RANGE}},
    Described{"BT.709 limited", {1, 1, Colors::bt709, false}, {V4L2_COLORSPACE_REC709}},
    Described{"BT.709 full",
              {1, 13, Colors::bt709, true},
              {V4L2_COLORSPACE_SRGB, V4L2_YCBCR_ENC_709, V4L2_QUANTIZATION_FULL_RANGE}},
    Described{"BT.2020 limited", {wide, 1, Colors::bt2020, false}, {V4L2_COLORSPACE_BT2020}},
    Described{"BT.2020 full",
              {wide, 1, Colors::bt2020, true},
              {V4L2_COLORSPACE_BT2020, V4L2_YCBCR_ENC_DEFAULT, V4L2_QUANTIZATION_FULL_RANGE}},
};

bool is_rgb(PixelFormat format) { return format == PixelFormat::rgb24 || format == PixelFormat::bgr24; }

/// The picture as a sensor of the format delivers it.
Bytes sensor_bytes(const Described& how, PixelFormat format) {
  if (is_rgb(format)) return flat_rgb(format == PixelFormat::bgr24, how.colors.full_range);
  // A JPEG has the colors of JFIF, also if the driver describes others. convert() makes the range full.
  const Bytes yu12 = flat_picture(format == PixelFormat::mjpeg ? Colors{} : how.colors);
  const auto converted = convert(copy_of(as_picture(yu12, {})), format);
  Bytes bytes;
  for (const auto& plane : converted.planes) bytes.insert(bytes.end(), plane.begin(), plane.end());
  return bytes;
}

/// Three access units of the picture.
std::vector<Bytes> encoded(FrameSource& source, const char* codec) {
  MemoryLog log;
  EncoderConfig config{.codec = codec, .size = source.size(), .format = source.format(), .colors = source.colors()};
  config.bitrate = BitsPerSecond(4'000'000);
  const auto encoder = ffmpeg::FfmpegEncoder::open(config, log).value();
  std::vector<Bytes> units;
  for (int i = 0; i < 3; ++i) {
    const auto picture = source.next(2000ms).value();
    const auto unit = encoder->encode(picture).value().value();
    units.emplace_back(unit.bytes.begin(), unit.bytes.end());
  }
  return units;
}

Colors vui_of(ByteView unit) {
  NalReader reader(unit);
  while (const auto nal = reader.next())
    if (nal->type() == NalType::sps) return sps_colors(*nal).value_or(Colors{0, 0, 0, false});
  FAIL("a key frame without SPS");
  return {};
}

/// The access units of a sensor that encodes.
std::vector<Bytes> delivered(FrameSource& source, std::size_t count) {
  std::vector<Bytes> units;
  for (std::size_t i = 0; i < count; ++i) {
    const auto picture = source.next(2000ms).value();
    const auto& plane = picture.planes[0];
    units.emplace_back(plane.data, plane.data + plane.stride);
  }
  return units;
}

/// The stream with parameter sets that only describe the range, as encoders write them that do not know the matrix.
std::vector<Bytes> without_colors(const std::vector<Bytes>& units) {
  std::vector<Bytes> changed;
  for (const auto& unit : units) {
    auto& out = changed.emplace_back();
    NalReader reader(unit);
    while (const auto nal = reader.next()) {
      if (nal->type() != NalType::sps) {
        append(out, *nal);
        continue;
      }
      auto colors = sps_colors(*nal).value();
      colors.primaries = colors.transfer = colors.matrix = Colors::unspecified;
      append_with_colors(out, *nal, colors);
    }
  }
  return changed;
}

struct Errors {
  double live = 0, snapshot = 0;
};

/// The colors of a player of the stream, and of the snapshot. `gray` as in color_error().
Errors shown(const std::vector<Bytes>& units, std::optional<std::uint8_t> gray = {}) {
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  Errors errors;
  for (const auto& unit : units) errors.live = std::max(errors.live, color_error(*decoder->decode(unit).value(), gray));
  MemoryLog log;
  modules::MediaModule media(log);
  const std::vector<ByteView> group(units.begin(), units.end());
  const Bytes jpeg = media.open_still_builder().value()->make(group).value();
  errors.snapshot = color_error(DecodedJpeg(jpeg).picture(), gray);
  return errors;
}

/// The transport stream of the units, as a file.
void write_stream(const std::vector<Bytes>& units, const std::filesystem::path& path) {
  MemoryLog log;
  modules::MediaModule media(log);
  const auto muxer = media.open_muxer().value();
  std::ofstream out(path, std::ios::binary);
  for (std::size_t i = 0; i < 30; ++i) {
    const bool key = i % units.size() == 0;
    const auto packets = muxer->write({units[i % units.size()], std::chrono::milliseconds(40 * (i + 1)), key}).value();
    out.write(reinterpret_cast<const char*>(packets.data()), static_cast<std::streamsize>(packets.size()));
  }
}

class Sensor {
 public:
  Sensor(const char* fourcc, PixelFormat format, const Described& how) {
    fake_.offers.push_back({fourcc, format, {{flat_size, flat_size, {1, 1}, {{30, 30}}}}});
    fake_.colors = how.fields;
    // The default of RGB and gray is the full range, whatever the colorspace is.
    if (is_rgb(format) || format == PixelFormat::gray)
      fake_.colors.quantization = how.colors.full_range ? V4L2_QUANTIZATION_FULL_RANGE : V4L2_QUANTIZATION_LIM_RANGE;
  }
  FrameSource& deliver(const std::vector<Bytes>& contents) {
    for (const auto& content : contents) fake_.script.push_back(V4l2Event::unit(content));
    source_ = v4l2::V4l2Source::open({.device = "/dev/test", .size = flat_size}, clock_, log_, fake_.opener()).value();
    return *source_;
  }

 private:
  FakeClock clock_;
  MemoryLog log_;
  FakeV4l2 fake_{clock_};
  std::unique_ptr<v4l2::V4l2Source> source_;
};

/// Prints rows of paths and columns of colors.
class Table {
 public:
  void add(const std::string& path, const Described& how, const Errors& errors) {
    INFO(path << ", " << how.name << ": live " << errors.live << ", snapshot " << errors.snapshot);
    CHECK(errors.live <= max_error);
    CHECK(errors.snapshot <= max_error);
    auto& row = rows_[path];
    row += sealcam::format(" {:>6.1f} {:>5.1f}  ", errors.live, errors.snapshot);
  }
  ~Table() {
    std::string head(24, ' ');
    for (const auto& how : described) head += sealcam::format("{:<16}", how.name);
    std::cout << "largest error of a component, 0 to 255: live, snapshot\n" << head << '\n';
    for (const auto& [path, row] : rows_) std::cout << sealcam::format("{:<22}", path) << row << '\n';
  }
  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

 private:
  std::map<std::string, std::string> rows_;
};

}  // namespace

TEST_CASE("colors stay the same on each path, within 3 of 255") {
  const TemporaryFolder folder;
  const SystemClock clock;
  MemoryLog log;
  Table table;
  for (const auto& how : described) {
    std::vector<Bytes> stream;
    for (const auto& [fourcc, format] : formats) {
      // Both are converted: JPEG always has BT.601, and RGB has no matrix.
      const bool converted = format == PixelFormat::mjpeg || is_rgb(format);
      const auto gray = format == PixelFormat::gray ? std::optional(how.colors.matrix) : std::nullopt;
      for (const auto& codec : ffmpeg::h264_encoders()) {
        if (codec == "h264_v4l2m2m") continue;  // needs hardware
        Sensor sensor(fourcc, format, how);
        const auto units = encoded(sensor.deliver({3, sensor_bytes(how, format)}), codec.c_str());
        const std::string path = sealcam::format("{} {}", fourcc, codec.substr(3));
        table.add(path, how, shown(units, gray));
        INFO(path << ", " << how.name);
        auto expected = how.colors;
        if (converted) {
          expected.matrix = Colors::bt601;
          expected.full_range = false;
        }
        CHECK(vui_of(units[0]) == expected);
        if (format == PixelFormat::nv12) stream = units;
      }
    }
    // A sensor that encodes. Either its bytes describe the colors, or its driver does.
    Sensor describes("H264", PixelFormat::h264, {how.name, how.colors, {}});
    auto passed = delivered(describes.deliver(stream), stream.size());
    table.add("H264 with VUI", how, shown(passed));
    CHECK(vui_of(passed[0]) == how.colors);
    Sensor silent("H264", PixelFormat::h264, how);
    passed = delivered(silent.deliver(without_colors(stream)), stream.size());
    table.add("H264 without VUI", how, shown(passed));
    CHECK(vui_of(passed[0]) == how.colors);
    // A recording, which is a transport stream of the hub, and what the camera makes of it.
    const auto file = folder.path() / "clip.ts";
    write_stream(stream, file);
    const auto replay = modules::open_replay({.file = file, .size = flat_size, .realtime = false}, clock, log);
    REQUIRE(replay);
    table.add("replay of TS", how, shown(encoded(**replay, "libx264")));
    CHECK((*replay)->colors() == how.colors);
  }
}

TEST_CASE("a still as a source has its colors") {
  const TemporaryFolder folder;
  const SystemClock clock;
  MemoryLog log;
  const auto& how = described[0];
  const Bytes jpeg = sensor_bytes(how, PixelFormat::mjpeg);
  std::ofstream(folder.path() / "still.jpg", std::ios::binary)
      .write(reinterpret_cast<const char*>(jpeg.data()), static_cast<std::streamsize>(jpeg.size()));
  const auto replay =
      modules::open_replay({.file = folder.path() / "still.jpg", .size = flat_size, .realtime = false}, clock, log);
  REQUIRE(replay);
  const auto errors = shown(encoded(**replay, "libx264"));
  CHECK(errors.live <= max_error);
  CHECK(errors.snapshot <= max_error);
}
