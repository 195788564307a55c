// SPDX-License-Identifier: Apache-2.0
// /api/recordings and /recordings/CAMERA over TCP: rights, ranges, limits, and what the answers contain.
#include "hub/web/recordings.hpp"
#include "support/fake_archive.hpp"
#include "support/film.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;
using sealcam::test::FakeArchive;

namespace {

const std::string id(32, 'a');
constexpr std::int64_t begin_us = 1'790'000'000'000'000;

CaptureTime at(std::chrono::microseconds after) { return {std::chrono::microseconds(begin_us) + after}; }

/// Two groups of six pictures, one each 100 ms.
void add_film(FakeArchive& archive, std::uint32_t count = 12) {
  const auto units = sealcam::test::film(count, 6);
  for (std::uint32_t i = 0; i < count; ++i) archive.add(at(100ms * i), units[i], i % 6 == 0, i == 7);
  archive.spans = {{{at(0ms), at(100ms * count)}, 5000, true}};
}

std::string range(std::chrono::milliseconds from, std::chrono::milliseconds to) {
  return "?from=" + std::to_string(at(from).since_epoch.count()) + "&to=" + std::to_string(at(to).since_epoch.count());
}

std::string request(const std::string& method, const std::string& path, const std::string& token = privacy_token,
                    const std::string& more = {}) {
  return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + bearer(token) + more + "\r\n";
}

std::string status_of(const std::string& answer) { return answer.substr(0, 12); }
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

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto i = text.find(part); i != std::string::npos; i = text.find(part, i + 1)) ++n;
  return n;
}

std::expected<RecordingRequest, Response> parse(const std::string& target,
                                                Request::Method method = Request::Method::get) {
  Request request;
  request.target = target;
  request.method = method;
  return parse_recording_request(request);
}

}  // namespace

TEST_CASE("times are microseconds or RFC 3339") {
  const std::pair<const char*, std::int64_t> good[] = {{"0", 0},
                                                       {"1790000000000000", begin_us},
                                                       {"2026-09-21T14:13:20Z", begin_us},
                                                       {"2026-09-21t14:13:20.25z", begin_us + 250'000},
                                                       {"2026-09-21T16:13:20+02:00", begin_us},
                                                       {"2026-09-21T09:13:20.000001-05:00", begin_us + 1},
                                                       {"9999-12-31T23:59:59.999999Z", 253'402'300'799'999'999},
                                                       {"2024-02-29T00:00:00Z", 1'709'164'800'000'000}};
  for (const auto& [text, us] : good) {
    CAPTURE(text);
    REQUIRE(parse_time(text));
    CHECK(parse_time(text)->since_epoch.count() == us);
  }
  for (const auto* bad : {"",
                          "-1",
                          "+1",
                          " 1",
                          "1.5",
                          "1e9",
                          "99999999999999999999999",
                          "253402300800000000",
                          "now",
                          "2026-09-21",
                          "2026-09-21T14:13:20",
                          "2026-09-21 14:13:20Z",
                          "2026-13-21T14:13:20Z",
                          "2026-02-30T14:13:20Z",
                          "2026-09-21T24:13:20Z",
                          "2026-09-21T14:60:20Z",
                          "2026-09-21T14:13:61Z",
                          "2026-09-21T14:13:20.Z",
                          "2026-09-21T14:13:20.1234567Z",
                          "2026-09-21T14:13:20+2:00",
                          "2026-09-21T14:13:20+24:00",
                          "2026-09-21T14:13:20Zx",
                          "1969-12-31T23:59:59Z",
                          "1970-01-01T00:00:00+01:00",
                          "9999-12-31T23:59:59-23:59"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad));
  }
}

TEST_CASE("targets of recordings are parsed strictly") {
  using Kind = RecordingRequest::Kind;
  CHECK(parse("/api/recordings")->kind == Kind::list);
  CHECK(parse("/api/recordings/Front%20door")->camera == "Front door");
  CHECK(parse("/api/recordings/x?from=1&to=2")->range == recordings::TimeRange{{1us}, {2us}});
  CHECK(parse("/recordings/x.mp4?to=2026-09-21T16%3A13%3A20%2B02:00&from=2026-09-21T14:13:19Z")->range ==
        recordings::TimeRange{at(-1s), at(0s)});
  CHECK(parse("/recordings/x.jpg?at=5")->at == CaptureTime{5us});
  CHECK(parse("/recordings/x.units?at=5")->kind == Kind::key_unit);
  CHECK(parse("/recordings/x.units?from=1&to=2&pictures=keys")->keys_only);
  CHECK_FALSE(parse("/recordings/x.units?from=1&to=2&pictures=all")->keys_only);
  CHECK(parse("/api/recordings/x?from=1&to=2", Request::Method::erase)->kind == Kind::erase);
  CHECK(parse("/recordings/a.mp4.mp4?from=1&to=2")->camera == "a.mp4");

  for (const auto* missing :
       {"/api/recordingsx", "/api/recordings/", "/api/recordings/%", "/recordings/", "/recordings/.mp4",
        "/recordings/x", "/recordings/x.avi?from=1&to=2", "/recordings/%zz.mp4?from=1&to=2"})
    CHECK(parse(missing).error().status == 404);
  for (const auto* wrong : {"/api/recordings?from=1&to=2",
                            "/api/recordings?x",
                            "/api/recordings/x?from=1",
                            "/api/recordings/x?to=1",
                            "/api/recordings/x?from=2&to=2",
                            "/api/recordings/x?from=3&to=2",
                            "/api/recordings/x?from=1&from=1&to=2",
                            "/api/recordings/x?from=1&to=2&pictures=keys",
                            "/api/recordings/x?at=1",
                            "/recordings/x.mp4",
                            "/recordings/x.mp4?",
                            "/recordings/x.mp4?from=1&to=2&at=1",
                            "/recordings/x.mp4?from=a&to=2",
                            "/recordings/x.mp4?from=%&to=2",
                            "/recordings/x.mp4?from=1&to=86400000002",
                            "/recordings/x.jpg",
                            "/recordings/x.jpg?from=1&to=2",
                            "/recordings/x.jpg?at=1&at=2",
                            "/recordings/x.units?from=1&to=2&pictures=none",
                            "/recordings/x.units?at=1&pictures=keys",
                            "/api/recordings/x?from=1&to=9999999999999999",
                            "/recordings/x.mp4?from=1&to=2&token=abc"}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(parse(wrong));
    CHECK(parse(wrong).error().status == 400);
  }
  for (const auto* path : {"/api/recordings", "/recordings/x.mp4?from=1&to=2", "/recordings/x.jpg?at=1"})
    CHECK(parse(path, Request::Method::erase).error().status == 405);
  CHECK(parse("/api/recordings/x", Request::Method::erase).error().status == 400);
}

TEST_CASE("a hub without recordings answers with a list and with 404") {
  World w;
  const auto list = http(w, get("/api/recordings"));
  CHECK(status_of(list) == "HTTP/1.1 200");
  CHECK(list.contains(R"("enabled":false)"));
  CHECK(list.contains(R"("cameras":[])"));
  for (const auto& path : {"/api/recordings/" + id, "/recordings/" + id + ".jpg?at=1",
                           "/recordings/" + id + ".mp4?from=1&to=2", "/recordings/" + id + ".units?at=1"})
    CHECK(status_of(http(w, get(path))) == "HTTP/1.1 404");
  CHECK(status_of(http(w, request("DELETE", "/api/recordings/" + id + "?from=1&to=2"))) == "HTTP/1.1 404");
}

TEST_CASE("the list has the state of the recorder and its cameras") {
  FakeArchive archive;
  add_film(archive);
  archive.state.fault = recordings::RecorderFault::full;
  archive.state.fault_text = "/disk: no space";
  archive.state.fault_since = at(1s);
  archive.state.cameras = {{DeviceId(), recordings::Mode::continuous, true, at(2s)}};
  archive.ended = recordings::EndReason::removed;
  World w(nullptr, &archive);
  const auto list = http(w, get("/api/recordings"));
  for (const auto* part : {R"("enabled":true)", R"("fault":"full")", R"("fault_text":"/disk: no space")",
                           R"("fault_since_us":1790000001000000)", R"("name":"Door")", R"("mode":"continuous")",
                           R"("recording":true)", R"("newest_us":1790000002000000)", R"("begin_us":1790000000000000)",
                           R"("ended":"removed")", R"("suspended":false)"})
    CHECK(list.contains(part));
  CHECK(list.contains(R"("id":")" + id));
}

TEST_CASE("the timeline has days, spans and gaps of the range") {
  FakeArchive archive;
  add_film(archive);
  archive.spans.push_back({{at(1h), at(2h)}, 7000, false});
  archive.gaps = {{{at(300ms), at(500ms)}, protocol::Epoch(0x7c0ffee), protocol::Counter(4), 9}};
  World w(nullptr, &archive);
  const auto days = http(w, get("/api/recordings/" + id));
  CHECK(days.contains(R"({"bytes":1000,"date":"2026-09-21","recorded_us":90000000})"));
  CHECK(days.contains(R"("spans":[])"));
  const auto all = http(w, get("/api/recordings/Door" + range(0ms, 10h)));
  CHECK(all.contains(R"("openable":true)"));
  CHECK(all.contains(R"("openable":false)"));
  CHECK(all.contains(R"("epoch":"0000000007c0ffee","first":4,"frames":9)"));
  CHECK(all.contains(R"("truncated":false)"));
  const auto part = http(w, get("/api/recordings/Door" + range(3h, 4h)));
  CHECK(part.contains(R"("spans":[])"));
  CHECK(http(w, get("/api/recordings/" + std::string(32, 'b') + range(0ms, 1h))).contains(R"("spans":[])"));
  CHECK(status_of(http(w, get("/api/recordings/Garage" + range(0ms, 1h)))) == "HTTP/1.1 404");
}

TEST_CASE("a timeline of too many spans is truncated") {
  FakeArchive archive;
  add_film(archive);
  archive.spans.assign(max_timeline_entries + 5, {{at(0ms), at(1h)}, 1, true});
  World w(nullptr, &archive);
  const auto answer = http(w, get("/api/recordings/Door" + range(0ms, 1h)));
  CHECK(answer.contains(R"("truncated":true)"));
  CHECK(count(answer, "openable") == max_timeline_entries);
}

TEST_CASE("deleting needs the right privacy, the method DELETE and a range") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  const auto path = "/api/recordings/" + id + range(0ms, 500ms);
  CHECK(status_of(http(w, request("DELETE", path, view_token))) == "HTTP/1.1 403");
  CHECK(status_of(http(w, request("DELETE", path, metrics_token))) == "HTTP/1.1 403");
  CHECK(status_of(http(w, request("DELETE", path, std::string(43, 'x')))) == "HTTP/1.1 401");
  CHECK(status_of(http(w, request("DELETE", "/api/recordings/" + id))) == "HTTP/1.1 400");
  for (const auto& more :
       {"Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n"})
    CHECK(status_of(http(w, request("DELETE", path, privacy_token, more))) == "HTTP/1.1 403");
  CHECK(status_of(http(w, request("DELETE", path, privacy_token, "Content-Length: 1\r\n"))) == "HTTP/1.1 405");
  CHECK(status_of(http(w, request("POST", path))) == "HTTP/1.1 405");
  for (const auto* other : {"/", "/api/state", "/metrics", "/snapshot/Door.jpg", "/open", "/ws"})
    CHECK(status_of(http(w, request("DELETE", other))) == "HTTP/1.1 405");
  CHECK(archive.erased().empty());
  // The control: the same request with the right privacy.
  const auto answer = http(w, request("DELETE", path));
  CHECK(status_of(answer) == "HTTP/1.1 200");
  CHECK(answer.contains(R"("files":2)"));
  CHECK(archive.erased() == std::vector{recordings::TimeRange{at(0ms), at(500ms)}});
}

TEST_CASE("recordings need the right view, and rejections are the same for all cameras") {
  FakeArchive archive;
  add_film(archive);
  World w(nullptr, &archive);
  for (const std::string path : {"/api/recordings", "/api/recordings/CAMERA", "/recordings/CAMERA.mp4?from=1&to=2",
                                 "/recordings/CAMERA.jpg?at=1", "/recordings/CAMERA.units?at=1"}) {
    std::vector<std::string> answers;
    for (const auto& camera : {id, std::string("Garage")}) {
      auto target = path;
      if (const auto place = target.find("CAMERA"); place != std::string::npos) target.replace(place, 6, camera);
      answers.push_back(http(w, anonymous_get(target)));
      answers.push_back(http(w, anonymous_get(target, "localhost", bearer(metrics_token))));
      CHECK(status_of(http(w, anonymous_get(target, "evil.example", bearer(privacy_token)))) == "HTTP/1.1 403");
    }
    CHECK(status_of(answers[0]) == "HTTP/1.1 401");
    CHECK(status_of(answers[1]) == "HTTP/1.1 403");
    CHECK(answers[0] == answers[2]);
    CHECK(answers[1] == answers[3]);
  }
}

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
  // Six threads wait for the disk, and 16 requests for a thread.
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
