// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/negotiate.hpp"

#include <linux/videodev2.h>

#include <catch2/catch_test_macros.hpp>

using sealcam::hal::Colors;
using sealcam::hal::v4l2::ColorFields;
using sealcam::hal::v4l2::to_colors;

TEST_CASE("the color fields of a driver have the kernel's defaults") {
  const auto yuyv = [](const ColorFields& fields) { return to_colors(V4L2_PIX_FMT_YUYV, fields); };
  CHECK(yuyv({}) == Colors{1, 13, Colors::bt601, false});  // as sRGB, which webcams report
  CHECK(yuyv({V4L2_COLORSPACE_SRGB}) == yuyv({}));
  CHECK(yuyv({V4L2_COLORSPACE_SMPTE170M}) == Colors{6, 1, Colors::bt601, false});
  CHECK(yuyv({V4L2_COLORSPACE_REC709}) == Colors{1, 1, Colors::bt709, false});
  CHECK(yuyv({V4L2_COLORSPACE_BT2020}) == Colors{9, 1, Colors::bt2020, false});
  CHECK(yuyv({V4L2_COLORSPACE_SMPTE240M}) == Colors{7, 7, 7, false});
  CHECK(yuyv({V4L2_COLORSPACE_470_SYSTEM_BG}) == Colors{5, 1, Colors::bt601, false});
  CHECK(yuyv({V4L2_COLORSPACE_JPEG}) == Colors{1, 13, Colors::bt601, true});
}

TEST_CASE("a field of the driver replaces the default") {
  const auto yuyv = [](const ColorFields& fields) { return to_colors(V4L2_PIX_FMT_YUYV, fields); };
  CHECK(yuyv({V4L2_COLORSPACE_SRGB, V4L2_YCBCR_ENC_709}).matrix == Colors::bt709);
  CHECK(yuyv({V4L2_COLORSPACE_SRGB, V4L2_YCBCR_ENC_XV709}).matrix == Colors::bt709);
  CHECK(yuyv({V4L2_COLORSPACE_REC709, V4L2_YCBCR_ENC_601}).matrix == Colors::bt601);
  CHECK(yuyv({V4L2_COLORSPACE_BT2020, V4L2_YCBCR_ENC_BT2020_CONST_LUM}).matrix == 10);
  CHECK(yuyv({V4L2_COLORSPACE_REC709, 0, V4L2_QUANTIZATION_FULL_RANGE}).full_range);
  CHECK_FALSE(yuyv({V4L2_COLORSPACE_JPEG, 0, V4L2_QUANTIZATION_LIM_RANGE}).full_range);
  CHECK(yuyv({V4L2_COLORSPACE_BT2020, 0, 0, V4L2_XFER_FUNC_SMPTE2084}).transfer == 16);
}

TEST_CASE("RGB, JPEG and gray have their own rules") {
  CHECK(to_colors(V4L2_PIX_FMT_RGB24, {V4L2_COLORSPACE_SRGB}) == Colors{1, 13, Colors::rgb, true});
  CHECK_FALSE(to_colors(V4L2_PIX_FMT_BGR24, {V4L2_COLORSPACE_SRGB, 0, V4L2_QUANTIZATION_LIM_RANGE}).full_range);
  const ColorFields odd{V4L2_COLORSPACE_REC709, V4L2_YCBCR_ENC_709, V4L2_QUANTIZATION_LIM_RANGE};
  CHECK(to_colors(V4L2_PIX_FMT_MJPEG, odd) == Colors{1, 1, Colors::bt601, true});
  CHECK(to_colors(V4L2_PIX_FMT_JPEG, odd) == Colors{1, 1, Colors::bt601, true});
  CHECK(to_colors(V4L2_PIX_FMT_GREY, {V4L2_COLORSPACE_SRGB}).full_range);
  CHECK_FALSE(to_colors(V4L2_PIX_FMT_GREY, {V4L2_COLORSPACE_SRGB, 0, V4L2_QUANTIZATION_LIM_RANGE}).full_range);
}
