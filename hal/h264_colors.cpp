// SPDX-License-Identifier: Apache-2.0
// The colors of pictures in their sequence parameter set (ITU-T H.264, clause E.1.1).
#include "hal/h264.hpp"
#include "hal/h264_bits.hpp"

namespace sealcam::hal {

namespace {

/// The description of the colors in VUI, or the place where it is missing.
struct ColorFields {
  bool has_vui = false;
  std::size_t begin = 0, end = 0;  ///< bits: video_signal_type_present_flag and its fields, or the flag of the VUI
  std::optional<Colors> colors;
};

Result<ColorFields> read_colors(const NalUnit& sps) noexcept {
  const auto head = read_sps(sps);
  if (!head) return std::unexpected(head.error());
  BitReader in(sps.bytes.subspan(1));
  while (in.position() < head->vui) in.bits(1);
  ColorFields fields;
  fields.begin = in.position();
  fields.has_vui = in.bits(1) == 1;
  if (fields.has_vui) {
    constexpr std::uint32_t extended_sar = 255;
    if (in.bits(1) == 1 && in.bits(8) == extended_sar) in.bits(32);
    if (in.bits(1) == 1) in.bits(1);  // overscan
    fields.begin = in.position();
    if (in.bits(1) == 1) {
      in.bits(3);  // video_format
      auto& c = fields.colors.emplace(Colors{Colors::unspecified, Colors::unspecified, Colors::unspecified, false});
      c.full_range = in.bits(1) == 1;
      if (in.bits(1) == 1)
        for (auto* field : {&c.primaries, &c.transfer, &c.matrix}) *field = static_cast<std::uint8_t>(in.bits(8));
    }
  }
  fields.end = in.position();
  if (!in.good()) return fail(Errc::malformed, "sequence parameter set");
  return fields;
}

/// Writes a NAL unit with a start code and emulation prevention bytes (clause 7.4.1).
class BitWriter {
 public:
  explicit BitWriter(Bytes& to, std::byte header) : to_(to) {
    for (const auto b : {0, 0, 0, 1}) to_.push_back(static_cast<std::byte>(b));
    to_.push_back(header);
  }
  void bits(std::uint32_t value, int count) {
    while (count-- > 0) {
      byte_ = static_cast<std::uint8_t>(std::uint32_t{byte_} << 1U | (value >> static_cast<unsigned>(count) & 1U));
      if (++filled_ == 8) put();
    }
  }
  /// rbsp_trailing_bits(), clause 7.3.2.11.
  void finish() {
    bits(1, 1);
    while (filled_ != 0) bits(0, 1);
  }

 private:
  void put() {
    if (zeros_ >= 2 && byte_ <= 3) {
      to_.push_back(std::byte{3});
      zeros_ = 0;
    }
    to_.push_back(static_cast<std::byte>(byte_));
    zeros_ = byte_ == 0 ? zeros_ + 1 : 0;
    filled_ = 0;
    byte_ = 0;
  }

  Bytes& to_;
  std::uint8_t byte_ = 0;
  int filled_ = 0;
  int zeros_ = 0;
};

/// The number of bits before rbsp_trailing_bits().
std::size_t content_bits(const NalUnit& sps) noexcept {
  BitReader in(sps.bytes.subspan(1));
  std::size_t last_one = 0;
  for (;;) {
    const auto bit = in.bits(1);
    if (!in.good()) return last_one;
    if (bit == 1) last_one = in.position() - 1;
  }
}

}  // namespace

std::optional<Colors> sps_colors(const NalUnit& sps) noexcept {
  const auto fields = read_colors(sps);
  return fields ? fields->colors : std::nullopt;
}

void append_with_colors(Bytes& to, const NalUnit& sps, Colors colors) {
  const auto fields = read_colors(sps);
  if (!fields) return append(to, sps);
  BitReader in(sps.bytes.subspan(1));
  BitWriter out(to, sps.bytes[0]);
  const auto copy = [&](std::size_t until) {
    while (in.position() < until) out.bits(in.bits(1), 1);
  };
  copy(fields->begin);
  if (!fields->has_vui) out.bits(0b100, 3);  // VUI, without aspect ratio and overscan
  constexpr std::uint32_t unspecified_format = 5;
  out.bits(1, 1);
  out.bits(unspecified_format, 3);
  out.bits(colors.full_range ? 1 : 0, 1);
  out.bits(1, 1);
  for (const std::uint32_t field : {colors.primaries, colors.transfer, colors.matrix}) out.bits(field, 8);
  if (!fields->has_vui) out.bits(0, 6);  // no further fields of the VUI
  while (in.position() < fields->end) in.bits(1);
  copy(content_bits(sps));
  out.finish();
}

}  // namespace sealcam::hal
