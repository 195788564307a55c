// SPDX-License-Identifier: Apache-2.0
/// Streams written as letters: I is a key frame, P a delta.
#pragma once

#include <string>
#include <string_view>

#include "stream/access_unit_queue.hpp"

namespace sealcam::test {

/// Pushes one unit a letter, numbered from `first` on, filled with its own number.
inline void push_gop(stream::AccessUnitQueue& queue, std::string_view letters, std::uint32_t first = 0,
                     std::size_t size = 100, MonotonicTime captured = {std::chrono::hours(1)}) {
  for (const char letter : letters) {
    const Bytes unit(size, static_cast<std::byte>(first));
    stream::UnitInfo info;
    info.number = FrameNumber(first++);
    info.captured = captured;
    info.keyframe = letter == 'I';
    queue.push(unit, info);
  }
}

/// Takes all and writes them as letters and numbers: "I0 P1"; "!" marks a unit with wrong content.
inline std::string drain(stream::AccessUnitQueue& queue) {
  std::string text;
  while (const auto unit = queue.take()) {
    if (!text.empty()) text += ' ';
    text += unit->info.keyframe ? 'I' : 'P';
    text += std::to_string(unit->info.number.value());
    for (const std::byte b : unit->plaintext.subspan(protocol::frame_header_size))
      if (b != static_cast<std::byte>(unit->info.number.value())) {
        text += '!';
        break;
      }
    queue.release();
  }
  return text;
}

}  // namespace sealcam::test
