// SPDX-License-Identifier: Apache-2.0
#include "hal/h264.hpp"

#include <cstring>

namespace sealcam::hal {

namespace {

constexpr std::size_t start_code_size = 3;

/// Offset of the next 00 00 01 at or after `from`, or the size when there is none. Searches the 1
/// with memchr, because it is rare. This is several times faster than a search for the zeros.
std::size_t find_start_code(ByteView s, std::size_t from) noexcept {
  std::size_t at = from + 2;
  while (at < s.size()) {
    const void* hit = std::memchr(s.data() + at, 1, s.size() - at);
    if (hit == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::byte*>(hit) - s.data());
    if (s[at - 1] == std::byte{0} && s[at - 2] == std::byte{0}) return at - 2;
    ++at;
  }
  return s.size();
}

ByteView without_trailing_zeros(ByteView s) noexcept {
  while (!s.empty() && s.back() == std::byte{0}) s = s.first(s.size() - 1);
  return s;
}

/// A start code is two or three zeros and a 1 (clause B.1).
bool begins_with_start_code(ByteView s) noexcept {
  std::size_t zeros = 0;
  while (zeros < s.size() && s[zeros] == std::byte{0}) ++zeros;
  return zeros >= 2 && zeros <= 3 && zeros < s.size() && s[zeros] == std::byte{1};
}

/// The units of an access unit that were parsed so far.
struct State {
  AccessUnitInfo info;
  bool sps = false;
  bool pps = false;
};

Result<> take_slice(State& state, const NalUnit& unit) noexcept {
  const bool idr = unit.type() == NalType::idr_slice;
  if (unit.bytes.size() < 2) return fail(Errc::malformed, "slice without content");
  // first_mb_in_slice is ue(v): a leading 1 bit is the value 0 (clause 9.1).
  const bool first = (unit.bytes[1] & std::byte{0x80}) != std::byte{0};
  if (first != (state.info.slices == 0)) return fail(Errc::malformed, "not exactly one picture");
  if (state.info.slices > 0 && idr != state.info.keyframe) return fail(Errc::malformed, "slices of two kinds");
  if (idr && !(state.sps && state.pps)) return fail(Errc::malformed, "key frame without SPS and PPS before it");
  state.info.keyframe = idr;
  ++state.info.slices;
  return {};
}

Result<> take_unit(State& state, const NalUnit& unit) noexcept {
  if ((unit.bytes[0] & std::byte{0x80}) != std::byte{0}) return fail(Errc::malformed, "forbidden bit in a NAL unit");
  const bool before_slices = state.info.slices == 0;
  switch (unit.type()) {
    case NalType::slice:
    case NalType::idr_slice: return take_slice(state, unit);
    case NalType::sps:
      if (!before_slices || unit.bytes.size() < 4) return fail(Errc::malformed, "SPS");
      for (std::size_t i = 0; i < 3; ++i)
        state.info.profile_level[i] = std::to_integer<std::uint8_t>(unit.bytes[1 + i]);
      state.sps = true;
      return {};
    case NalType::pps:
      if (!before_slices) return fail(Errc::malformed, "PPS");
      state.pps = state.sps;
      return {};
    case NalType::sei:
    case NalType::access_unit_delimiter:
      if (!before_slices) return fail(Errc::malformed, "a second access unit begins");
      return {};
    case NalType::filler: return {};
    default: return fail(Errc::malformed, "NAL unit type");
  }
}

}  // namespace

NalReader::NalReader(ByteView stream) noexcept {
  const std::size_t at = find_start_code(stream, 0);
  rest_ = at == stream.size() ? ByteView() : stream.subspan(at + start_code_size);
}

std::optional<NalUnit> NalReader::next() noexcept {
  while (!rest_.empty()) {
    const std::size_t end = find_start_code(rest_, 0);
    const ByteView unit = without_trailing_zeros(rest_.first(end));
    rest_ = end == rest_.size() ? ByteView() : rest_.subspan(end + start_code_size);
    if (!unit.empty()) return NalUnit{unit};
  }
  return std::nullopt;
}

bool is_keyframe(ByteView access_unit) noexcept {
  NalReader reader(access_unit);
  while (const auto unit = reader.next()) {
    if (unit->type() == NalType::idr_slice) return true;
    if (unit->type() == NalType::slice) return false;
  }
  return false;
}

Result<AccessUnitInfo> check_access_unit(ByteView access_unit) noexcept {
  if (!begins_with_start_code(access_unit)) return fail(Errc::malformed, "no start code");
  State state;
  NalReader reader(access_unit);
  while (const auto unit = reader.next()) {
    const auto taken = take_unit(state, *unit);
    if (!taken) return std::unexpected(taken.error());
  }
  if (state.info.slices == 0) return fail(Errc::malformed, "no slice");
  return state.info;
}

void append(Bytes& to, const NalUnit& unit) {
  constexpr std::array start_code = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
  to.insert(to.end(), start_code.begin(), start_code.end());
  to.insert(to.end(), unit.bytes.begin(), unit.bytes.end());
}

}  // namespace sealcam::hal
