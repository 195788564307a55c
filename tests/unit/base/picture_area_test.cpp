// SPDX-License-Identifier: Apache-2.0
#include "base/picture_area.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;

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
