// SPDX-License-Identifier: Apache-2.0
/// Makes access units from the buffers of a sensor that encodes (ITU-T H.264, clauses 7.4.1.2 and B.1).
#pragma once

#include <span>
#include <vector>

#include "hal/h264.hpp"

namespace sealcam::hal {

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
