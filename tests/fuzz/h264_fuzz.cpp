// SPDX-License-Identifier: Apache-2.0
// The NAL reader for Annex B, and the check of an access unit.
#include "hal/h264.hpp"
#include "input.hpp"

using namespace sealcam;
using namespace sealcam::hal;

namespace {

/// The units are consecutive parts of the stream. A start code precedes each unit, and no unit contains one.
std::size_t check_units(ByteView stream) {
  NalReader reader(stream);
  const std::byte* end = stream.data();
  std::size_t units = 0;
  while (const auto unit = reader.next()) {
    ++units;
    SC_ASSERT(!unit->bytes.empty() && fuzz::inside(unit->bytes, stream));
    SC_ASSERT(unit->bytes.data() >= end + 3 && unit->bytes.back() != std::byte{0});
    const std::array start_code{std::byte{0}, std::byte{0}, std::byte{1}};
    SC_ASSERT(equal(ByteView(unit->bytes.data() - 3, 3), start_code));
    SC_ASSERT(std::ranges::search(unit->bytes, start_code).empty());
    end = unit->bytes.data() + unit->bytes.size();
  }
  return units;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto stream = fuzz::Input(data, size).rest();
  const fuzz::AllocationLimit nothing(0);
  const auto units = check_units(stream);
  if (!stream.empty())
    if (const auto parsed = sps_size({stream})) SC_ASSERT(parsed->width > 0 && parsed->height > 0);
  const auto info = check_access_unit(stream);
  SC_ASSERT(info || !is_picture(stream, 320, 240, false));
  if (!info) {
    SC_ASSERT(info.error().code == Errc::malformed);
    return 0;
  }
  SC_ASSERT(info->slices > 0 && static_cast<std::size_t>(info->slices) <= units);
  SC_ASSERT(info->keyframe == is_keyframe(stream));
  if (info->keyframe) SC_ASSERT(units >= 3);
  return 0;
}
