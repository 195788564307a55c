// SPDX-License-Identifier: Apache-2.0
#include "hal/h264_headers.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::hal;

namespace {

struct Scene {
  H264Headers headers;
  Bytes scratch;

  /// The unit in hexadecimal with "key" or "delta", "none", or "malformed".
  std::string give(std::string_view hex) {
    const Bytes bytes = *from_hex(hex);
    const auto unit = headers.complete(bytes, scratch);
    if (!unit) return std::string(name(unit.error().code));
    if (!*unit) return "none";
    return ((*unit)->keyframe ? "key " : "delta ") + to_hex((*unit)->bytes);
  }
};

constexpr std::string_view sets = "00000001674200140000000168ce", key = "000000016588", delta = "000000014188";

std::string operator+(std::string_view a, std::string_view b) { return std::string(a).append(b); }

}  // namespace

TEST_CASE("whole units pass as they are") {
  Scene s;
  CHECK(s.give(sets + key) == "key " + (sets + key));
  CHECK(s.give(delta) == "delta " + std::string(delta));
  CHECK(s.scratch.empty());
}

TEST_CASE("key frames get the sets that came before, in a buffer of their own or with the first key frame") {
  Scene s;
  CHECK(s.give(key) == "malformed");
  CHECK(s.give(sets) == "none");
  CHECK(s.give(key) == "key " + (sets + key));
  Scene t;
  CHECK(t.give(sets + key) == "key " + (sets + key));
  CHECK(t.give(delta) == "delta " + std::string(delta));
  CHECK(t.give(key) == "key " + (sets + key));
}

TEST_CASE("new sets replace old ones, also one kind alone") {
  Scene s;
  CHECK(s.give(sets) == "none");
  CHECK(s.give("0000000168cc") == "none");
  CHECK(s.give(key) == "key 00000001674200140000000168cc000000016588");
  CHECK(s.give("000000016764001f000000016588") == "key 000000016764001f0000000168cc000000016588");
}

TEST_CASE("a delimiter stays in front of the sets") {
  Scene s;
  CHECK(s.give(sets) == "none");
  CHECK(s.give("0000000109f0" + std::string(key)) == "key 0000000109f0" + (sets + key));
}

TEST_CASE("what is no access unit stays malformed") {
  Scene s;
  CHECK(s.give(sets) == "none");
  CHECK(s.give("") == "malformed");
  CHECK(s.give("77777777") == "malformed");
  CHECK(s.give("0000000109f0") == "malformed");
  CHECK(s.give(delta + std::string(delta)) == "malformed");
  CHECK(s.give(key + std::string(key)) == "malformed");
  CHECK(s.give(delta + std::string(sets)) == "malformed");
}
