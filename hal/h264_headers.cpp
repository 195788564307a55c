// SPDX-License-Identifier: Apache-2.0
#include "hal/h264_headers.hpp"

#include <array>
#include <utility>

#include "hal/h264.hpp"

namespace sealcam::hal {

namespace {

void append(Bytes& to, const NalUnit& unit) {
  constexpr std::array start_code = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
  to.insert(to.end(), start_code.begin(), start_code.end());
  to.insert(to.end(), unit.bytes.begin(), unit.bytes.end());
}

bool is_parameter_set(const NalUnit& unit) noexcept {
  return unit.type() == NalType::sps || unit.type() == NalType::pps;
}

/// Nothing but parameter sets and what may stand beside them, and at least one of them.
bool only_parameter_sets(ByteView buffer) noexcept {
  bool found = false;
  NalReader reader(buffer);
  while (const auto unit = reader.next()) {
    if (is_parameter_set(*unit)) found = true;
    else if (unit->type() != NalType::access_unit_delimiter && unit->type() != NalType::sei) return false;
  }
  return found;
}

}  // namespace

void H264Headers::keep(ByteView buffer) {
  bool new_sps = false, new_pps = false;
  NalReader reader(buffer);
  while (const auto unit = reader.next()) {
    if (!is_parameter_set(*unit)) continue;
    const bool sps = unit->type() == NalType::sps;
    Bytes& kept = sps ? sps_ : pps_;
    // All of one buffer belong together; the first one of a kind replaces those of earlier buffers.
    if (!std::exchange(sps ? new_sps : new_pps, true)) kept.clear();
    append(kept, *unit);
  }
}

Result<std::optional<H264Headers::Unit>> H264Headers::complete(ByteView buffer, Bytes& scratch) {
  const auto info = check_access_unit(buffer);
  if (info) {
    if (info->keyframe) keep(buffer);
    return Unit{buffer, info->keyframe};
  }
  if (only_parameter_sets(buffer)) {
    keep(buffer);
    return std::optional<Unit>();
  }
  if (!is_keyframe(buffer)) return std::unexpected(info.error());
  keep(buffer);
  scratch.clear();
  bool put = false;
  NalReader reader(buffer);
  while (const auto unit = reader.next()) {
    // A delimiter stays in front (clause 7.4.1.2.3); everything else comes behind the parameter sets.
    if (!put && unit->type() != NalType::access_unit_delimiter) {
      put = true;
      scratch.insert(scratch.end(), sps_.begin(), sps_.end());
      scratch.insert(scratch.end(), pps_.begin(), pps_.end());
    }
    if (!is_parameter_set(*unit)) append(scratch, *unit);
  }
  const auto whole = check_access_unit(scratch);
  if (!whole) return std::unexpected(whole.error());
  return Unit{scratch, true};
}

}  // namespace sealcam::hal
