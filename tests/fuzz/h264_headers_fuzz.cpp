// SPDX-License-Identifier: Apache-2.0
// Buffers of a sensor that encodes, one after the other: [length, 2 bytes][bytes] …
#include "hal/h264.hpp"
#include "hal/h264_headers.hpp"
#include "input.hpp"

using namespace sealcam;
using namespace sealcam::hal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  H264Headers headers;
  Bytes scratch;
  while (!input.empty()) {
    const std::size_t length = input.number<std::uint16_t>();
    const ByteView buffer = input.take(length);
    const auto unit = headers.complete(buffer, scratch);
    if (!unit) {
      SC_ASSERT(unit.error().code == Errc::malformed);
      SC_ASSERT(!check_access_unit(buffer));
      continue;
    }
    if (!*unit) continue;
    // What leaves is always one access unit that Sealcam sends, and delta frames are never touched.
    const auto info = check_access_unit((*unit)->bytes);
    SC_ASSERT(info && info->keyframe == (*unit)->keyframe);
    SC_ASSERT(fuzz::inside((*unit)->bytes, buffer) || (info->keyframe && fuzz::inside((*unit)->bytes, scratch)));
  }
  return 0;
}
