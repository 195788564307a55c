// SPDX-License-Identifier: Apache-2.0
// The parts of the web server without a network: access rules, queues, messages.
#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "hub/app.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/routes.hpp"
#include "hub/web/web_session.hpp"

using namespace sealcam;
using namespace sealcam::hub;
using namespace sealcam::hub::web;
using namespace std::chrono_literals;

namespace {

DeviceId camera_id(unsigned char n) {
  std::array<std::byte, 20> bytes{};
  bytes[19] = std::byte{n};
  return DeviceId(bytes);
}

QueuedPicture picture(const DeviceId& camera, protocol::FrameKind kind, std::uint32_t number, std::size_t size = 100) {
  watch::PictureInfo info;
  info.kind = kind;
  info.header.number = FrameNumber(number);
  return {camera, info, std::make_shared<const Bytes>(size), false};
}

constexpr auto key = protocol::FrameKind::key;
constexpr auto delta = protocol::FrameKind::delta;

std::vector<std::uint32_t> drain(ClientQueue& queue) {
  std::vector<std::uint32_t> numbers;
  while (auto out = queue.pop())
    if (out->picture) numbers.push_back(out->picture->picture.header.number.value());
  return numbers;
}

}  // namespace

TEST_CASE("only names of this machine are allowed hosts") {
  for (const auto* good :
       {"localhost", "LOCALHOST:8420", "localhost.", "localhost.:8420", "127.0.0.1", "127.0.0.1:1", "[::1]:8420"})
    CHECK(host_allowed(good));
  for (const auto* bad : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2",
                          "localhost:", "localhost..", "localhost..:80", "127.0.0.1.", "localhost:80x",
                          "localhost:123456", "::1", "evil@localhost"})
    CHECK_FALSE(host_allowed(bad));
}

TEST_CASE("the origins of other pages are rejected, also those of other ports") {
  CHECK(origin_allowed("", "localhost:8420"));
  CHECK(origin_allowed("http://localhost:8420", "localhost:8420"));
  for (const auto* bad : {"null", "http://", "http://evil.example", "http://localhost:3000", "https://localhost:8420",
                          "http://127.0.0.1:8420", "http://localhost:8420.evil.example"})
    CHECK_FALSE(origin_allowed(bad, "localhost:8420"));
}

TEST_CASE("a hub listens only on loopback addresses") {
  CHECK(parse_listen("127.0.0.1:8420")->port == 8420);
  CHECK(parse_listen("[::1]:0")->host == "::1");
  for (const auto* bad : {"0.0.0.0:80", "192.168.1.2:80", "[::]:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                          "localhost:1", "127.evil:1", ""})
    CHECK_FALSE(parse_listen(bad));
}

TEST_CASE("the picture header has its fields at the documented offsets") {
  auto p = picture(camera_id(7), key, 0x01020304).picture;
  p.state = watch::CameraState::live;
  p.age = 300ms;
  p.handed_out = BootTime{10s};
  p.header.captured = CaptureTime{5us};
  p.header.width = 1920;
  p.header.height = 1080;
  p.header.age = 12ms;
  p.epoch = protocol::Epoch(0x1122334455667788);
  p.counter = protocol::Counter(9);
  const auto h = make_picture_header(camera_id(7), p, true, BootTime{10s + 50ms}, CaptureTime{77us});
  CHECK(to_hex(h) ==
        "0101010d"
        "0000000000000000000000000000000000000007"
        "01020304"
        "0000000000000005"
        "0000015e"
        "1122334455667788"
        "0000000000000009"
        "000000000000004d"
        "0780"
        "0438"
        "0000000c"
        "00000000009959d0");  // 10.05 s
}

TEST_CASE("a picture that becomes STALE in the queue is not sent as LIVE") {
  auto p = picture(camera_id(7), delta, 1).picture;
  p.state = watch::CameraState::live;
  p.age = 300ms;
  p.handed_out = BootTime{10s};
  CHECK(make_picture_header(camera_id(7), p, false, BootTime{14700ms}, {})[2] == std::byte{1});
  CHECK(make_picture_header(camera_id(7), p, false, BootTime{14701ms}, {})[2] == std::byte{2});
  p.age.reset();
  const auto unknown = make_picture_header(camera_id(7), p, false, BootTime{10s}, {});
  CHECK(unknown[2] == std::byte{2});
  CHECK(load_be<std::uint32_t>(ByteView(unknown).subspan(36)) == 0xffffffff);
}

TEST_CASE("a client starts at a key frame and receives only cameras that it watches") {
  ClientQueue queue;
  queue.push(picture(camera_id(1), key, 1));
  CHECK(queue.watch(false, {camera_id(1)}, {camera_id(1), camera_id(2)}) == std::set{camera_id(1)});
  queue.push(picture(camera_id(1), delta, 2));
  queue.push(picture(camera_id(2), key, 3));
  queue.push(picture(camera_id(1), key, 4));
  queue.push(picture(camera_id(1), delta, 5));
  CHECK(drain(queue) == std::vector<std::uint32_t>{4, 5});
  CHECK(queue.watch(true, {}, {camera_id(1), camera_id(2)}) == std::set{camera_id(2)});
  queue.push(picture(camera_id(1), delta, 6));
  CHECK(drain(queue) == std::vector<std::uint32_t>{6});
  queue.out_of_step(camera_id(1));
  queue.push(picture(camera_id(1), delta, 7));
  CHECK(drain(queue).empty());
}

TEST_CASE("a slow client loses whole groups, continues at a key frame, and needs limited memory") {
  ClientQueue queue;
  (void)queue.watch(true, {}, {});
  const auto a = camera_id(1), b = camera_id(2);
  queue.push(picture(b, key, 1000));
  queue.push(picture(a, key, 0));
  for (std::uint32_t i = 1; i < 400; ++i) queue.push(picture(a, i % 100 == 0 ? key : delta, i));
  CHECK(queue.pictures() <= ClientQueue::max_pictures);
  const auto left = drain(queue);
  REQUIRE(left.size() > 2);
  CHECK(left.front() == 1000);  // the other camera lost nothing
  CHECK(left[1] % 100 == 0);
  for (std::size_t i = 2; i < left.size(); ++i) CHECK((left[i] == left[i - 1] + 1 || left[i] % 100 == 0));
  CHECK(left.back() == 399);
  CHECK(queue.dropped() == 401 - left.size());

  for (std::uint32_t i = 0; i < 40; ++i) queue.push(picture(a, key, i, 1 << 20));
  CHECK(queue.pictures() <= 8);
}

TEST_CASE("a camera with large pictures does not cost another camera its pictures") {
  ClientQueue queue;
  (void)queue.watch(true, {}, {});
  const auto honest = camera_id(1), hostile = camera_id(2);
  queue.push(picture(honest, key, 1));
  for (std::uint32_t i = 2; i < 60; ++i) {
    queue.push(picture(hostile, i % 7 == 2 ? key : delta, 1000 + i, (1 << 20) - 100));
    queue.push(picture(honest, delta, i));
  }
  auto numbers = drain(queue);
  std::erase_if(numbers, [](std::uint32_t number) { return number >= 1000; });
  REQUIRE(numbers.size() == 59);  // no message of the other camera was dropped
  CHECK(queue.dropped() > 0);     // control: the queue was full
}

TEST_CASE("a new state replaces a queued one") {
  ClientQueue queue;
  queue.push_state("one");
  queue.push_hello("hello");
  queue.push_state("two");
  CHECK(queue.pop()->text == "hello");
  CHECK(queue.pop()->text == "two");
  CHECK_FALSE(queue.pop());
}

TEST_CASE("watch requests are parsed strictly") {
  CHECK(std::get<WatchRequest>(*parse_client_request(R"({"watch":"all"})")).all);
  CHECK(std::get<WatchRequest>(*parse_client_request(R"({"watch":[]})")).cameras.empty());
  const auto one = parse_client_request(R"({"watch":[")" + camera_id(3).to_string() + R"("]})");
  REQUIRE(one);
  CHECK(std::get<WatchRequest>(*one).cameras == std::set{camera_id(3)});
  for (const auto* bad : {"", "{", "[]", "{}", R"({"watch":1})", R"({"watch":"some"})", R"({"watch":["x"]})",
                          R"({"watch":[1]})", R"({"watch":[[]]})", R"({"watch":"all","more":1})", "\xff"})
    CHECK_FALSE(parse_client_request(bad));
  CHECK_FALSE(parse_client_request(std::string(10000, '[')));
  for (const std::string_view more :
       {std::string_view("\0", 1), std::string_view("\0{}", 3), std::string_view("\0 more", 6)})
    CHECK_FALSE(parse_client_request(R"({"watch":"all"})" + std::string(more)));
  CHECK_FALSE(parse_client_request(R"({"watch":"all","watch":[]})"));
  CHECK_FALSE(parse_client_request(R"({"watch":[[[1]]]})"));
  CHECK_FALSE(parse_client_request(std::string(100000, ' ')));
}

TEST_CASE("pings are parsed strictly, and the pong has the time of the clock that continues during sleep") {
  const auto ping = parse_client_request(R"({"ping":9007199254740991})");
  REQUIRE(ping);
  CHECK(std::get<PingRequest>(*ping).number == 9'007'199'254'740'991);
  for (const auto* bad : {R"({"ping":-1})", R"({"ping":1.5})", R"({"ping":"1"})", R"({"ping":null})", R"({"ping":[1]})",
                          R"({"ping":1,"watch":"all"})", R"({"ping":1,"more":1})"})
    CHECK_FALSE(parse_client_request(bad));
  CHECK(pong_message({7}, BootTime{10s + 1999ns}) == R"({"boot_us":10000001,"ping":7,"type":"pong"})");
}

TEST_CASE("privacy requests are parsed strictly") {
  const auto id = camera_id(3).to_string();
  const auto good = parse_client_request(R"({"privacy":")" + id + R"(","on":true})");
  REQUIRE(good);
  REQUIRE(std::holds_alternative<PrivacyRequest>(*good));
  CHECK(std::get<PrivacyRequest>(*good).camera == camera_id(3));
  CHECK(std::get<PrivacyRequest>(*good).on);
  CHECK_FALSE(std::get<PrivacyRequest>(*parse_client_request(R"({"on":false,"privacy":")" + id + R"("})")).on);
  CHECK(std::holds_alternative<WatchRequest>(*parse_client_request(R"({"watch":"all"})")));
  const std::string start = R"({"privacy":")" + id + "\"";
  for (const auto& bad :
       {start + "}", start + R"(,"on":1})", start + R"(,"on":"true"})", start + R"(,"on":true,"more":1})",
        start + R"(,"watch":"all"})", std::string(R"({"privacy":"x","on":true})"),
        std::string(R"({"privacy":["x"],"on":true})"), std::string(R"({"on":true})")})
    CHECK_FALSE(parse_client_request(bad));
  CHECK_FALSE(parse_client_request(std::string(100000, ' ')));
}

TEST_CASE("the queued pictures of a blocked camera are dropped, those of others stay") {
  ClientQueue queue;
  (void)queue.watch(true, {}, {});
  queue.push(picture(camera_id(1), key, 1));
  queue.push(picture(camera_id(2), key, 2));
  queue.push(picture(camera_id(1), delta, 3));
  queue.withdraw(camera_id(1));
  queue.push(picture(camera_id(1), delta, 4));
  CHECK(drain(queue) == std::vector<std::uint32_t>{2});
  CHECK(queue.dropped() == 0);
}
