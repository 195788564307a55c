// SPDX-License-Identifier: Apache-2.0
// /recordings/CAMERA over TCP: pictures and ranges, and their limits.
#include "hub/web/recordings.hpp"
#include "recordings_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;

namespace {

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

/// The bytes of a body in chunks. Nothing if it was cut.
std::optional<std::string> unchunked(const std::string& answer) {
  std::string rest = body_of(answer), out;
  while (true) {
    const auto line = rest.find("\r\n");
    if (line == std::string::npos) return std::nullopt;
    const auto size = std::stoul(rest.substr(0, line), nullptr, 16);
    if (size == 0) return out;
    if (rest.size() < line + 2 + size + 2) return std::nullopt;
    out += rest.substr(line + 2, size);
    rest.erase(0, line + 2 + size + 2);
  }
}

struct Unit {
  unsigned type = 0, flags = 0;
  std::int64_t at = 0;
  std::string bytes;
};
std::vector<Unit> units_of(const std::string& body) {
  std::vector<Unit> out;
  for (auto rest = as_bytes(body); rest.size() >= unit_header_size;) {
    const auto size = load_be<std::uint32_t>(rest.subspan(4));
    REQUIRE(rest.size() >= unit_header_size + size);
    out.push_back({std::to_integer<unsigned>(rest[1]), std::to_integer<unsigned>(rest[2]),
                   static_cast<std::int64_t>(load_be<std::uint64_t>(rest.subspan(8))),
                   std::string(as_text(rest.subspan(unit_header_size, size)))});
    rest = rest.subspan(unit_header_size + size);
  }
  return out;
}

}  // namespace

TEST_CASE("one key frame is the one at or before the time") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  const auto unit = [&](std::chrono::milliseconds time) {
    const auto answer = http(w, get("/recordings/" + id + ".units?at=" + std::to_string(at(time).since_epoch.count())));
    REQUIRE(status_of(answer) == "HTTP/1.1 200");
    const auto units = units_of(body_of(answer));
    REQUIRE(units.size() == 1);
    return units[0];
  };
  CHECK(unit(550ms).at == begin_us);
  CHECK(unit(600ms).at == begin_us + 600'000);
  CHECK(unit(10h).at == begin_us + 600'000);
  CHECK(unit(0ms).bytes == as_text(archive.pictures[0].unit));
  CHECK(status_of(http(w, get("/recordings/" + id + ".units?at=1"))) == "HTTP/1.1 404");
}

TEST_CASE("a range of access units starts with a key frame and ends with a record") {
  FakeArchive archive;
  add_film(archive);
  archive.skipped = {3, 2, 1};
  World w(nullptr, &archive);
  const auto answer = http(w, get("/recordings/" + id + ".units" + range(300ms, 900ms)));
  CHECK(status_of(answer) == "HTTP/1.1 200");
  CHECK(answer.contains("X-Sealcam-State: RECORDED\r\n"));
  const auto body = unchunked(answer);
  REQUIRE(body);
  const auto units = units_of(*body);
  REQUIRE(units.size() == 10);
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(units[i].type == 2);
    CHECK(units[i].at == begin_us + 100'000 * static_cast<std::int64_t>(i));
    CHECK(units[i].bytes == as_text(archive.pictures[i].unit));
    CHECK(units[i].flags == (i % 6 == 0 ? 1U : 0U) + (i == 7 ? 2U : 0U) + (i > 0 ? 4U : 0U));
  }
  CHECK(units[9].type == 3);
  CHECK(units[9].at == 3);  // altered
  const auto keys = unchunked(http(w, get("/recordings/" + id + ".units" + range(0ms, 2s) + "&pictures=keys")));
  CHECK(units_of(keys.value()).size() == 3);
  const auto old =
      http(w, "GET /recordings/" + id + ".units" + range(0ms, 2s) + " HTTP/1.0\r\n" + bearer(view_token) + "\r\n");
  CHECK(units_of(body_of(old)).size() == 13);
  CHECK_FALSE(old.contains("chunked"));
}

TEST_CASE("a range as MP4 has one fragment for each group of pictures") {
  FakeArchive archive;
  add_film(archive, 24);
  World w(nullptr, &archive);
  const auto answer = http(w, get("/recordings/Door.mp4" + range(0ms, 10s)));
  CHECK(status_of(answer) == "HTTP/1.1 200");
  CHECK(answer.contains("Content-Type: video/mp4\r\n"));
  const auto body = unchunked(answer);
  REQUIRE(body);
  CHECK(body->substr(4, 4) == "ftyp");
  CHECK(count(*body, "moov") == 1);
  CHECK(count(*body, "moof") == 5);  // the first picture is in a separate chunk
  CHECK(archive.readers() == 0);
  const auto empty = http(w, get("/recordings/Door.mp4?from=1&to=2"));
  CHECK(status_of(empty) == "HTTP/1.1 404");
  const auto head = http(w, request("HEAD", "/recordings/Door.mp4" + range(0ms, 10s)));
  CHECK(head.starts_with("HTTP/1.1 200"));
  CHECK(body_of(head).empty());
  CHECK(status_of(http(w, request("HEAD", "/recordings/Door.mp4?from=1&to=2"))) == "HTTP/1.1 404");
}

TEST_CASE("an MP4 file ends where the size of the pictures changes") {
  FakeArchive archive;
  add_film(archive, 12);
  for (std::size_t i = 6; i < 12; ++i) archive.pictures[i].facts.width = 640;
  World w(nullptr, &archive);
  const auto body = unchunked(http(w, get("/recordings/Door.mp4" + range(0ms, 10s))));
  CHECK(count(body.value(), "moof") == 2);
}

TEST_CASE("the times of a clip follow the camera's clock, and skip pauses") {
  ClipTimeline timeline;
  const auto next = [&](std::chrono::milliseconds hub, std::chrono::milliseconds camera) {
    recordings::PictureFacts facts;
    facts.at = at(hub);
    facts.captured = CaptureTime{camera};
    return timeline.next(facts);
  };
  CHECK(next(0ms, 5s) == 0us);
  CHECK(next(40ms, 5s + 33ms) == 33ms);  // the network delayed the picture
  CHECK(next(80ms, 2s) == 73ms);         // the clock was set
  CHECK(next(10h, 2s + 10h) == 1073ms);  // a pause
  CHECK(next(10h + 40ms, 2s + 10h + 40ms) == 1113ms);
}

TEST_CASE("a client that reads slowly costs the memory of a few chunks") {
  FakeArchive archive;
  const Bytes unit(1U << 20, std::byte{1});
  for (int i = 0; i < 200; ++i) archive.add(at(100ms * i), unit, true);
  World w(nullptr, &archive);
  RawClient client(w, get("/recordings/" + id + ".units" + range(0ms, 1h)));
  REQUIRE(w.eventually([&] { return archive.read_pictures() >= 3; }));
  std::this_thread::sleep_for(300ms);
  // The rest is in the buffers of the sockets, which grow up to 6 MiB.
  CHECK(archive.read_pictures() < 30);
  CHECK(archive.readers() == 1);
  client.close();
  CHECK(w.eventually([&] { return archive.readers() == 0 && w.server->clients() == 0; }));
}

TEST_CASE("a client that takes nothing for 30 s is disconnected") {
  FakeArchive archive;
  const Bytes unit(1U << 20, std::byte{1});
  for (int i = 0; i < 200; ++i) archive.add(at(100ms * i), unit, true);
  World w(nullptr, &archive);
  const RawClient client(w, get("/recordings/" + id + ".units" + range(0ms, 1h)));
  REQUIRE(w.eventually([&] { return archive.read_pictures() >= 3; }));
  std::this_thread::sleep_for(200ms);
  w.advance(29s);
  CHECK(archive.readers() == 1);
  w.advance(2s);
  CHECK(w.eventually([&] { return archive.readers() == 0 && w.server->clients() == 0; }));
}

TEST_CASE("a fifth stream is rejected, and lists are answered meanwhile") {
  FakeArchive archive;
  const Bytes unit(1U << 20, std::byte{1});
  for (int i = 0; i < 200; ++i) archive.add(at(100ms * i), unit, true);
  World w(nullptr, &archive);
  const auto target = "/recordings/" + id + ".units" + range(0ms, 1h);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < RecordingPool::max_streams; ++i)
    clients.push_back(std::make_unique<RawClient>(w, get(target)));
  REQUIRE(w.eventually([&] { return archive.readers() == RecordingPool::max_streams; }));
  const auto answer = http(w, get(target));
  CHECK(status_of(answer) == "HTTP/1.1 503");
  CHECK(answer.contains("Retry-After: 2\r\n"));
  CHECK(status_of(http(w, get("/api/recordings"))) == "HTTP/1.1 200");
  clients.pop_back();
  REQUIRE(w.eventually([&] { return archive.readers() == RecordingPool::max_streams - 1; }));
  RawClient next(w, get(target));
  CHECK(w.eventually([&] { return archive.readers() == RecordingPool::max_streams; }));
}

TEST_CASE("a disk that does not answer delays no live picture, and its requests are limited") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  archive.hold();
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 30; ++i)
    answers.push_back(std::async(std::launch::async, [&] { return http(w, get("/api/recordings")); }));
  std::this_thread::sleep_for(500ms);
  CHECK(status_of(http(w, get("/api/state"))) == "HTTP/1.1 200");
  archive.release();
  // One thread waits for the index, and 16 requests for the thread.
  std::size_t good = 0, rejected = 0;
  for (auto& one : answers) {
    const auto answer = one.get();
    good += status_of(answer) == "HTTP/1.1 200" ? 1U : 0U;
    rejected += status_of(answer) == "HTTP/1.1 503" ? 1U : 0U;
  }
  CHECK(rejected >= 1);
  CHECK(good >= RecordingPool::max_waiting);
  CHECK(good + rejected == answers.size());
}

TEST_CASE("a list does not wait for the disk with the recordings") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  archive.hold_recordings();
  const auto target = "/recordings/" + id + ".units?at=" + std::to_string(begin_us);
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 15; ++i) answers.push_back(std::async(std::launch::async, [&] { return http(w, get(target)); }));
  std::this_thread::sleep_for(300ms);
  for (const auto& answer : {http(w, get("/api/recordings")), http(w, get("/api/recordings/Door" + range(0ms, 1h)))})
    CHECK(status_of(answer) == "HTTP/1.1 200");
  // The control: the disk did not answer.
  CHECK(std::ranges::none_of(answers, [](auto& one) { return one.wait_for(0s) == std::future_status::ready; }));
  archive.release();
  for (auto& one : answers) CHECK(status_of(one.get()) == "HTTP/1.1 200");
}

TEST_CASE("a picture for which the hub has no memory fails alone") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  archive.no_memory = true;
  for (const auto* ending : {".units?at=", ".jpg?at="}) {
    const auto answer = http(w, get("/recordings/" + id + ending + std::to_string(begin_us)));
    CHECK(status_of(answer).starts_with("HTTP/1.1 5"));
  }
  CHECK(status_of(http(w, get("/api/recordings"))) == "HTTP/1.1 200");
}

TEST_CASE("a stream ends when the owner suspends the integration of the hub") {
  FakeArchive archive;
  const Bytes unit(1U << 20, std::byte{1});
  for (int i = 0; i < 200; ++i) archive.add(at(100ms * i), unit, true);
  World w(nullptr, &archive);
  const RawClient client(w, get("/recordings/" + id + ".units" + range(0ms, 1h)));
  REQUIRE(w.eventually([&] { return archive.read_pictures() >= 3; }));
  w.on_network([&] {
    w.backend.known[0].reason = watch::Reason::removed;
    w.server->withdraw(DeviceId());
  });
  std::this_thread::sleep_for(100ms);
  CHECK(archive.readers() == 1);  // a removed hub keeps its recordings
  w.on_network([&] {
    w.backend.known[0].reason = watch::Reason::suspended;
    w.server->withdraw(DeviceId());
  });
  CHECK(w.eventually([&] { return archive.readers() == 0 && w.server->clients() == 0; }));
}

TEST_CASE("a stream ends when its token is deleted") {
  FakeArchive archive;
  const Bytes unit(1U << 20, std::byte{1});
  for (int i = 0; i < 200; ++i) archive.add(at(100ms * i), unit, true);
  World w(nullptr, &archive);
  const RawClient client(
      w, anonymous_get("/recordings/" + id + ".units" + range(0ms, 1h), "localhost", bearer(view_token)));
  REQUIRE(w.eventually([&] { return archive.readers() == 1; }));
  w.on_network([&] { w.tokens.remove("view"); });
  w.advance(1s);
  CHECK(w.eventually([&] {
    w.server->tick();
    return archive.readers() == 0;
  }));
}

TEST_CASE("the hub stops while streams and requests run") {
  FakeArchive archive;
  const Bytes unit(1U << 20, std::byte{1});
  for (int i = 0; i < 200; ++i) archive.add(at(100ms * i), unit, true);
  for (int round = 0; round < 5; ++round) {
    World w(nullptr, &archive);
    const RawClient stream(w, get("/recordings/" + id + ".units" + range(0ms, 1h)));
    const RawClient video(w, get("/recordings/" + id + ".mp4" + range(0ms, 1h)));
    const RawClient list(w, get("/api/recordings"));
    if (round > 0) REQUIRE(w.eventually([&] { return archive.readers() > 0; }));
    w.stop();
    CHECK(archive.readers() == 0);
  }
}

TEST_CASE("a hub whose integration is suspended shows no recording of the camera") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  w.on_network([&] { w.backend.known[0].reason = watch::Reason::suspended; });
  for (const auto& target :
       {"/recordings/" + id + ".units?at=" + std::to_string(begin_us), "/api/recordings/Door" + range(0ms, 1h),
        "/recordings/Door.mp4" + range(0ms, 1h), "/recordings/Door.jpg?at=" + std::to_string(begin_us)})
    CHECK(status_of(http(w, get(target))) == "HTTP/1.1 403");
  CHECK(http(w, get("/api/recordings")).contains(R"("suspended":true)"));
  // The control: recordings of a camera that removed this hub stay visible.
  w.on_network([&] { w.backend.known[0].reason = watch::Reason::removed; });
  CHECK(status_of(http(w, get("/api/recordings/Door" + range(0ms, 1h)))) == "HTTP/1.1 200");
}

TEST_CASE("a name selects a camera with recordings only if no other camera has it") {
  FakeArchive archive;
  add_film(archive);
  std::array<std::byte, 20> bytes{};
  bytes[0] = std::byte{1};
  archive.camera = DeviceId(bytes);  // the hub no longer has it
  const KnownCameras known{{DeviceId(), "Door", true, false}};
  CHECK(find_recorded_camera(archive, known, "Door").error().code == Errc::conflict);
  archive.name = "Garage";
  CHECK(find_recorded_camera(archive, known, "Garage") == archive.camera);
  CHECK(find_recorded_camera(archive, known, "Door") == DeviceId());
  CHECK(find_recorded_camera(archive, known, archive.camera.to_string()) == archive.camera);
  CHECK(find_recorded_camera(archive, known, "garage").error().code == Errc::not_found);
}

TEST_CASE("errors of the disk are answers") {
  FakeArchive archive;
  add_film(archive);
  archive.error = Error{Errc::io, 5, "read"};
  World w(nullptr, &archive);
  for (const auto& target : {std::string("/api/recordings"), "/api/recordings/" + id + range(0ms, 1h),
                             "/recordings/" + id + ".mp4" + range(0ms, 1h), "/recordings/" + id + ".units?at=5",
                             "/recordings/" + id + ".jpg?at=5"}) {
    const auto answer = http(w, get(target));
    CHECK(status_of(answer) == "HTTP/1.1 500");
    CHECK(answer.contains("cannot read the recordings"));
  }
}
