// SPDX-License-Identifier: Apache-2.0
#include "hal/h264.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/bytes.hpp"

using namespace sealcam;
using namespace sealcam::hal;

namespace {

// Units in hexadecimal, without start codes.
constexpr std::string_view sps = "6742c01eda0507e4";         // 320x240, id 0
constexpr std::string_view sps_vga = "6742c01eda0280f640";   // 640x480, id 0
constexpr std::string_view sps_1 = "6742c01e568141f9";       // 320x240, id 1
constexpr std::string_view sps_fields = "6742c01eda050792";  // 320x480, frames or fields
constexpr std::string_view pps = "68ce3880", pps_1 = "68538e20" /* id 1 */, pps_of_sps_1 = "68a38e20";
constexpr std::string_view idr = "658884", idr_more = "654224";      // first and another slice
constexpr std::string_view delta = "419a24", delta_more = "415f24";  // the same
constexpr std::string_view b_slice = "419f24", b_slice_6 = "41a824";
constexpr std::string_view sei = "06050180", delimiter = "09f0";

using Units = std::initializer_list<std::string_view>;

/// The units after start codes of 4 bytes.
std::string stream(Units units) {
  std::string hex;
  for (const auto unit : units) hex.append("00000001").append(unit);
  return hex;
}

/// The units after their lengths.
std::string after_lengths(Units units) {
  std::string hex;
  for (const auto unit : units) {
    std::array<std::byte, 4> length{};
    store_be(length, static_cast<std::uint32_t>(unit.size() / 2));
    hex.append(to_hex(length)).append(unit);
  }
  return hex;
}

struct Scene {
  H264Splitter splitter;
  Bytes scratch;
  Bytes buffer;
  Size size;

  /// The access units of a buffer as "key …" and "delta …", joined by "; ". "none", or the name of the error.
  std::string give(std::string_view hex) {
    buffer = *from_hex(hex);
    const auto units = splitter.split(buffer, scratch);
    if (!units) return std::string(name(units.error().code));
    std::string text;
    for (const auto& unit : *units) {
      CHECK(check_access_unit(unit.bytes));
      text.append(text.empty() ? "" : "; ").append(unit.keyframe ? "key " : "delta ").append(to_hex(unit.bytes));
      size = unit.size;
    }
    return text.empty() ? "none" : text;
  }
};

std::string key_of(Units units) { return "key " + stream(units); }
std::string delta_of(Units units) { return "delta " + stream(units); }

const std::string key_frame = stream({sps, pps, idr});

}  // namespace

TEST_CASE("access units that Sealcam can send are not changed") {
  Scene s;
  CHECK(s.give(key_frame) == "key " + key_frame);
  CHECK(s.size == Size{320, 240});
  CHECK(s.give(stream({delta, delta_more})) == delta_of({delta, delta_more}));
  CHECK(s.give(stream({delimiter, sei, delta})) == delta_of({delimiter, sei, delta}));
  CHECK(s.give("000001" + std::string(delta)) == "delta 000001" + std::string(delta));
  CHECK(s.scratch.empty());
}

namespace {

/// What a decoder does with a type (ITU-T H.264, table 7-1; clause 7.4.1.2.3 for the units that begin an access unit).
enum class Kind { slice, partition, leading, ignored };
Kind kind_of(unsigned type) {
  if (type == 1 || type == 5) return Kind::slice;
  if (type >= 2 && type <= 4) return Kind::partition;
  return type >= 6 && type <= 9 ? Kind::leading : Kind::ignored;
}

/// A unit of this type: another parameter set, the first slice of a picture, or other bytes.
std::string unit_of(unsigned type) {
  if (type == 7) return std::string(sps_1);
  if (type == 8) return std::string(pps_1);
  std::array header{static_cast<std::byte>(type == 0 || type == 6 || type >= 9 ? type : 0x60 | type)};
  return to_hex(header) + "8884";
}

}  // namespace

TEST_CASE("NAL units of each type, in each place, are treated as H.264 requires of decoders") {
  const unsigned type = GENERATE(range(0U, 32U));
  const Kind kind = kind_of(type);
  const std::string unit = unit_of(type);
  CAPTURE(type, unit);
  const std::string usual = key_of({sps, pps, idr, idr_more});
  const auto expect = [&](Units buffer, const std::string& of_slice, const std::string& of_leading) {
    Scene s;
    switch (kind) {
      case Kind::slice: CHECK(s.give(stream(buffer)) == of_slice); break;
      case Kind::partition: CHECK(s.give(stream(buffer)) == "unsupported"); break;
      case Kind::leading: CHECK(s.give(stream(buffer)) == of_leading); break;
      case Kind::ignored: CHECK(s.give(stream(buffer)) == usual); break;
    }
  };
  const Units first = {unit, sps, pps, idr, idr_more};
  const Units between = {sps, pps, unit, idr, idr_more};
  const std::string one = type == 5 ? key_of({sps, pps, unit}) : delta_of({unit});
  // The sets of the buffer also serve a key frame before them.
  expect(first, one + "; " + usual, type == 7 ? usual : key_of(first));
  expect(between, (type == 5 ? one : delta_of({sps, pps, unit})) + "; " + usual,
         type == 7   ? usual
         : type == 9 ? key_of(first)
                     : key_of(between));
  // The second slice cannot be the first of the picture that the unit began.
  expect({sps, pps, idr, unit, idr_more},
         type == 5 ? usual.substr(0, usual.size() - 14) + "; " + key_of({sps, pps, unit, idr_more}) : "malformed",
         "malformed");
  expect({sps, pps, idr, idr_more, unit}, usual + "; " + one, usual);
}

TEST_CASE("units after the slices begin the next access unit") {
  Scene s;
  CHECK(s.give(stream({sps, pps, idr, sei})) == "key " + key_frame);
  CHECK(s.give(stream({delta})) == delta_of({sei, delta}));
  CHECK(s.give(stream({delta, delimiter, sps_vga, pps})) == delta_of({delta}));
  CHECK(s.give(stream({idr})) == key_of({delimiter, sps_vga, pps, idr}));
  CHECK(s.size == Size{640, 480});
  CHECK(s.give(stream({delta})) == delta_of({delta}));
  // Also if a damaged buffer follows.
  CHECK(s.give(stream({delta, sps, pps})) == delta_of({delta}));
  CHECK(s.give("ffffff") == "malformed");
  CHECK(s.give(stream({idr})) == "key " + key_frame);
}

TEST_CASE("zeros before and after start codes are ignored") {
  Scene s;
  for (const std::string zeros : {"", "00", "0000", "0000000000"}) {
    CAPTURE(zeros);
    CHECK(s.give(zeros + key_frame) == "key " + key_frame);
    CHECK(s.give("0000000000" + key_frame + zeros) == "key " + key_frame);
    const std::string spaced = zeros + stream({sps}) + zeros + stream({pps}) + zeros + stream({idr});
    Scene t;
    CHECK(t.give(spaced).starts_with("key "));
    CHECK(t.give(zeros + stream({delta}) + zeros).starts_with("delta "));
  }
}

TEST_CASE("each picture of a buffer is an access unit") {
  Scene s;
  CHECK(s.give(stream({sps, pps, idr, idr_more, delta, delimiter, delta, delta_more, sei})) ==
        key_of({sps, pps, idr, idr_more}) + "; " + delta_of({delta}) + "; " + delta_of({delimiter, delta, delta_more}));
  CHECK(s.give(stream({delta, idr})) == delta_of({sei, delta}) + "; " + "key " + key_frame);
}

TEST_CASE("a buffer contains at most 16 pictures, so that copies of parameter sets stay few") {
  Scene s;
  CHECK(s.give(stream({sps, pps, idr})).starts_with("key "));
  std::string pictures;
  for (int i = 0; i < 16; ++i) pictures += stream({delta});
  CHECK(s.give(pictures).starts_with("delta "));
  CHECK(s.give(pictures + stream({delta})) == "malformed");
  CHECK(s.give(pictures).starts_with("delta "));
}

TEST_CASE("lengths instead of start codes are replaced") {
  Scene s;
  CHECK(s.give(after_lengths({sps, pps, idr})) == "key " + key_frame);
  CHECK(s.give(after_lengths({delta, delta_more})) == delta_of({delta, delta_more}));
  // A length from 256 to 511 looks like a start code of 3 bytes.
  const std::string large = std::string(delta) + std::string(2 * 300 - delta.size(), '7');
  CHECK(s.give(after_lengths({large})) == delta_of({large}));
  Scene t;
  CHECK(t.give(key_frame) == "key " + key_frame);
  const std::string slice = "41" + std::string(2 * 320, '7');  // 00 00 01 41: also a unit of 321 bytes
  const std::string ambiguous = "000001" + slice + "77";
  CHECK(t.give("000001" + std::string("419a") + std::string(2 * 0x19a, '7')) ==
        "delta 000001419a" + std::string(2 * 0x19a, '7'));
  CHECK(t.give(ambiguous).starts_with("malformed") == t.give("000001" + slice).starts_with("malformed"));
  CHECK(t.give("000000ff6788") == "malformed");  // a length after the end
  CHECK(t.give("00000000") == "malformed");
}

TEST_CASE("key frames get the parameter sets that their slices need") {
  Scene s;
  CHECK(s.give(stream({idr})) == "malformed");
  CHECK(s.give(stream({sps, pps})) == "none");
  CHECK(s.give(stream({idr})) == "key " + key_frame);
  CHECK(s.give(stream({idr})) == "key " + key_frame);
  // SPS and PPS in separate buffers, in any order, and another PPS for later pictures.
  Scene t;
  CHECK(t.give(stream({pps})) == "none");
  CHECK(t.give(stream({pps_1})) == "none");
  CHECK(t.give(stream({idr})) == "malformed");
  CHECK(t.give(stream({sps})) == "none");
  CHECK(t.give(stream({idr})) == key_of({sps, pps, pps_1, idr}));
  CHECK(t.give(stream({sps, pps, idr})) == key_of({sps, pps, pps_1, idr}));
  // Another SPS that is not used. A hub rejects a key frame with an SPS of another size.
  CHECK(t.give(stream({sps_1, idr})) == key_of({sps, pps, pps_1, idr}));
  CHECK(t.give(stream({pps_of_sps_1, idr})) == key_of({sps_1, pps_of_sps_1, idr}));
}

TEST_CASE("a new parameter set replaces the old one with its id") {
  Scene s;
  CHECK(s.give(key_frame) == "key " + key_frame);
  CHECK(s.give(stream({sps_vga})) == "none");
  CHECK(s.give(stream({idr})) == key_of({sps_vga, pps, idr}));
  CHECK(s.size == Size{640, 480});
  CHECK(s.give(stream({delta})) == delta_of({delta}));
  CHECK(s.size == Size{640, 480});
}

TEST_CASE("streams that Sealcam cannot send are unsupported") {
  Scene s;
  CHECK(s.give(key_frame) == "key " + key_frame);
  CHECK(s.give(stream({b_slice})) == "unsupported");
  CHECK(s.give(stream({b_slice_6})) == "unsupported");
  CHECK(s.give(stream({sps_fields, pps, idr})) == "unsupported");  // field_pic_flag is 1
}

TEST_CASE("bytes that are not pictures are malformed, and the next picture is not affected") {
  Scene s;
  CHECK(s.give(key_frame) == "key " + key_frame);
  const std::string good = stream({delta});
  for (const std::string& bad :
       {std::string(), std::string("77777777"), std::string("00000001"), std::string("77") + good, stream({"c19a24"}),
        stream({"41"}), stream({delta_more}), stream({delta, idr_more}), stream({"67"}), stream({"68"}),
        stream({delta, "6742c0"}) + good, stream({std::string("67").append(9000, '5'), idr})}) {
    CAPTURE(bad.substr(0, 40));
    CHECK(s.give(bad) == "malformed");
    CHECK(s.give(good) == delta_of({delta}));
  }
  CHECK(s.give(stream({"0cffff"})) == "none");  // only a filler
}

TEST_CASE("units that no picture follows need bounded memory") {
  Scene s;
  CHECK(s.give(key_frame) == "key " + key_frame);
  const std::string large = "06" + std::string(2 * 20'000, '5');
  for (int i = 0; i < 20; ++i) CHECK(s.give(stream({large})) == "none");
  CHECK(s.give(stream({delta})).size() < 2 * 70'000);
}
