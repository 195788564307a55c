// SPDX-License-Identifier: Apache-2.0
// The fields of parameter sets and slice headers that Sealcam needs (ITU-T H.264, clauses 7.3.2.1.1, 7.3.2.2
// and 7.3.3).
#include <algorithm>

#include "hal/h264.hpp"
#include "hal/h264_bits.hpp"

namespace sealcam::hal {

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

}  // namespace sealcam::hal
