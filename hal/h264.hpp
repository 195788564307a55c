// SPDX-License-Identifier: Apache-2.0
/// Parses H.264 byte streams (ITU-T H.264, Annex B) as far as Sealcam needs it: NAL units, and whether the bytes are
/// one decodable picture. h264_splitter.hpp makes such pictures from the stream of a sensor. All functions accept any
/// bytes and are reentrant.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

/// nal_unit_type, table 7-1. Streams also have other types.
enum class NalType : std::uint8_t {
  slice = 1,
  partition_a = 2,
  partition_c = 4,
  idr_slice = 5,
  sei = 6,
  sps = 7,
  pps = 8,
  access_unit_delimiter = 9,
  end_of_sequence = 10,
  end_of_stream = 11,
  filler = 12,
};

/// One NAL unit without start code and trailing zeros; never empty. A view of the stream.
struct NalUnit {
  ByteView bytes;
  [[nodiscard]] NalType type() const noexcept {
    return static_cast<NalType>(std::to_integer<unsigned>(bytes[0]) & 0x1f);
  }
};

/// Reads the NAL units of a byte stream one by one. It skips empty units and bytes before the first start code, which
/// check_access_unit() rejects. `stream` must outlive it.
class NalReader {
 public:
  explicit NalReader(ByteView stream) noexcept;
  /// Returns the next unit, or nothing at the end.
  [[nodiscard]] std::optional<NalUnit> next() noexcept;

 private:
  ByteView rest_;  // after a start code, or empty
};

/// The content of one access unit.
struct AccessUnitInfo {
  bool keyframe = false;  ///< its slices are IDR, and SPS and PPS precede them
  int slices = 0;
  /// profile_idc, constraint flags and level_idc of the SPS, for "avc1.PPCCLL"; only in key frames.
  std::array<std::uint8_t, 3> profile_level{};
};

/// Whether the stream has an IDR slice. Checks nothing else.
[[nodiscard]] bool is_keyframe(ByteView access_unit) noexcept;

/// Checks that the bytes are one access unit as Sealcam sends it. It starts with a start code. It has at least one
/// slice, and all slices are of one kind and of one picture (first_mb_in_slice is 0 only in the first slice). SPS and
/// PPS precede the slices of an IDR picture. All units have the types 1, 5 to 9 or 12. Allocates nothing. Errors:
/// malformed.
[[nodiscard]] Result<AccessUnitInfo> check_access_unit(ByteView access_unit) noexcept;

/// Fields of a sequence parameter set (clause 7.3.2.1.1).
struct SpsFields {
  std::uint32_t id = 0;
  Size size;  ///< after cropping
  int frame_num_bits = 4;
  bool frames_only = true;  ///< frame_mbs_only_flag
  bool separate_planes = false;
  std::size_t vui = 0;  ///< bits between the header byte and vui_parameters_present_flag
};
/// Errors: malformed.
[[nodiscard]] Result<SpsFields> read_sps(const NalUnit& sps) noexcept;

/// Fields of a picture parameter set (clause 7.3.2.2).
struct PpsFields {
  std::uint32_t id = 0;
  std::uint32_t sps = 0;  ///< id of its sequence parameter set
};
/// Errors: malformed.
[[nodiscard]] Result<PpsFields> read_pps(const NalUnit& pps) noexcept;

/// Fields of a slice header (clause 7.3.3).
struct SliceFields {
  bool first = false;          ///< first_mb_in_slice is 0
  bool bidirectional = false;  ///< a B slice
  std::uint32_t pps = 0;       ///< id of its picture parameter set
};
/// Errors: malformed.
[[nodiscard]] Result<SliceFields> read_slice(const NalUnit& slice) noexcept;
/// Whether the slice belongs to a field instead of a frame (field_pic_flag). `sps`: of the slice.
[[nodiscard]] bool is_field(const NalUnit& slice, const SpsFields& sps) noexcept;

/// Width and height after cropping, from a sequence parameter set. Errors: malformed.
[[nodiscard]] Result<Size> sps_size(const NalUnit& sps) noexcept;

/// The colors in a sequence parameter set (clause E.2.1), or nothing if it has none. Each field may be unspecified.
[[nodiscard]] std::optional<Colors> sps_colors(const NalUnit& sps) noexcept;

/// Appends a start code and the sequence parameter set with these colors. A malformed one is not changed.
void append_with_colors(Bytes& to, const NalUnit& sps, Colors colors);

/// Whether the bytes are the picture that a signed header describes: check_access_unit() accepts them, a `key` is an
/// IDR picture, the size is valid, and each SPS has this size, or this size in whole macroblocks. Allocates nothing.
[[nodiscard]] bool is_picture(ByteView access_unit, int width, int height, bool key) noexcept;

/// Appends a start code and the unit.
void append(Bytes& to, const NalUnit& unit);

}  // namespace sealcam::hal
