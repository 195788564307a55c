// SPDX-License-Identifier: Apache-2.0
/// The few facts about an H.264 byte stream (ITU-T H.264, Annex B) that Sealcam needs: where its NAL
/// units are and whether it is one decodable picture. No decoder. Every read is bounds-checked; any
/// bytes may be given. All functions are reentrant and allocate nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::hal {

/// nal_unit_type, table 7-1. Others occur; these have names.
enum class NalType : std::uint8_t {
  slice = 1,
  idr_slice = 5,
  sei = 6,
  sps = 7,
  pps = 8,
  access_unit_delimiter = 9,
  end_of_sequence = 10,
  end_of_stream = 11,
  filler = 12,
};

/// One NAL unit without start code and trailing zeros; never empty. Views the bytes it was read from.
struct NalUnit {
  ByteView bytes;
  [[nodiscard]] NalType type() const noexcept {
    return static_cast<NalType>(std::to_integer<unsigned>(bytes[0]) & 0x1f);
  }
};

/// Reads the NAL units of a byte stream one by one. Bytes before the first start code and empty units
/// are passed over; check_access_unit() refuses them. Views `stream`, which must outlive it.
class NalReader {
 public:
  explicit NalReader(ByteView stream) noexcept;
  /// The next unit, or nothing at the end.
  [[nodiscard]] std::optional<NalUnit> next() noexcept;

 private:
  ByteView rest_;  // after a start code, or empty
};

/// What one access unit holds.
struct AccessUnitInfo {
  bool keyframe = false;  ///< its slices are IDR; SPS and PPS stand before them
  int slices = 0;
  /// profile_idc, constraint flags, level_idc of the SPS: what "avc1.PPCCLL" is made of; key frames only.
  std::array<std::uint8_t, 3> profile_level{};
};

/// True when the stream has an IDR slice. Says nothing about the rest.
[[nodiscard]] bool is_keyframe(ByteView access_unit) noexcept;

/// Checks that the bytes are one access unit as Sealcam sends it: a start code first; at least one slice and
/// all of one kind; one picture (first_mb_in_slice is 0 exactly in the first slice); SPS and PPS before the slices of
/// an IDR picture; no units of other types than NalType's 1, 5 to 9 and 12. Costs one pass. Errors: malformed.
[[nodiscard]] Result<AccessUnitInfo> check_access_unit(ByteView access_unit) noexcept;

}  // namespace sealcam::hal
