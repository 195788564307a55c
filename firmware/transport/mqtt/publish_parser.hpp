// SPDX-License-Identifier: Apache-2.0
/// Reads the RETAIN flag of messages from the received bytes, because Boost.MQTT5 does not report it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sealcam::transport {

/// Parses the packets of one connection (MQTT 5 sections 2.1 and 3.3). Keeps topic and RETAIN flag of each PUBLISH
/// until it is delivered, and nothing of the payload. Thread-bound.
class PublishParser {
 public:
  /// Takes the next bytes, split anywhere. Bytes that are not MQTT are harmless; the client rejects them itself.
  void feed(ByteView bytes);
  /// Removes the oldest PUBLISH to this topic and returns its flag; false if there is none.
  [[nodiscard]] bool take_retained(std::string_view topic);
  /// Discards all data, for a new connection.
  void reset();

 private:
  /// The channel of the client drops the oldest message above this limit too.
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
