// SPDX-License-Identifier: Apache-2.0
#include "hal/h264.hpp"

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <initializer_list>

using namespace sealcam;
using namespace sealcam::hal;

namespace {

/// Units by their bytes, joined by 4-byte start codes.
Bytes stream(std::initializer_list<std::initializer_list<int>> units) {
  Bytes out;
  for (const auto& unit : units) {
    for (const int b : {0, 0, 0, 1}) out.push_back(static_cast<std::byte>(b));
    for (const int b : unit) out.push_back(static_cast<std::byte>(b));
  }
  return out;
}

const std::initializer_list<int> sps = {0x67, 0x64, 0x00, 0x28, 0xac};
const std::initializer_list<int> pps = {0x68, 0xee, 0x3c};
const std::initializer_list<int> sei = {0x06, 0x05, 0x01, 0x80};
const std::initializer_list<int> idr = {0x65, 0x88, 0x84};       // first_mb_in_slice 0
const std::initializer_list<int> idr_more = {0x65, 0x44, 0x84};  // another one
const std::initializer_list<int> delta = {0x41, 0x9a, 0x24};
const std::initializer_list<int> delta_more = {0x41, 0x4a, 0x24};

}  // namespace

TEST_CASE("NAL units are found after 3- and 4-byte start codes, without trailing zeros") {
  const Bytes s = {std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0x67}, std::byte{9}, std::byte{0},
                   std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0x68}, std::byte{0}, std::byte{0}};
  NalReader reader(s);
  const auto first = reader.next();
  REQUIRE(first);
  CHECK(first->type() == NalType::sps);
  CHECK(first->bytes.size() == 2);
  const auto second = reader.next();
  REQUIRE(second);
  CHECK(second->type() == NalType::pps);
  CHECK(second->bytes.size() == 1);
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.next());
}

TEST_CASE("a NAL reader ends for any input") {
  CHECK_FALSE(NalReader({}).next());
  const Bytes zeros(100);
  CHECK_FALSE(NalReader(zeros).next());
  const Bytes ones(100, std::byte{1});
  CHECK_FALSE(NalReader(ones).next());
  const Bytes code_only = {std::byte{0}, std::byte{0}, std::byte{1}};
  CHECK_FALSE(NalReader(code_only).next());
}

TEST_CASE("access units that Sealcam sends are accepted") {
  const auto key = check_access_unit(stream({sps, pps, sei, idr, idr_more}));
  REQUIRE(key);
  CHECK(key->keyframe);
  CHECK(key->slices == 2);
  CHECK(key->profile_level == std::array<std::uint8_t, 3>{0x64, 0x00, 0x28});
  const auto p = check_access_unit(stream({delta, delta_more}));
  REQUIRE(p);
  CHECK_FALSE(p->keyframe);
  CHECK(p->slices == 2);
  CHECK(check_access_unit(stream({{0x09, 0xf0}, sps, pps, idr})));
}

TEST_CASE("other bytes are malformed") {
  const auto rejected = [](const Bytes& s) {
    const auto r = check_access_unit(s);
    return !r && r.error().code == Errc::malformed;
  };
  CHECK(rejected({}));
  CHECK(rejected(Bytes(1000)));
  CHECK(rejected(stream({})));
  CHECK(rejected(stream({sps, pps})));                   // no slice
  CHECK(rejected(stream({idr})));                        // key frame without parameter sets
  CHECK(rejected(stream({sps, idr})));                   // … without PPS
  CHECK(rejected(stream({pps, idr})));                   // … without SPS
  CHECK(rejected(stream({sps, pps, idr, delta_more})));  // slices of two kinds
  CHECK(rejected(stream({delta, delta})));               // two pictures
  CHECK(rejected(stream({delta_more})));                 // the first slice is missing
  CHECK(rejected(stream({delta, sps})));                 // another access unit begins
  CHECK(rejected(stream({delta, sei})));
  CHECK(rejected(stream({{0xc1, 0x9a}})));   // forbidden bit
  CHECK(rejected(stream({{0x41}})));         // empty slice
  CHECK(rejected(stream({{0x42, 0x9a}})));   // data partitions
  CHECK(rejected(stream({{0x0a}, delta})));  // end of sequence
  Bytes garbage_first = stream({delta});
  garbage_first.insert(garbage_first.begin(), std::byte{7});
  CHECK(rejected(garbage_first));
}

TEST_CASE("a key frame is detected by its IDR slice") {
  CHECK(is_keyframe(stream({sps, pps, idr})));
  CHECK_FALSE(is_keyframe(stream({delta})));
  CHECK_FALSE(is_keyframe({}));
}

namespace {

/// Writes the fields of a sequence parameter set, with emulation prevention (clause 7.4.1).
class SpsWriter {
 public:
  SpsWriter& bits(unsigned value, int count) {
    while (count-- > 0) bits_.push_back((value >> count & 1U) != 0);
    return *this;
  }
  SpsWriter& ue(unsigned value) {
    const int length = std::bit_width(value + 1);
    return bits(0, length - 1).bits(value + 1, length);
  }
  /// Baseline profile, with this many macroblocks.
  SpsWriter& baseline(unsigned columns, unsigned rows) {
    return bits(66, 8)
        .bits(0, 16)
        .ue(0)
        .ue(0)
        .ue(2)
        .ue(1)
        .bits(0, 1)
        .ue(columns - 1)
        .ue(rows - 1)
        .bits(1, 1)
        .bits(1, 1);
  }
  [[nodiscard]] Bytes unit() const {
    auto padded = bits_;
    padded.push_back(true);
    Bytes out = {std::byte{0x67}};
    for (std::size_t i = 0; i < padded.size(); i += 8) {
      unsigned value = 0;
      for (std::size_t j = i; j < i + 8; ++j)
        value = value << 1 | static_cast<unsigned>(j < padded.size() && padded[j]);
      const auto n = out.size();
      if (n > 2 && out[n - 1] == std::byte{0} && out[n - 2] == std::byte{0} && value <= 3) out.push_back(std::byte{3});
      out.push_back(static_cast<std::byte>(value));
    }
    return out;
  }

 private:
  std::vector<bool> bits_;
};

Result<Size> size_of(const SpsWriter& parameters) {
  const auto unit = parameters.unit();
  return sps_size({unit});
}

Bytes key_frame(const SpsWriter& parameters) {
  Bytes out;
  const auto unit = parameters.unit();
  append(out, {unit});
  const auto rest = stream({pps, idr});
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

}  // namespace

TEST_CASE("the size is read from a sequence parameter set, with cropping") {
  CHECK(size_of(SpsWriter().baseline(80, 45).bits(0, 2)) == Size{1280, 720});
  CHECK(size_of(SpsWriter().baseline(120, 68).bits(1, 1).ue(0).ue(0).ue(0).ue(4).bits(0, 1)) == Size{1920, 1080});
  // High profile with scaling lists: one of 16 values that ends early, one of 64 values.
  SpsWriter high;
  high.bits(100, 8).bits(0, 16).ue(0).ue(1).ue(0).ue(0).bits(0, 1).bits(1, 1);
  high.bits(1, 1).ue(16);  // delta_scale -8: next_scale is 0
  high.bits(0, 5).bits(1, 1);
  for (int i = 0; i < 64; ++i) high.ue(0);
  high.bits(0, 1).ue(0).ue(0).ue(0).ue(4).bits(0, 1).ue(19).ue(14).bits(1, 1).bits(1, 1).bits(0, 2);
  CHECK(size_of(high) == Size{320, 240});
  // Picture order count of type 1 with negative offsets; two fields.
  SpsWriter fields;
  fields.bits(77, 8).bits(0, 16).ue(0).ue(0).ue(1).bits(0, 1).ue(2).ue(40'000).ue(2).ue(3).ue(4).ue(1).bits(0, 1);
  fields.ue(44).ue(17).bits(0, 1).bits(1, 1).bits(1, 1).bits(0, 2);
  CHECK(size_of(fields) == Size{720, 576});
}

TEST_CASE("a sequence parameter set without a possible size is malformed") {
  const auto whole = SpsWriter().baseline(80, 45).bits(0, 2).unit();
  for (std::size_t n = 1; n + 1 < whole.size(); ++n) CHECK_FALSE(sps_size({ByteView(whole).first(n)}));
  CHECK_FALSE(size_of(SpsWriter().baseline(2, 2).bits(1, 1).ue(8).ue(8).ue(0).ue(0).bits(0, 1)));  // crops all pixels
  const Bytes zeros(100), ones(100, std::byte{0xff});
  CHECK_FALSE(sps_size({zeros}));
  CHECK_FALSE(sps_size({ByteView(zeros).first(1)}));
  CHECK(sps_size({ones}) == Size{16, 16});  // each ue(v) is 0; a valid but small size
}

TEST_CASE("a picture has the size of its header, and a header has a valid size") {
  const auto small = key_frame(SpsWriter().baseline(20, 15).bits(0, 2));
  CHECK(is_picture(small, 320, 240, true));
  CHECK(is_picture(small, 320, 230, true));  // whole macroblocks without cropping
  CHECK_FALSE(is_picture(small, 320, 224, true));
  CHECK_FALSE(is_picture(small, 640, 480, true));
  CHECK_FALSE(is_picture(small, 0, 0, true));
  CHECK_FALSE(is_picture(small, 65535, 65535, true));
  const auto large = key_frame(SpsWriter().baseline(256, 144).bits(0, 2));
  CHECK(is_picture(large, 4096, 2304, true));
  CHECK_FALSE(is_picture(key_frame(SpsWriter().baseline(256, 256).bits(0, 2)), 4096, 4096, true));
  CHECK_FALSE(is_picture(key_frame(SpsWriter().baseline(4096, 4096).bits(0, 2)), 65535, 65535, true));
  // One of two parameter sets contradicts the header; which of them a decoder uses does not matter.
  auto two = small;
  const auto other = SpsWriter().baseline(256, 144).bits(0, 2).unit();
  Bytes first;
  append(first, {other});
  two.insert(two.begin(), first.begin(), first.end());
  CHECK_FALSE(is_picture(two, 320, 240, true));
}

TEST_CASE("a delta is no key frame, and its size is limited, too") {
  CHECK(is_picture(stream({delta}), 320, 240, false));
  CHECK_FALSE(is_picture(stream({delta}), 320, 240, true));
  CHECK_FALSE(is_picture(stream({delta}), 65535, 2, false));
  CHECK_FALSE(is_picture(Bytes(100), 320, 240, false));
  auto with_set = stream({});
  const auto unit = SpsWriter().baseline(256, 144).bits(0, 2).unit();
  append(with_set, {unit});
  const auto slice = stream({delta});
  with_set.insert(with_set.end(), slice.begin(), slice.end());
  CHECK(is_picture(with_set, 4096, 2304, false));
  CHECK_FALSE(is_picture(with_set, 320, 240, false));
}
