// SPDX-License-Identifier: Apache-2.0
#include "hal/picture.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"

using namespace sealcam;
using namespace sealcam::hal;

namespace {

constexpr Size mode{640, 360};  // as the driver reports it

std::string adopt(std::string_view hex, Size size = mode) {
  const Bytes bytes = *from_hex(hex);
  Picture picture;
  picture.format = PixelFormat::mjpeg;
  picture.size = size;
  picture.planes[0] = {bytes.data(), bytes.size()};
  const auto adopted = adopt_jpeg(picture);
  if (!adopted) return std::string(name(adopted.error().code));
  const auto offset = picture.planes[0].data - bytes.data();
  CHECK(picture.planes[0].data + picture.planes[0].stride == bytes.data() + bytes.size());
  return std::to_string(picture.size.width) + "x" + std::to_string(picture.size.height) + " at " +
         std::to_string(offset);
}

/// Start of image, a table, a frame header with this size, start of scan.
std::string jpeg(int width, int height, std::string_view frame_header = "ffc0") {
  std::array<std::byte, 4> size{};
  store_be(MutableBytes(size).first(2), static_cast<std::uint16_t>(height));
  store_be(MutableBytes(size).last(2), static_cast<std::uint16_t>(width));
  return "ffd8ffdb000401ff" + std::string(frame_header) + "000b08" + to_hex(size) + "01012200ffda0003007788";
}

}  // namespace

TEST_CASE("the size of a JPEG picture is that of its frame header") {
  CHECK(adopt(jpeg(640, 360)) == "640x360 at 0");
  CHECK(adopt(jpeg(320, 240)) == "320x240 at 0");
  CHECK(adopt(jpeg(1280, 720)) == "1280x720 at 0");
  CHECK(adopt(jpeg(320, 240, "ffffffc2")) == "320x240 at 0");  // fill bytes, progressive
  CHECK(adopt(jpeg(641, 481)) == "640x480 at 0");
}

TEST_CASE("a JPEG picture with padding to whole blocks keeps the size of the driver") {
  CHECK(adopt(jpeg(640, 368)) == "640x360 at 0");
  CHECK(adopt(jpeg(640, 376)) == "640x376 at 0");
  CHECK(adopt(jpeg(648, 360)) == "648x360 at 0");  // 640 is whole already
}

TEST_CASE("bytes before a JPEG picture are skipped") {
  CHECK(adopt("0000" + jpeg(640, 360)) == "640x360 at 2");
  CHECK(adopt("ffff" + jpeg(640, 360)) == "640x360 at 2");
  CHECK(adopt("ffd8" + jpeg(320, 240)) == "320x240 at 0");  // two starts
}

TEST_CASE("JPEG pictures without start, frame header or usable size are rejected") {
  for (const std::string& bad : {std::string(), std::string("ffd8"), std::string("ffd8ff"), jpeg(0, 0), jpeg(16, 16),
                                 jpeg(65535, 65535), jpeg(640, 0), jpeg(640, 360).substr(4)})
    CHECK(adopt(bad) == "corrupt frame");
  const auto whole = jpeg(640, 360);
  for (std::size_t n = 0; n < 2 * 21; n += 2) CHECK(adopt(whole.substr(0, n)) == "corrupt frame");
  CHECK(adopt("ffd8ffc0000108") == "corrupt frame");
  CHECK(adopt("ffd8ffc00000000000000000") == "corrupt frame");
}
