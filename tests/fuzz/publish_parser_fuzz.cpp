// SPDX-License-Identifier: Apache-2.0
// The parser of incoming MQTT packets. The first byte selects the size of the pieces, which must not change the result.
#include "input.hpp"
#include "transport/mqtt/publish_parser.hpp"

using namespace sealcam;
using transport::PublishParser;

namespace {

constexpr std::array<std::string_view, 4> topics{"a", "sealcam/1/a/b/video", "sealcam/1/a/b/still", ""};

/// Takes the stored flags of each topic, oldest first, until none is left.
std::string retained(PublishParser& parser) {
  std::string flags;
  for (const auto topic : topics)
    for (int i = 0; i < 8; ++i) flags += parser.take_retained(topic) ? '1' : '0';
  return flags;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const std::size_t piece = in.byte() + 1U;
  const auto bytes = in.rest();
  PublishParser whole, pieces;
  {
    // A packet has at least two bytes of header and one byte of topic. A deque allocates blocks.
    const fuzz::AllocationLimit limit(64 * bytes.size() + 4096);
    whole.feed(bytes);
  }
  for (fuzz::Input rest(data + (size == 0 ? 0 : 1), bytes.size()); !rest.empty();) pieces.feed(rest.take(piece));
  SC_ASSERT(retained(whole) == retained(pieces));
  whole.reset();
  SC_ASSERT(!retained(whole).contains('1'));
  return 0;
}
