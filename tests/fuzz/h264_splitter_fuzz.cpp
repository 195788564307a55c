// SPDX-License-Identifier: Apache-2.0
// Consecutive buffers of a sensor that encodes: [length, 2 bytes][bytes] … The same bytes as a JPEG picture. The first
// byte decides whether the driver describes the colors; then three bytes with the colors follow.
#include <optional>

#include "hal/h264.hpp"
#include "hal/picture.hpp"
#include "input.hpp"

using namespace sealcam;
using namespace sealcam::hal;

namespace {

void check_jpeg(ByteView buffer) {
  const fuzz::AllocationLimit nothing(0);
  Picture picture;
  picture.size = {640, 360};
  picture.planes[0] = {buffer.data(), buffer.size()};
  const auto adopted = adopt_jpeg(picture);
  if (!adopted) return;
  SC_ASSERT(is_valid(picture.size));
  SC_ASSERT(fuzz::inside({picture.planes[0].data, picture.planes[0].stride}, buffer));
}

/// The colors of the driver, if it describes any.
std::optional<Colors> read_colors(fuzz::Input& input) {
  const auto choice = input.byte();
  if ((choice & 1U) == 0) return std::nullopt;
  Colors colors;
  colors.primaries = input.byte();
  colors.transfer = input.byte();
  colors.matrix = input.byte();
  colors.full_range = (choice & 2U) != 0;
  return colors;
}

/// Each parameter set that can be read has a matrix if the driver has one.
void check_colors(ByteView unit, const Colors& driver) {
  NalReader reader(unit);
  while (const auto nal = reader.next()) {
    if (nal->type() != NalType::sps) continue;
    const auto colors = sps_colors(*nal);
    SC_ASSERT(!colors || colors->matrix != Colors::unspecified || driver.matrix == Colors::unspecified);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  H264Splitter splitter;
  const auto colors = read_colors(input);
  if (colors) splitter.set_colors(*colors);
  Bytes scratch;
  while (!input.empty()) {
    const std::size_t length = input.number<std::uint16_t>();
    const ByteView buffer = input.take(length);
    check_jpeg(buffer);
    const auto units = splitter.split(buffer, scratch);
    if (!units) {
      SC_ASSERT(units.error().code == Errc::malformed || units.error().code == Errc::unsupported);
      continue;
    }
    // Each output is one valid access unit, in the buffer or in `scratch`.
    for (const auto& unit : *units) {
      const auto info = check_access_unit(unit.bytes);
      SC_ASSERT(info && info->keyframe == unit.keyframe);
      SC_ASSERT(fuzz::inside(unit.bytes, buffer) || fuzz::inside(unit.bytes, scratch));
      if (unit.keyframe) SC_ASSERT(unit.size != Size());
      if (unit.keyframe && colors) check_colors(unit.bytes, *colors);
    }
  }
  return 0;
}
