// SPDX-License-Identifier: Apache-2.0
#include "transport/mqtt/publish_parser.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using sealcam::transport::PublishParser;

namespace {

/// MQTT 5 section 3.3: PUBLISH with QoS 0 or 1, no properties.
Bytes publish(std::string_view topic, std::size_t payload, bool retain, int qos) {
  Bytes out{static_cast<std::byte>(0x30 | qos << 1 | (retain ? 1 : 0))};
  std::size_t left = 2 + topic.size() + (qos > 0 ? 2 : 0) + 1 + payload;
  do {
    out.push_back(static_cast<std::byte>((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
    left >>= 7;
  } while (left > 0);
  out.push_back(static_cast<std::byte>(topic.size() >> 8));
  out.push_back(static_cast<std::byte>(topic.size() & 0xff));
  for (const char c : topic) out.push_back(static_cast<std::byte>(c));
  if (qos > 0) out.insert(out.end(), {std::byte{0}, std::byte{1}});
  out.push_back(std::byte{0});
  out.resize(out.size() + payload, std::byte{0x31});  // looks like another PUBLISH with RETAIN
  return out;
}

void append(Bytes& to, const Bytes& what) { to.insert(to.end(), what.begin(), what.end()); }

}  // namespace

TEST_CASE("the flag of each message is found for every split of the bytes") {
  const Bytes pingresp{std::byte{0xd0}, std::byte{0}},
      puback{std::byte{0x40}, std::byte{2}, std::byte{0}, std::byte{9}};
  Bytes stream;
  append(stream, publish("a/roster", 300, true, 1));
  append(stream, pingresp);
  append(stream, publish("a/video", 20'000, false, 0));
  append(stream, puback);
  append(stream, publish("a/roster", 0, false, 1));
  append(stream, publish("a/still", 0, true, 0));
  for (const std::size_t cut : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{4096}, stream.size()}) {
    PublishParser parser;
    for (std::size_t at = 0; at < stream.size(); at += cut)
      parser.feed(ByteView(stream).subspan(at, std::min(cut, stream.size() - at)));
    CHECK_FALSE(parser.take_retained("a/video"));
    CHECK(parser.take_retained("a/still"));  // messages with QoS 0 overtake those with QoS 1
    CHECK(parser.take_retained("a/roster"));
    CHECK_FALSE(parser.take_retained("a/roster"));
    CHECK_FALSE(parser.take_retained("a/roster"));
    CHECK_FALSE(parser.take_retained("a/nothing"));
  }
}

TEST_CASE("a new connection starts without the data of the old one") {
  PublishParser parser;
  const auto whole = publish("a/roster", 10, true, 1);
  parser.feed(ByteView(whole).first(whole.size() - 3));
  parser.reset();
  parser.feed(publish("a/roster", 10, false, 1));
  CHECK_FALSE(parser.take_retained("a/roster"));
}

TEST_CASE("a topic longer than its packet does not extend into the next packet") {
  PublishParser parser;
  auto bad = publish("a/roster", 0, true, 0);
  bad[2] = std::byte{0xff};
  parser.feed(bad);
  parser.feed(publish("a/still", 0, true, 0));
  CHECK(parser.take_retained("a/still"));
}

TEST_CASE("too long topics are skipped and not kept") {
  const std::string max_topic(256, 'x'), too_long(257, 'x'), huge(60'000, 'x');
  PublishParser parser;
  for (const auto& topic : {huge, too_long, max_topic, std::string("a")}) parser.feed(publish(topic, 10, true, 0));
  CHECK_FALSE(parser.take_retained(huge));
  CHECK_FALSE(parser.take_retained(too_long));
  CHECK(parser.take_retained(max_topic));  // control
  CHECK(parser.take_retained("a"));        // the next one is found
}
