// SPDX-License-Identifier: Apache-2.0
#include "hal/h264.hpp"

#include <algorithm>
#include <utility>

namespace sealcam::hal {

namespace {

constexpr std::size_t max_set = 4096, max_carry = 64U << 10;  // bytes
constexpr std::size_t length_size = 4, long_start_code_size = 4;
constexpr std::size_t max_pictures = 16;  // in a buffer; each key frame gets a copy of its parameter sets

bool may_begin_with_start_code(ByteView s) noexcept {
  const auto one = std::ranges::find_if(s, [](std::byte b) { return b != std::byte{0}; });
  return one != s.end() && *one == std::byte{1} && one - s.begin() >= 2;
}

/// Takes a unit after its length (ISO/IEC 14496-15, 5.3.3). Empty if the length does not fit.
ByteView take_after_length(ByteView& rest) noexcept {
  if (rest.size() <= length_size) return {};
  const std::size_t length = load_be<std::uint32_t>(rest.first<length_size>());
  if (length > rest.size() - length_size) return {};
  const auto unit = rest.subspan(length_size, length);
  rest = rest.subspan(length_size + length);
  return unit;
}

/// Whether lengths divide the whole buffer. `has_sps`: one of the units is an SPS.
bool has_lengths(ByteView buffer, bool& has_sps) noexcept {
  has_sps = false;
  if (buffer.empty()) return false;
  while (!buffer.empty()) {
    const auto unit = take_after_length(buffer);
    if (unit.empty() || (unit[0] & std::byte{0x80}) != std::byte{0}) return false;
    has_sps |= NalUnit{unit}.type() == NalType::sps;
  }
  return true;
}

bool has_sps(ByteView buffer) noexcept {
  NalReader reader(buffer);
  while (const auto unit = reader.next())
    if (unit->type() == NalType::sps) return true;
  return false;
}

/// Appends the SPS with the colors, if it does not describe its own.
void add_colors(Bytes& to, const NalUnit& sps, Colors colors) {
  const auto own = sps_colors(sps);
  if (own && own->matrix != Colors::unspecified) return;
  if (own) colors.full_range = own->full_range;
  append_with_colors(to, sps, colors);
}

bool is_slice(const NalUnit& unit) noexcept {
  return unit.type() == NalType::slice || unit.type() == NalType::idr_slice;
}

bool is_parameter_set(const NalUnit& unit) noexcept {
  return unit.type() == NalType::sps || unit.type() == NalType::pps;
}

}  // namespace

Result<std::span<const H264Splitter::Unit>> H264Splitter::split(ByteView buffer, Bytes& scratch) {
  nals_.clear();
  groups_.clear();
  units_.clear();
  changed_ = false;
  NalReader carried(carry_);
  while (const auto unit = carried.next()) remember(*unit);
  if (auto r = read_buffer(buffer); !r) {
    carry_.clear();
    return std::unexpected(r.error());
  }
  if (unchanged(buffer)) {
    const Group& only = groups_.front();
    if (only.keyframe) size_ = sps_of(only.pps)->fields.size;
    units_.push_back({buffer, only.keyframe, size_});
    return units_;
  }
  scratch.clear();
  scratch.reserve(max_size(buffer));  // the views must stay valid
  for (const Group& group : groups_) {
    const auto begin = scratch.size();
    if (auto r = rebuild(group, &group == groups_.data(), scratch); !r) {
      carry_.clear();
      return std::unexpected(r.error());
    }
    units_.push_back({ByteView(scratch).subspan(begin), group.keyframe, size_});
  }
  if (!groups_.empty()) carry_.clear();
  keep_rest();
  return units_;
}

Result<> H264Splitter::read_buffer(ByteView buffer) {
  bool sps_after_length = false;
  const bool codes = may_begin_with_start_code(buffer), lengths = has_lengths(buffer, sps_after_length);
  if (!codes && !lengths) return fail(Errc::malformed, "neither start codes nor lengths of H.264 units");
  Framing framing = codes ? Framing::start_codes : Framing::lengths;
  // 00 00 01 begins a unit, or a length from 256 to 511. The first buffer with an SPS decides.
  if (codes && lengths && framing_ != Framing::unknown) framing = framing_;
  else if (codes && lengths && sps_after_length && !has_sps(buffer)) framing = Framing::lengths;
  return read_units(buffer, framing);
}

Result<> H264Splitter::read_units(ByteView buffer, Framing framing) {
  const auto read = [&](const NalUnit& unit) {
    if (unit.type() == NalType::sps) framing_ = framing;
    return take(unit);
  };
  if (framing == Framing::lengths) {
    changed_ = true;
    while (!buffer.empty())
      if (auto r = read({take_after_length(buffer)}); !r) return r;
    return {};
  }
  NalReader reader(buffer);
  bool any = false;
  while (const auto unit = reader.next()) {
    any = true;
    if (auto r = read(*unit); !r) return r;
  }
  if (!any) return fail(Errc::malformed, "the buffer has no H.264 unit");
  return {};
}

Result<> H264Splitter::take(const NalUnit& unit) {
  if ((unit.bytes[0] & std::byte{0x80}) != std::byte{0}) return fail(Errc::malformed, "forbidden bit in a NAL unit");
  if (is_slice(unit)) return take_slice(unit);
  if (unit.type() >= NalType::partition_a && unit.type() <= NalType::partition_c)
    return fail(Errc::unsupported, "the sensor's H.264 has data partitions");
  if (unit.type() < NalType::sei || unit.type() > NalType::access_unit_delimiter) {
    changed_ = true;
    return {};
  }
  if (is_parameter_set(unit))
    if (auto set = parse_set(unit); !set) return std::unexpected(set.error());
  // A delimiter is the first unit (clause 7.4.1.2.3).
  const auto begin = groups_.empty() ? 0 : groups_.back().end;
  if (unit.type() == NalType::access_unit_delimiter && nals_.size() > begin) changed_ = true;
  if (!groups_.empty()) groups_.back().closed = true;
  nals_.push_back(unit);
  return {};
}

Result<> H264Splitter::take_slice(const NalUnit& unit) {
  const auto slice = read_slice(unit);
  if (!slice) return std::unexpected(slice.error());
  const auto begin = groups_.empty() ? 0 : groups_.back().end;
  const auto before = std::span(nals_).subspan(begin);
  if (slice->first)
    for (const NalUnit& set : before) remember(set);
  if (slice->bidirectional) return fail(Errc::unsupported, "the sensor's H.264 has B-frames, which are out of order");
  if (const auto* sps = sps_of(slice->pps); sps != nullptr && is_field(unit, sps->fields))
    return fail(Errc::unsupported, "the sensor's H.264 has fields instead of frames");
  const bool idr = unit.type() == NalType::idr_slice;
  if (slice->first) {
    if (groups_.size() == max_pictures) return fail(Errc::malformed, "too many H.264 pictures in a buffer");
    const auto sets = std::ranges::count_if(before, is_parameter_set);
    groups_.push_back({.begin = begin, .pps = slice->pps, .sets = static_cast<std::size_t>(sets), .keyframe = idr});
  } else if (groups_.empty() || groups_.back().closed) {
    return fail(Errc::malformed, "the first slice of an H.264 picture is missing");
  } else if (groups_.back().keyframe != idr) {
    return fail(Errc::malformed, "slices of two kinds in an H.264 picture");
  }
  nals_.push_back(unit);
  ++groups_.back().slices;
  groups_.back().end = nals_.size();
  return {};
}

Result<H264Splitter::ParameterSet> H264Splitter::parse_set(const NalUnit& unit) {
  if (unit.bytes.size() > max_set) return fail(Errc::malformed, "an H.264 parameter set is too large");
  if (unit.type() == NalType::pps)
    return read_pps(unit).transform([](const PpsFields& pps) { return ParameterSet{.id = pps.id, .sps = pps.sps}; });
  const auto fields = read_sps(unit);
  if (!fields) return std::unexpected(fields.error());
  if (fields->id > 31) return fail(Errc::malformed, "id of a sequence parameter set");
  return ParameterSet{.id = fields->id, .fields = *fields};
}

/// Stores a unit that is a parameter set. A set replaces an earlier one with its id (clause 7.4.1.2.1).
void H264Splitter::remember(const NalUnit& unit) {
  auto set = is_parameter_set(unit) ? parse_set(unit) : fail(Errc::malformed, "another unit");
  if (!set) return;
  auto& sets = unit.type() == NalType::sps ? sps_ : pps_;
  const auto known = std::ranges::find(sets, set->id, &ParameterSet::id);
  if (known != sets.end() && std::ranges::equal(ByteView(known->bytes).subspan(long_start_code_size), unit.bytes))
    return;
  append(set->bytes, unit);
  if (unit.type() == NalType::sps && colors_) add_colors(set->colored, unit, *colors_);
  if (known == sets.end()) sets.push_back(std::move(*set));
  else *known = std::move(*set);
}

const H264Splitter::ParameterSet* H264Splitter::sps_of(std::uint32_t pps) const noexcept {
  const auto used = std::ranges::find(pps_, pps, &ParameterSet::id);
  if (used == pps_.end()) return nullptr;
  const auto sps = std::ranges::find(sps_, used->sps, &ParameterSet::id);
  return sps == sps_.end() ? nullptr : &*sps;
}

/// The number of parameter sets that a key frame needs: the SPS and all PPS that refer to it, because later pictures
/// may use another PPS.
std::size_t H264Splitter::sets_of(const ParameterSet& sps) const noexcept {
  return 1 + static_cast<std::size_t>(std::ranges::count(pps_, sps.id, &ParameterSet::sps));
}

void H264Splitter::append_sets(const ParameterSet& sps, Bytes& out) const {
  const Bytes& bytes = sps.colored.empty() ? sps.bytes : sps.colored;
  out.insert(out.end(), bytes.begin(), bytes.end());
  for (const ParameterSet& pps : pps_)
    if (pps.sps == sps.id) out.insert(out.end(), pps.bytes.begin(), pps.bytes.end());
}

/// Whether the buffer is one access unit as Sealcam sends it.
bool H264Splitter::unchanged(ByteView buffer) const {
  if (changed_ || !carry_.empty() || groups_.size() != 1 || groups_.front().end != nals_.size()) return false;
  const Group& only = groups_.front();
  if (!check_access_unit(buffer)) return false;
  if (!only.keyframe) return true;
  const auto* const sps = sps_of(only.pps);
  return sps != nullptr && sps->colored.empty() && only.sets == sets_of(*sps);
}

std::size_t H264Splitter::max_size(ByteView buffer) const {
  std::size_t sets = 0;
  for (const auto* list : {&sps_, &pps_})
    for (const ParameterSet& set : *list) sets += std::max(set.bytes.size(), set.colored.size());
  // A start code of 3 bytes becomes one of 4.
  return buffer.size() + nals_.size() + carry_.size() + groups_.size() * sets;
}

Result<> H264Splitter::rebuild(const Group& group, bool first, Bytes& out) {
  const auto begin = out.size();
  const auto* const sps = sps_of(group.pps);
  if (group.keyframe && sps == nullptr) return fail(Errc::malformed, "key frame without SPS and PPS before it");
  if (group.keyframe) size_ = sps->fields.size;
  const auto units = std::span(nals_).subspan(group.begin, group.end - group.begin);
  const auto carried = first ? ByteView(carry_) : ByteView();
  const auto each = [&](auto&& use) {
    NalReader reader(carried);
    while (const auto unit = reader.next()) use(*unit);
    for (const NalUnit& unit : units) use(unit);
  };
  bool delimited = false;
  each([&](const NalUnit& unit) {
    if (unit.type() != NalType::access_unit_delimiter || std::exchange(delimited, true)) return;
    append(out, unit);
  });
  if (group.keyframe) append_sets(*sps, out);
  each([&](const NalUnit& unit) {
    const bool done = unit.type() == NalType::access_unit_delimiter || (group.keyframe && is_parameter_set(unit));
    if (!done) append(out, unit);
  });
  const auto whole = check_access_unit(ByteView(out).subspan(begin));
  if (!whole) return std::unexpected(whole.error());
  return {};
}

/// Keeps the units after the last slice for the next access unit.
void H264Splitter::keep_rest() {
  const auto begin = groups_.empty() ? 0 : groups_.back().end;
  for (const NalUnit& unit : std::span(nals_).subspan(begin)) {
    if (carry_.size() + long_start_code_size + unit.bytes.size() > max_carry) carry_.clear();
    if (long_start_code_size + unit.bytes.size() <= max_carry) append(carry_, unit);
  }
}

}  // namespace sealcam::hal
