// SPDX-License-Identifier: Apache-2.0
#include "hal/h264.hpp"

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

TEST_CASE("NAL units are found behind 3- and 4-byte start codes, without trailing zeros") {
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

TEST_CASE("a NAL reader ends on anything") {
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

TEST_CASE("everything else is malformed") {
  const auto refused = [](const Bytes& s) {
    const auto r = check_access_unit(s);
    return !r && r.error().code == Errc::malformed;
  };
  CHECK(refused({}));
  CHECK(refused(Bytes(1000)));
  CHECK(refused(stream({})));
  CHECK(refused(stream({sps, pps})));                   // no slice
  CHECK(refused(stream({idr})));                        // key frame without parameter sets
  CHECK(refused(stream({sps, idr})));                   // … without PPS
  CHECK(refused(stream({pps, idr})));                   // … without SPS
  CHECK(refused(stream({sps, pps, idr, delta_more})));  // slices of two kinds
  CHECK(refused(stream({delta, delta})));               // two pictures
  CHECK(refused(stream({delta_more})));                 // the first slice is missing
  CHECK(refused(stream({delta, sps})));                 // another access unit begins
  CHECK(refused(stream({delta, sei})));
  CHECK(refused(stream({{0xc1, 0x9a}})));   // forbidden bit
  CHECK(refused(stream({{0x41}})));         // empty slice
  CHECK(refused(stream({{0x42, 0x9a}})));   // data partitions
  CHECK(refused(stream({{0x0a}, delta})));  // end of sequence
  Bytes garbage_first = stream({delta});
  garbage_first.insert(garbage_first.begin(), std::byte{7});
  CHECK(refused(garbage_first));
}

TEST_CASE("a key frame is known by its first slice") {
  CHECK(is_keyframe(stream({sps, pps, idr})));
  CHECK_FALSE(is_keyframe(stream({delta})));
  CHECK_FALSE(is_keyframe({}));
}
