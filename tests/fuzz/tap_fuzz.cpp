// SPDX-License-Identifier: Apache-2.0
// The tap on MQTT packets. The first byte says in what pieces they come: that must make no difference.
#include "input.hpp"
#include "transport/publish_tap.hpp"

using namespace sealcam;
using transport::PublishTap;

namespace {

constexpr std::array<std::string_view, 4> topics{"a", "sealcam/1/a/b/video", "sealcam/1/a/b/still", ""};

/// What is remembered of each topic, oldest first, until nothing is.
std::string retained(PublishTap& tap) {
  std::string flags;
  for (const auto topic : topics)
    for (int i = 0; i < 8; ++i) flags += tap.take_retained(topic) ? '1' : '0';
  return flags;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const std::size_t piece = in.byte() + 1U;
  const auto bytes = in.rest();
  PublishTap whole, pieces;
  {
    // At most one entry for each two bytes of head and one of topic, in blocks of a deque.
    const fuzz::AllocationLimit limit(64 * bytes.size() + 4096);
    whole.feed(bytes);
  }
  for (fuzz::Input rest(data + (size == 0 ? 0 : 1), bytes.size()); !rest.empty();) pieces.feed(rest.take(piece));
  SC_ASSERT(retained(whole) == retained(pieces));
  whole.reset();
  SC_ASSERT(!retained(whole).contains('1'));
  return 0;
}
