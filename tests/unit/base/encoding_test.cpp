// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/picture_area.hpp"
#include "base/types.hpp"

using namespace sealcam;

TEST_CASE("base32 follows RFC 4648 section 10, lower case and unpadded") {
  CHECK(to_base32(as_bytes("f")) == "my");
  CHECK(to_base32(as_bytes("fo")) == "mzxq");
  CHECK(to_base32(as_bytes("foo")) == "mzxw6");
  CHECK(to_base32(as_bytes("foob")) == "mzxw6yq");
  CHECK(to_base32(as_bytes("fooba")) == "mzxw6ytb");
  CHECK(to_base32(as_bytes("foobar")) == "mzxw6ytboi");
}

TEST_CASE("an identity has one text, and other texts are rejected") {
  std::array<std::byte, 20> raw;
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(i * 13 + 5);
  const DeviceId id(raw);
  const std::string text = id.to_string();
  CHECK(text.size() == DeviceId::text_size);
  CHECK(DeviceId::parse(text).value() == id);
  std::string upper = text;
  upper[0] = static_cast<char>(std::toupper(upper[0]));
  CHECK_FALSE(DeviceId::parse(upper));
  CHECK_FALSE(DeviceId::parse(text + "a"));
  CHECK_FALSE(DeviceId::parse(text.substr(1)));
  CHECK_FALSE(DeviceId::parse("0" + text.substr(1)));
}

TEST_CASE("base32 with unused bits that are not zero is rejected") {
  std::array<std::byte, 1> one;
  CHECK(from_base32("my", one));
  CHECK_FALSE(from_base32("mz", one));
}

TEST_CASE("an area as text is the same area") {
  for (const PictureArea& area :
       {PictureArea{0, 0, 1000, 1000}, PictureArea{999, 0, 1, 1}, PictureArea{10, 20, 30, 40}})
    CHECK(parse_picture_area(to_string(area)) == area);
  CHECK(to_string(PictureArea{10, 20, 30, 40}) == "10,20,30,40");
}

TEST_CASE("an area is not empty and lies inside of the picture") {
  CHECK(PictureArea{0, 0, 1000, 1000}.is_valid());
  CHECK(PictureArea{999, 999, 1, 1}.is_valid());
  CHECK_FALSE(PictureArea{}.is_valid());
  CHECK_FALSE(PictureArea{0, 0, 1, 0}.is_valid());
  CHECK_FALSE(PictureArea{1, 0, 1000, 1000}.is_valid());
  CHECK_FALSE(PictureArea{0, 1, 1000, 1000}.is_valid());
  CHECK_FALSE(PictureArea{65535, 0, 2, 1}.is_valid());
}

TEST_CASE("other texts are no area") {
  CHECK(parse_picture_area("1,2,3,4"));  // control
  for (const char* text : {"", "1", "1,2,3", "1,2,3,", "1,2,3,4,", "1,2,3,4,5", "1, 2,3,4", "-1,2,3,4", "1,2,3,0",
                           "0,0,1001,1", "65536,0,1,1", "1x2,3,4", " 1,2,3,4"})
    CHECK(parse_picture_area(text).error().code == Errc::malformed);
}
