// SPDX-License-Identifier: Apache-2.0
// The parts of the page's server that need no network.
#include <catch2/catch_test_macros.hpp>

#include "hub/settings.hpp"
#include "hub/web/client_queue.hpp"
#include "hub/web/guard.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/picture_message.hpp"

using namespace sealcam;
using namespace sealcam::hub;
using namespace sealcam::hub::web;
using namespace std::chrono_literals;

namespace {

DeviceId device(unsigned char n) {
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

TEST_CASE("only this machine's own names are hosts") {
  for (const auto* good : {"localhost", "LOCALHOST:8420", "127.0.0.1", "127.0.0.1:1", "[::1]:8420"})
    CHECK(host_allowed(good));
  for (const auto* bad : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2",
                          "localhost:", "localhost:80x", "localhost:123456", "::1", "evil@localhost"})
    CHECK_FALSE(host_allowed(bad));
}

TEST_CASE("scripts of other pages are refused, also those of other ports here") {
  CHECK(origin_allowed("", "localhost:8420"));
  CHECK(origin_allowed("http://localhost:8420", "localhost:8420"));
  for (const auto* bad : {"null", "http://", "http://evil.example", "http://localhost:3000", "https://localhost:8420",
                          "http://127.0.0.1:8420", "http://localhost:8420.evil.example"})
    CHECK_FALSE(origin_allowed(bad, "localhost:8420"));
}

TEST_CASE("a hub listens on loopback only") {
  CHECK(parse_listen("127.0.0.1:8420")->port == 8420);
  CHECK(parse_listen("[::1]:0")->host == "::1");
  for (const auto* bad : {"0.0.0.0:80", "192.168.1.2:80", "[::]:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                          "localhost:1", "127.evil:1", ""})
    CHECK_FALSE(parse_listen(bad));
}

TEST_CASE("the picture header has its fields where the page says") {
  auto p = picture(device(7), key, 0x01020304).picture;
  p.state = watch::CameraState::live;
  p.age = 300ms;
  p.handed_out = MonotonicTime{10s};
  p.header.captured = CaptureTime{5us};
  p.header.width = 1920;
  p.header.height = 1080;
  p.header.age = 12ms;
  p.epoch = Epoch(0x1122334455667788);
  p.counter = Counter(9);
  const auto h = make_picture_header(device(7), p, true, MonotonicTime{10s + 50ms}, CaptureTime{77us});
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
        "0000000c");
}

TEST_CASE("a picture that grew old while it waited is not handed out as LIVE") {
  auto p = picture(device(7), delta, 1).picture;
  p.state = watch::CameraState::live;
  p.age = 300ms;
  p.handed_out = MonotonicTime{10s};
  CHECK(make_picture_header(device(7), p, false, MonotonicTime{14700ms}, {})[2] == std::byte{1});
  CHECK(make_picture_header(device(7), p, false, MonotonicTime{14701ms}, {})[2] == std::byte{2});
  p.age.reset();
  const auto unknown = make_picture_header(device(7), p, false, MonotonicTime{10s}, {});
  CHECK(unknown[2] == std::byte{2});
  CHECK(load_be<std::uint32_t>(ByteView(unknown).subspan(36)) == 0xffffffff);
}

TEST_CASE("a client starts at a key frame and gets only what it watches") {
  ClientQueue queue;
  queue.push(picture(device(1), key, 1));
  CHECK(queue.watch(false, {device(1)}, {device(1), device(2)}) == std::set{device(1)});
  queue.push(picture(device(1), delta, 2));
  queue.push(picture(device(2), key, 3));
  queue.push(picture(device(1), key, 4));
  queue.push(picture(device(1), delta, 5));
  CHECK(drain(queue) == std::vector<std::uint32_t>{4, 5});
  CHECK(queue.watch(true, {}, {device(1), device(2)}) == std::set{device(2)});
  queue.push(picture(device(1), delta, 6));
  CHECK(drain(queue) == std::vector<std::uint32_t>{6});
  queue.out_of_step(device(1));
  queue.push(picture(device(1), delta, 7));
  CHECK(drain(queue).empty());
}

TEST_CASE("a slow client loses whole groups and goes on at a key frame; memory stays bounded") {
  ClientQueue queue;
  (void)queue.watch(true, {}, {});
  const auto a = device(1), b = device(2);
  queue.push(picture(b, key, 1000));
  queue.push(picture(a, key, 0));
  for (std::uint32_t i = 1; i < 400; ++i) queue.push(picture(a, i % 100 == 0 ? key : delta, i));
  CHECK(queue.pictures() <= ClientQueue::max_pictures);
  const auto left = drain(queue);
  REQUIRE(left.size() > 2);
  CHECK(left.front() == 1000);  // the calm camera lost nothing
  CHECK(left[1] % 100 == 0);
  for (std::size_t i = 2; i < left.size(); ++i) CHECK((left[i] == left[i - 1] + 1 || left[i] % 100 == 0));
  CHECK(left.back() == 399);
  CHECK(queue.dropped() == 401 - left.size());

  for (std::uint32_t i = 0; i < 40; ++i) queue.push(picture(a, key, i, 1 << 20));
  CHECK(queue.pictures() <= 8);
}

TEST_CASE("states replace each other while they wait") {
  ClientQueue queue;
  queue.push_state("one");
  queue.push_hello("hello");
  queue.push_state("two");
  CHECK(queue.pop()->text == "hello");
  CHECK(queue.pop()->text == "two");
  CHECK_FALSE(queue.pop());
}

TEST_CASE("requests of a page are read strictly") {
  CHECK(std::get<WatchRequest>(*parse_client_request(R"({"watch":"all"})")).all);
  CHECK(std::get<WatchRequest>(*parse_client_request(R"({"watch":[]})")).cameras.empty());
  const auto one = parse_client_request(R"({"watch":[")" + device(3).to_string() + R"("]})");
  REQUIRE(one);
  CHECK(std::get<WatchRequest>(*one).cameras == std::set{device(3)});
  for (const auto* bad : {"", "{", "[]", "{}", R"({"watch":1})", R"({"watch":"some"})", R"({"watch":["x"]})",
                          R"({"watch":[1]})", R"({"watch":[[]]})", R"({"watch":"all","more":1})", "\xff"})
    CHECK_FALSE(parse_client_request(bad));
  CHECK_FALSE(parse_client_request(std::string(10000, '[')));
  CHECK_FALSE(parse_client_request(std::string(100000, ' ')));
}

TEST_CASE("wishes for privacy are read strictly") {
  const auto id = device(3).to_string();
  const auto good = parse_client_request(R"({"privacy":")" + id + R"(","on":true})");
  REQUIRE(good);
  REQUIRE(std::holds_alternative<PrivacyRequest>(*good));
  CHECK(std::get<PrivacyRequest>(*good).camera == device(3));
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

TEST_CASE("what waits of a camera that may not be shown any more goes; the others' stays") {
  ClientQueue queue;
  (void)queue.watch(true, {}, {});
  queue.push(picture(device(1), key, 1));
  queue.push(picture(device(2), key, 2));
  queue.push(picture(device(1), delta, 3));
  queue.withdraw(device(1));
  queue.push(picture(device(1), delta, 4));
  CHECK(drain(queue) == std::vector<std::uint32_t>{2});
  CHECK(queue.dropped() == 0);
}
