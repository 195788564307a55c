// SPDX-License-Identifier: Apache-2.0
// /api/recordings and /recordings/CAMERA over TCP: targets, rights, and the answers in JSON.
#include "hub/web/recordings.hpp"
#include "recordings_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;

namespace {

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
  CHECK(parse("/api/events?from=1&to=2")->kind == Kind::events);
  CHECK(parse("/api/events?from=1&to=2")->camera.empty());
  CHECK(parse("/api/events?from=1&to=2")->limit == RecordingRequest::default_limit);
  CHECK(parse("/api/events?limit=7&camera=Front%20door&from=1&to=2")->camera == "Front door");
  CHECK(parse("/api/events?limit=1000&from=1&to=2")->limit == 1000);

  for (const auto* missing : {"/api/recordingsx", "/api/recordings/", "/api/recordings/%", "/recordings/",
                              "/recordings/.mp4", "/recordings/x", "/recordings/x.avi?from=1&to=2",
                              "/recordings/%zz.mp4?from=1&to=2", "/api/events/", "/api/eventsx"})
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
                            "/recordings/x.mp4?from=1&to=2&token=abc",
                            "/recordings/x.mp4?from=1&to=2&limit=5",
                            "/api/recordings?camera=x",
                            "/api/events",
                            "/api/events?from=1",
                            "/api/events?from=1&to=2&at=1",
                            "/api/events?from=1&to=2&camera=",
                            "/api/events?from=1&to=2&limit=0",
                            "/api/events?from=1&to=2&limit=1001",
                            "/api/events?from=1&to=2&limit=-1",
                            "/api/events?from=1&to=2&limit=5x",
                            "/api/events?from=1&to=2764800000002"}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(parse(wrong));
    CHECK(parse(wrong).error().status == 400);
  }
  for (const auto* path :
       {"/api/recordings", "/recordings/x.mp4?from=1&to=2", "/recordings/x.jpg?at=1", "/api/events?from=1&to=2"})
    CHECK(parse(path, Request::Method::erase).error().status == 405);
  CHECK(parse("/api/recordings/x", Request::Method::erase).error().status == 400);
}

TEST_CASE("a hub without recordings answers with a list and with 404") {
  World w;
  const auto list = http(w, get("/api/recordings"));
  CHECK(status_of(list) == "HTTP/1.1 200");
  CHECK(list.contains(R"("enabled":false)"));
  CHECK(list.contains(R"("cameras":[])"));
  for (const auto& path :
       {"/api/recordings/" + id, std::string("/api/events?from=1&to=2"), "/recordings/" + id + ".jpg?at=1",
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

TEST_CASE("events have begin, end and peak, and the newest ones are returned") {
  FakeArchive archive;
  archive.camera = *DeviceId::parse(id);
  add_film(archive);
  archive.events = {{at(1h), at(1h + 5s), at(1h + 2s), 9000}, {at(2h), at(2h + 1s), at(2h), 0}};
  World w(nullptr, &archive);
  const auto all = http(w, get("/api/events" + range(0ms, 10h)));
  CHECK(all.contains(R"({"begin_us":1790003600000000,"camera":")" + id + R"(","end_us":1790003605000000,"ended":)"));
  CHECK(all.contains(R"("name":"Door","peak_us":1790003602000000})"));
  CHECK(all.contains(R"("truncated":false)"));
  CHECK(count(all, "peak_us") == 2);
  const auto newest = http(w, get("/api/events" + range(0ms, 10h) + "&limit=1&camera=Door"));
  CHECK(count(newest, "peak_us") == 1);
  CHECK(newest.contains("1790007200000000"));
  CHECK(newest.contains(R"("truncated":true)"));
  CHECK(status_of(http(w, get("/api/events" + range(0ms, 10h) + "&camera=Garage"))) == "HTTP/1.1 404");
  CHECK(http(w, get("/api/events" + range(3h, 4h))).contains(R"("events":[])"));
  CHECK(http(w, get("/api/recordings/Door" + range(0ms, 10h)))
            .contains(
                R"("events":[{"begin_us":1790003600000000,"end_us":1790003605000000,"peak_us":1790003602000000},)"));
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
  for (const std::string path :
       {"/api/recordings", "/api/events?from=1&to=2&camera=CAMERA", "/api/recordings/CAMERA",
        "/recordings/CAMERA.mp4?from=1&to=2", "/recordings/CAMERA.jpg?at=1", "/recordings/CAMERA.units?at=1"}) {
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
