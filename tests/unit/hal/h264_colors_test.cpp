// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "support/film.hpp"

using namespace sealcam;
using namespace sealcam::hal;

namespace {

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// An SPS of 320x240, Baseline, without VUI.
const Bytes plain = bytes_of({0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xe4});

Bytes with(ByteView sps, const Colors& colors) {
  Bytes out;
  append_with_colors(out, NalUnit{sps}, colors);
  REQUIRE(out.size() > 4);
  out.erase(out.begin(), out.begin() + 4);
  return out;
}

std::optional<Colors> colors_of(ByteView sps) { return sps_colors(NalUnit{sps}); }

}  // namespace

TEST_CASE("colors are added to a parameter set without VUI, and replace others") {
  REQUIRE(sps_size(NalUnit{plain}) == Size{320, 240});
  CHECK_FALSE(colors_of(plain));
  const Colors wide{9, 16, Colors::bt2020, true};
  const Bytes first = with(plain, wide);
  CHECK(colors_of(first) == wide);
  CHECK(sps_size(NalUnit{first}) == Size{320, 240});
  for (const Colors& colors : {Colors{}, Colors{1, 1, Colors::bt709, false}, Colors{0, 0, 0, false}}) {
    const Bytes again = with(first, colors);
    CHECK(colors_of(again) == colors);
    CHECK(sps_size(NalUnit{again}) == Size{320, 240});
    CHECK(with(again, wide) == first);
  }
}

TEST_CASE("other fields of the VUI stay, and zeros get emulation prevention bytes") {
  // VUI with an extended aspect ratio of 1:1 and overscan, but without a video signal type.
  const Bytes vui = bytes_of({0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xef, 0xfc, 0x00, 0x04, 0x00, 0x07, 0x01});
  REQUIRE(sps_size(NalUnit{vui}) == Size{320, 240});
  CHECK_FALSE(colors_of(vui));
  const Colors zeros{0, 0, 0, false};
  const Bytes changed = with(vui, zeros);
  CHECK(colors_of(changed) == zeros);
  for (std::size_t i = 2; i < changed.size(); ++i)
    CHECK_FALSE((changed[i - 2] == std::byte{0} && changed[i - 1] == std::byte{0} && changed[i] < std::byte{3}));
  CHECK(with(changed, {1, 1, 1, true}).size() >= changed.size() - 2);
}

TEST_CASE("a malformed parameter set is not changed") {
  for (std::size_t size = 1; size < plain.size(); ++size) {
    const ByteView cut = ByteView(plain).first(size);
    if (sps_size(NalUnit{cut})) continue;
    const Bytes out = with(cut, {});
    CHECK(out == Bytes(cut.begin(), cut.end()));
  }
}

TEST_CASE("the encoder describes the colors, and the decoder reports them with each picture") {
  const auto units = test::film(3, 3);
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  CHECK(decoder->decode(units[0]).value()->colors == Colors{});
  // The same stream with other colors in its parameter sets.
  const Colors full{1, 13, Colors::bt709, true};
  Bytes changed;
  NalReader reader(units[0]);
  while (const auto unit = reader.next()) {
    if (unit->type() == NalType::sps) append_with_colors(changed, *unit, full);
    else append(changed, *unit);
  }
  const auto again = ffmpeg::FfmpegDecoder::open().value();
  CHECK(again->decode(changed).value()->colors == full);
  CHECK(again->decode(units[1]).value()->colors == full);
}
