// SPDX-License-Identifier: Apache-2.0
#include "transport/mqtt/publish_parser.hpp"

#include <algorithm>

namespace sealcam::transport {

/// Topics of Sealcam have at most 112 bytes. Without this limit, a broker could make the parser keep 64 KiB for each
/// undelivered message.
static constexpr std::uint32_t max_topic = 256;

void PublishParser::reset() {
  next_packet();
  seen_.clear();
}

void PublishParser::next_packet() {
  part_ = Part::first_byte;
  shift_ = 0;
  remaining_ = 0;
  topic_.clear();
}

void PublishParser::feed(ByteView bytes) {
  while (!bytes.empty()) {
    if (part_ == Part::rest) {
      const auto n = std::min<std::size_t>(bytes.size(), remaining_);
      remaining_ -= static_cast<std::uint32_t>(n);
      bytes = bytes.subspan(n);
      if (remaining_ == 0) next_packet();
      continue;
    }
    byte(std::to_integer<std::uint8_t>(bytes.front()));
    bytes = bytes.subspan(1);
  }
}

void PublishParser::byte(std::uint8_t value) {
  switch (part_) {
    case Part::first_byte:
      publish_ = (value & 0xf0) == 0x30;
      retained_ = (value & 0x01) != 0;
      part_ = Part::length;
      return;
    case Part::length:
      remaining_ |= static_cast<std::uint32_t>(value & 0x7f) << shift_;
      shift_ += 7;
      if ((value & 0x80) != 0 && shift_ < 28) return;
      if (remaining_ == 0) return next_packet();
      part_ = publish_ ? Part::topic_length : Part::rest;
      shift_ = 0;
      topic_left_ = 0;
      return;
    case Part::topic_length:
      topic_left_ = topic_left_ << 8 | value;
      --remaining_;
      if (++shift_ < 2) break;
      part_ = topic_left_ > 0 && topic_left_ <= std::min(remaining_, max_topic) ? Part::topic : Part::rest;
      break;
    case Part::topic:
      topic_.push_back(static_cast<char>(value));
      --remaining_;
      if (--topic_left_ == 0) {
        if (seen_.size() == limit) seen_.pop_front();
        seen_.push_back({std::move(topic_), retained_});
        part_ = Part::rest;
      }
      break;
    case Part::rest: break;
  }
  if (remaining_ == 0) next_packet();
}

bool PublishParser::take_retained(std::string_view topic) {
  const auto found = std::ranges::find(seen_, topic, &Seen::topic);
  if (found == seen_.end()) return false;
  const bool retained = found->retained;
  seen_.erase(found);
  return retained;
}

}  // namespace sealcam::transport
