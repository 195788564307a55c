// SPDX-License-Identifier: Apache-2.0
/// Parses H.264 byte streams (ITU-T H.264, Annex B) as far as Sealcam needs it: NAL units, whether the bytes are one
/// decodable picture, and the access units in the buffers of a sensor that encodes (clauses 7.4.1.2 and B.1). All
/// functions accept any bytes and are reentrant.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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

/// Follows the rules for decoders. It ignores NAL units of reserved, unspecified and auxiliary types, those of
/// extensions (SVC, MVC, 3D), fillers and ends of sequences. It accepts zeros around start codes, several pictures in
/// one buffer, and 4-byte lengths instead of start codes. Units after the last slice belong to the next access unit.
/// Each key frame gets its parameter sets, because some devices send them once. Parameter sets that do not describe the
/// colors get those of the driver.
///
/// A buffer ends with a whole picture. In steady state it allocates nothing. Thread-bound.
class H264Splitter {
 public:
  struct Unit {
    ByteView bytes;  ///< accepted by check_access_unit(); a view of the buffer or of `scratch`
    bool keyframe = false;
    Size size;  ///< from the parameter set of the last key frame; 0x0 before it
  };
  /// Of the driver. Without a call, parameter sets keep their colors.
  void set_colors(const Colors& colors) noexcept { colors_ = colors; }
  /// Returns the access units of one buffer, in decoding order; none if the buffer has no slice. Valid until the next
  /// call. `scratch` receives changed units. Errors: malformed (skip this buffer); unsupported (a stream that Sealcam
  /// cannot send: B slices, fields, data partitions).
  [[nodiscard]] Result<std::span<const Unit>> split(ByteView buffer, Bytes& scratch);

 private:
  enum class Framing : std::uint8_t { unknown, start_codes, lengths };
  struct ParameterSet {
    std::uint32_t id = 0;
    std::uint32_t sps = 0;  // of a PPS: id of its SPS
    SpsFields fields{};     // of an SPS
    Bytes bytes{};          // with a start code
    Bytes colored{};        // an SPS with the driver's colors, or empty
  };
  /// The units nals_[begin, end) of one picture.
  struct Group {
    std::size_t begin = 0, end = 0;
    std::uint32_t pps = 0;
    std::size_t sets = 0;  // parameter sets in the group
    int slices = 0;
    bool keyframe = false;
    bool closed = false;  // units for the next access unit followed the slices
  };

  Result<> read_buffer(ByteView buffer);
  Result<> read_units(ByteView buffer, Framing framing);
  Result<> take(const NalUnit& unit);
  Result<> take_slice(const NalUnit& unit);
  static Result<ParameterSet> parse_set(const NalUnit& unit);
  void remember(const NalUnit& unit);
  [[nodiscard]] bool unchanged(ByteView buffer) const;
  [[nodiscard]] std::size_t max_size(ByteView buffer) const;
  Result<> rebuild(const Group& group, bool first, Bytes& out);
  void append_sets(const ParameterSet& sps, Bytes& out) const;
  [[nodiscard]] const ParameterSet* sps_of(std::uint32_t pps) const noexcept;
  [[nodiscard]] std::size_t sets_of(const ParameterSet& sps) const noexcept;
  void keep_rest();

  std::optional<Colors> colors_;
  Framing framing_ = Framing::unknown;
  std::vector<ParameterSet> sps_, pps_;
  Bytes carry_;  // units for the next access unit, with start codes
  Size size_;
  // Of the current buffer.
  std::vector<NalUnit> nals_;
  std::vector<Group> groups_;
  std::vector<Unit> units_;
  bool changed_ = false;  // units were dropped, or lengths replaced
};

}  // namespace sealcam::hal
