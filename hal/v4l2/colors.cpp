// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/colors.hpp"

#include <linux/videodev2.h>

namespace sealcam::hal::v4l2 {

namespace {

// The numbers are code points of ITU-T H.273, tables 2 to 4.

std::uint8_t primaries(std::uint32_t colorspace) noexcept {
  switch (colorspace) {
    case V4L2_COLORSPACE_SMPTE170M: return 6;
    case V4L2_COLORSPACE_SMPTE240M: return 7;
    case V4L2_COLORSPACE_470_SYSTEM_M: return 4;
    case V4L2_COLORSPACE_470_SYSTEM_BG: return 5;
    case V4L2_COLORSPACE_BT2020: return 9;
    case V4L2_COLORSPACE_DCI_P3: return 11;
    default: return 1;
  }
}

std::uint8_t transfer(std::uint32_t function) noexcept {
  switch (function) {
    case V4L2_XFER_FUNC_SRGB: return 13;
    case V4L2_XFER_FUNC_OPRGB: return 4;  // gamma 2.2
    case V4L2_XFER_FUNC_SMPTE240M: return 7;
    case V4L2_XFER_FUNC_NONE: return 8;
    case V4L2_XFER_FUNC_DCI_P3: return 17;
    case V4L2_XFER_FUNC_SMPTE2084: return 16;
    default: return 1;
  }
}

std::uint8_t matrix(std::uint32_t encoding) noexcept {
  switch (encoding) {
    case V4L2_YCBCR_ENC_709:
    case V4L2_YCBCR_ENC_XV709: return Colors::bt709;
    case V4L2_YCBCR_ENC_BT2020: return Colors::bt2020;
    case V4L2_YCBCR_ENC_BT2020_CONST_LUM: return 10;
    case V4L2_YCBCR_ENC_SMPTE240M: return 7;
    default: return Colors::bt601;
  }
}

bool is_rgb(std::uint32_t fourcc) noexcept { return fourcc == V4L2_PIX_FMT_RGB24 || fourcc == V4L2_PIX_FMT_BGR24; }

}  // namespace

Colors to_colors(std::uint32_t fourcc, const ColorFields& fields) noexcept {
  const bool rgb = is_rgb(fourcc);
  const auto space =
      fields.colorspace == V4L2_COLORSPACE_DEFAULT ? std::uint32_t{V4L2_COLORSPACE_SRGB} : fields.colorspace;
  const auto encoding = fields.encoding == V4L2_YCBCR_ENC_DEFAULT
                            ? static_cast<std::uint32_t>(V4L2_MAP_YCBCR_ENC_DEFAULT(space))
                            : fields.encoding;
  const auto quantization = fields.quantization == V4L2_QUANTIZATION_DEFAULT
                                ? static_cast<std::uint32_t>(V4L2_MAP_QUANTIZATION_DEFAULT(rgb, space, encoding))
                                : fields.quantization;
  const auto function = fields.transfer == V4L2_XFER_FUNC_DEFAULT
                            ? static_cast<std::uint32_t>(V4L2_MAP_XFER_FUNC_DEFAULT(space))
                            : fields.transfer;
  // JFIF (ITU-T T.871) is BT.601 with full range. Gray sensors use all values, also if their driver does not describe
  // it.
  const bool jpeg = fourcc == V4L2_PIX_FMT_MJPEG || fourcc == V4L2_PIX_FMT_JPEG;
  const bool full_gray = fourcc == V4L2_PIX_FMT_GREY && fields.quantization == V4L2_QUANTIZATION_DEFAULT;
  const bool full = jpeg || full_gray || quantization == V4L2_QUANTIZATION_FULL_RANGE;
  if (rgb) return {primaries(space), transfer(function), Colors::rgb, full};
  return {primaries(space), transfer(function), jpeg ? Colors::bt601 : matrix(encoding), full};
}

}  // namespace sealcam::hal::v4l2
