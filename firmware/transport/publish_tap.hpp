// SPDX-License-Identifier: Apache-2.0
/// Boost.MQTT5 hands out messages without their RETAIN flag. This reads it from the bytes on their way in.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sealcam::transport {

/// Follows the packets of one connection from a broker (MQTT 5 sections 2.1 and 3.3) and remembers topic and RETAIN
/// flag of each PUBLISH until it is delivered. Keeps nothing of the payload. Thread-bound.
class PublishTap {
 public:
  /// The next bytes, in any cut. Bytes that are no MQTT are followed without harm; the client refuses them itself.
  void feed(ByteView bytes);
  /// The flag of the oldest PUBLISH to this topic that was not asked for yet; false when there is none.
  [[nodiscard]] bool take_retained(std::string_view topic);
  /// A new connection begins.
  void reset();

 private:
  /// More are not waiting in the client either: its channel drops the oldest above this.
  static constexpr std::size_t limit = 65'535;
  enum class Part { first_byte, length, topic_length, topic, rest };
  struct Seen {
    std::string topic;
    bool retained;
  };
  void next_packet();
  void byte(std::uint8_t value);

  Part part_ = Part::first_byte;
  bool publish_ = false;
  bool retained_ = false;
  unsigned shift_ = 0;
  std::uint32_t remaining_ = 0;
  std::uint32_t topic_left_ = 0;
  std::string topic_;
  std::deque<Seen> seen_;
};

}  // namespace sealcam::transport
