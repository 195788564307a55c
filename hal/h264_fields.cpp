// SPDX-License-Identifier: Apache-2.0
// The fields of parameter sets and slice headers that Sealcam needs (ITU-T H.264, clauses 7.3.2.1.1, 7.3.2.2
// and 7.3.3), and the colors of pictures in their sequence parameter set (clause E.1.1).

#include <algorithm>
#include <cstdint>

#include "base/bytes.hpp"
#include "hal/h264.hpp"

namespace sealcam::hal {

/// Reads the bits of a NAL unit without emulation prevention bytes (clause 7.4.1). After the end each bit is 0 and
/// good() is false.
class BitReader {
 public:
  explicit BitReader(ByteView bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] bool good() const noexcept { return good_; }
  /// The number of bits that were read.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

  std::uint32_t bits(int count) noexcept {
    std::uint32_t value = 0;
    while (count-- > 0) value = value << 1 | bit();
    return value;
  }
  /// ue(v), clause 9.1. Values above 2^16 do not occur in the fields that are read here.
  std::uint32_t ue() noexcept {
    int zeros = 0;
    while (bit() == 0 && good_) ++zeros;
    if (zeros > 16) good_ = false;
    return good_ ? (1U << zeros) - 1 + bits(zeros) : 0;
  }
  /// se(v), clause 9.1.1. Offsets of the picture order count may have 32 bits.
  std::int64_t se() noexcept {
    int zeros = 0;
    while (bit() == 0 && good_) ++zeros;
    if (zeros > 32) good_ = false;
    if (!good_) return 0;
    std::uint64_t code = (std::uint64_t{1} << zeros) - 1;
    code += bits(zeros);
    return code % 2 == 0 ? -static_cast<std::int64_t>(code / 2) : static_cast<std::int64_t>(code / 2 + 1);
  }

 private:
  std::uint32_t bit() noexcept {
    if (left_ == 0 && !load()) return 0;
    ++position_;
    return std::to_integer<std::uint32_t>(byte_ >> --left_ & std::byte{1});
  }
  bool load() noexcept {
    if (zeros_ >= 2 && at_ < bytes_.size() && bytes_[at_] == std::byte{3}) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ == bytes_.size()) return good_ = false;
    byte_ = bytes_[at_++];
    zeros_ = byte_ == std::byte{0} ? zeros_ + 1 : 0;
    left_ = 8;
    return true;
  }

  ByteView bytes_;
  std::size_t at_ = 0;
  std::byte byte_{};
  int left_ = 0;
  int zeros_ = 0;  ///< zero bytes before at_
  std::size_t position_ = 0;
  bool good_ = true;
};

namespace {

/// scaling_list(), clause 7.3.2.1.1.1.
void skip_scaling_list(BitReader& in, int size) noexcept {
  std::int64_t last = 8, next = 8;
  for (int i = 0; i < size && in.good(); ++i) {
    if (next != 0) next = (last + in.se() + 256) % 256;
    last = next == 0 ? last : next;
  }
}

/// The fields from chroma_format_idc to the scaling lists. Returns ChromaArrayType.
std::uint32_t read_high_profile(BitReader& in, bool& separate) noexcept {
  const auto format = in.ue();
  separate = format == 3 && in.bits(1) == 1;
  in.ue();  // bit_depth_luma_minus8
  in.ue();  // bit_depth_chroma_minus8
  in.bits(1);
  if (in.bits(1) == 1)
    for (int i = 0; i < (format == 3 ? 12 : 8) && in.good(); ++i)
      if (in.bits(1) == 1) skip_scaling_list(in, i < 6 ? 16 : 64);
  return separate ? 0 : format;
}

void skip_picture_order(BitReader& in) noexcept {
  const auto type = in.ue();
  if (type == 0) in.ue();
  if (type != 1) return;
  in.bits(1);
  in.se();
  in.se();
  for (auto cycle = in.ue(); cycle > 0 && in.good(); --cycle) in.se();
}

constexpr bool has_chroma_format(std::uint32_t profile) noexcept {
  constexpr std::array profiles{100U, 110U, 122U, 244U, 44U, 83U, 86U, 118U, 128U, 138U, 139U, 134U, 135U};
  return std::ranges::contains(profiles, profile);
}

}  // namespace

Result<SpsFields> read_sps(const NalUnit& sps) noexcept {
  SpsFields fields;
  BitReader in(sps.bytes.subspan(1));
  const auto profile = in.bits(8);
  in.bits(16);
  fields.id = in.ue();
  const auto chroma = has_chroma_format(profile) ? read_high_profile(in, fields.separate_planes) : 1;
  fields.frame_num_bits = static_cast<int>(std::min(in.ue(), 12U)) + 4;
  skip_picture_order(in);
  in.ue();  // max_num_ref_frames
  in.bits(1);
  const auto columns = in.ue() + 1, rows = in.ue() + 1;
  fields.frames_only = in.bits(1) == 1;
  const auto field = fields.frames_only ? 1U : 2U;
  if (!fields.frames_only) in.bits(1);
  in.bits(1);
  std::array<std::uint32_t, 4> crop{};  // left, right, top, bottom
  if (in.bits(1) == 1)
    for (auto& side : crop) side = in.ue();
  fields.vui = in.position();
  if (!in.good() || chroma > 3) return fail(Errc::malformed, "sequence parameter set");
  const auto across = chroma == 1 || chroma == 2 ? 2U : 1U;
  const auto down = (chroma == 1 ? 2U : 1U) * field;
  const auto width = std::int64_t{columns} * 16 - std::int64_t{across} * (crop[0] + crop[1]);
  const auto height = std::int64_t{rows} * 16 * field - std::int64_t{down} * (crop[2] + crop[3]);
  if (width <= 0 || height <= 0) return fail(Errc::malformed, "cropping of a picture");
  fields.size = {static_cast<int>(width), static_cast<int>(height)};
  return fields;
}

Result<Size> sps_size(const NalUnit& sps) noexcept {
  return read_sps(sps).transform([](const SpsFields& fields) { return fields.size; });
}

Result<PpsFields> read_pps(const NalUnit& pps) noexcept {
  BitReader in(pps.bytes.subspan(1));
  const PpsFields fields{in.ue(), in.ue()};
  if (!in.good() || fields.id > 255 || fields.sps > 31) return fail(Errc::malformed, "picture parameter set");
  return fields;
}

Result<SliceFields> read_slice(const NalUnit& slice) noexcept {
  BitReader in(slice.bytes.subspan(1));
  SliceFields fields;
  fields.first = in.ue() == 0;
  constexpr std::uint32_t kinds = 5, b_slice = 1;
  fields.bidirectional = in.ue() % kinds == b_slice;
  fields.pps = in.ue();
  if (!in.good()) return fail(Errc::malformed, "slice header");
  return fields;
}

bool is_field(const NalUnit& slice, const SpsFields& sps) noexcept {
  if (sps.frames_only) return false;
  BitReader in(slice.bytes.subspan(1));
  in.ue();
  in.ue();
  in.ue();
  in.bits(sps.separate_planes ? 2 : 0);
  in.bits(sps.frame_num_bits);
  return in.bits(1) == 1;  // field_pic_flag
}

bool is_picture(ByteView access_unit, int width, int height, bool key) noexcept {
  const Size size{width, height};
  const auto info = check_access_unit(access_unit);
  if (!info || !is_valid(size) || (key && !info->keyframe)) return false;
  NalReader reader(access_unit);
  while (const auto unit = reader.next()) {
    if (unit->type() == NalType::slice || unit->type() == NalType::idr_slice) return true;
    if (unit->type() != NalType::sps) continue;
    const auto coded = sps_size(*unit);
    // Some encoders do not crop the macroblocks at the edge.
    if (!coded || !is_padded(*coded, size)) return false;
  }
  return true;
}

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
