// SPDX-License-Identifier: Apache-2.0
#include "transport/publish_tap.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using sealcam::transport::PublishTap;

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

TEST_CASE("the flag of each message is found again, whatever the cut of the bytes") {
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
    PublishTap tap;
    for (std::size_t at = 0; at < stream.size(); at += cut)
      tap.feed(ByteView(stream).subspan(at, std::min(cut, stream.size() - at)));
    CHECK_FALSE(tap.take_retained("a/video"));
    CHECK(tap.take_retained("a/still"));  // messages with QoS 0 overtake those with QoS 1
    CHECK(tap.take_retained("a/roster"));
    CHECK_FALSE(tap.take_retained("a/roster"));
    CHECK_FALSE(tap.take_retained("a/roster"));
    CHECK_FALSE(tap.take_retained("a/nothing"));
  }
}

TEST_CASE("a new connection forgets what the old one left behind") {
  PublishTap tap;
  const auto whole = publish("a/roster", 10, true, 1);
  tap.feed(ByteView(whole).first(whole.size() - 3));
  tap.reset();
  tap.feed(publish("a/roster", 10, false, 1));
  CHECK_FALSE(tap.take_retained("a/roster"));
}

TEST_CASE("a topic that claims to be longer than its packet does not run into the next one") {
  PublishTap tap;
  auto bad = publish("a/roster", 0, true, 0);
  bad[2] = std::byte{0xff};
  tap.feed(bad);
  tap.feed(publish("a/still", 0, true, 0));
  CHECK(tap.take_retained("a/still"));
}

TEST_CASE("topics longer than any of ours are passed over, not kept") {
  const std::string longest(256, 'x'), too_long(257, 'x'), huge(60'000, 'x');
  PublishTap tap;
  for (const auto& topic : {huge, too_long, longest, std::string("a")}) tap.feed(publish(topic, 10, true, 0));
  CHECK_FALSE(tap.take_retained(huge));
  CHECK_FALSE(tap.take_retained(too_long));
  CHECK(tap.take_retained(longest));  // control
  CHECK(tap.take_retained("a"));      // what follows is found
}
