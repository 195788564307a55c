// SPDX-License-Identifier: Apache-2.0
// /snapshot/CAMERA.jpg: which picture, how fresh, who decodes it.
#include <condition_variable>

#include "hub/web/media_request.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;
using enum protocol::FrameKind;

namespace {

/// Stills that are text: the sizes of the units they were made of.
class FakeMedia final : public hal::Media {
 public:
  void hold() { set(true); }
  void release() { set(false); }

 private:
  class Maker final : public hal::StillMaker {
   public:
    explicit Maker(FakeMedia& media) : media_(media) {}

   private:
    Result<Bytes> do_make(std::span<const ByteView> group) override {
      std::unique_lock lock(media_.mutex_);
      media_.changed_.wait(lock, [&] { return !media_.held_; });
      std::string text = "still";
      for (const auto unit : group) text += " " + std::to_string(unit.size());
      const auto view = as_bytes(text);
      return Bytes(view.begin(), view.end());
    }
    FakeMedia& media_;
  };
  Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::not_found, "no module"); }
  Result<std::unique_ptr<hal::StillMaker>> do_open_still_maker() override { return std::make_unique<Maker>(*this); }
  void set(bool held) {
    const std::scoped_lock lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
};

const std::string id(32, 'a');
const std::string path = "/snapshot/" + id + ".jpg";

std::future<std::string> asked(const World& w, const std::string& what = path) {
  return std::async(std::launch::async, [&w, what] { return http(w, get(what)); });
}

/// A unit of so many bytes.
Bytes unit(std::size_t size) { return Bytes(size, std::byte{1}); }

}  // namespace

TEST_CASE("requests for pictures and streams are read strictly") {
  const auto snapshot = parse_media_request("/snapshot/Front%20door%21.jpg?x=1&stale=allow");
  REQUIRE(snapshot);
  CHECK(snapshot->kind == MediaRequest::Kind::snapshot);
  CHECK(snapshot->camera == "Front door!");
  CHECK(snapshot->stale_allowed);
  CHECK_FALSE(parse_media_request(path + "?stale=allowed")->stale_allowed);
  CHECK_FALSE(parse_media_request(path)->stale_allowed);
  CHECK(parse_media_request("/live/x.ts")->kind == MediaRequest::Kind::live);
  for (const auto* bad : {"/snapshot/.jpg", "/snapshot/x.png", "/snapshot/x", "/snapshots/x.jpg", "/live/x.jpg",
                          "/live/%.ts", "/live/%1.ts", "/live/%xx.ts", "/live/%+1.ts", "/", ""})
    CHECK_FALSE(parse_media_request(bad));
}

TEST_CASE("a camera is found by its id, or by a name that is its alone") {
  watch::CameraStatus door, other;
  door.name = "Door";
  door.member = other.member = true;
  std::array<std::byte, 20> bytes{};
  bytes[0] = std::byte{1};
  other.id = DeviceId(bytes);
  other.name = id;  // a name that is another camera's id
  CHECK(find_camera({door, other}, "Door") == door.id);
  CHECK(find_camera({other, door}, id) == door.id);
  CHECK(find_camera({door, other}, "door").error().code == Errc::not_found);
  CHECK(find_camera({door, door}, "Door").error().code == Errc::conflict);
  door.member = false;
  CHECK(find_camera({door}, "Door").error().code == Errc::not_found);
  CHECK(find_camera({door}, id).error().code == Errc::not_found);
}

TEST_CASE("times are written as HTTP and RFC 3339 want them") {
  const CaptureTime time{1'790'000'000'250'999us};
  CHECK(rfc3339(time) == "2026-09-21T14:13:20.250Z");
  CHECK(http_date(time) == "Mon, 21 Sep 2026 14:13:20 GMT");
}

TEST_CASE("a camera that is watched answers at once with its newest picture") {
  FakeMedia media;
  World w(&media);
  w.on_network([&] { w.host.known[0].wanted = true; });
  w.show_live(key, 1, unit(10));
  w.show_live(delta, 2, unit(3));
  const auto answer = http(w, get(path));
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.ends_with("\r\n\r\nstill 10 3"));
  CHECK(answer.contains("Content-Type: image/jpeg\r\n"));
  CHECK(answer.contains("X-Sealcam-State: LIVE\r\n"));
  CHECK(answer.contains("X-Sealcam-Age-Ms: 40\r\n"));
  CHECK(answer.contains("X-Sealcam-Captured: 2026-09-21T14:13:20.066Z\r\n"));
  CHECK(answer.contains("Last-Modified: Mon, 21 Sep 2026 14:13:20 GMT\r\n"));
  CHECK(answer.contains("Cache-Control: no-store\r\n"));
  CHECK(http(w, get("/snapshot/Door.jpg")).ends_with("still 10 3"));
}

TEST_CASE("a camera that nobody watches is asked first, and the answer is a picture taken since") {
  FakeMedia media;
  World w(&media);
  w.show_live(key, 1, unit(10));  // LIVE, but from before
  auto answer = asked(w);
  REQUIRE(w.eventually([&] { return w.host.wanted.size() == 1; }));
  w.advance(1s);
  w.show_live(delta, 2, unit(20), 1001ms);  // its echo is older than the request
  CHECK(answer.wait_for(100ms) == std::future_status::timeout);
  w.show_live(delta, 3, unit(30), 1000ms);
  CHECK(answer.get().ends_with("still 10 20 30"));
  // It stays wanted for those who poll, and then no longer.
  w.advance(3900ms);
  CHECK(w.on_network([&] { return w.host.wanted.size(); }) == 1);
  w.advance(200ms);
  CHECK(w.on_network([&] { return w.host.wanted.size(); }) == 0);
}

TEST_CASE("a frozen picture does not pass for a live one") {
  FakeMedia media;
  World w(&media);
  w.show_live(key, 1, unit(10));
  w.advance(10s);
  for (const bool allowed : {false, true}) {
    auto answer = asked(w, path + (allowed ? "?stale=allow" : ""));
    REQUIRE(w.eventually([&] { return w.host.wanted.size() == 1; }));
    w.advance(2900ms);
    CHECK(answer.wait_for(100ms) == std::future_status::timeout);
    w.advance(200ms);
    const auto text = answer.get();
    CHECK(text.starts_with(allowed ? "HTTP/1.1 200" : "HTTP/1.1 503"));
    CHECK(text.contains(allowed ? "X-Sealcam-State: STALE\r\n" : "There is no live picture"));
    CHECK(text.ends_with("still 10") == allowed);
    w.advance(5s);
    CHECK(w.on_network([&] { return w.host.wanted.empty(); }));
  }
}

TEST_CASE("a picture that grows old while it is decoded is not called live") {
  FakeMedia media;
  World w(&media);
  w.on_network([&] { w.host.known[0].wanted = true; });
  media.hold();
  w.show_live(key, 1, unit(10));
  auto answer = asked(w);
  REQUIRE(w.eventually([&] { return w.host.changes > 0; }));
  w.advance(5s);
  media.release();
  CHECK(answer.get().starts_with("HTTP/1.1 503"));
}

TEST_CASE("a camera without a picture and a camera that is none") {
  FakeMedia media;
  World w(&media);
  CHECK(http(w, get("/snapshot/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba.jpg")).contains("Take an id from /api/state"));
  CHECK(http(w, get("/live/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba.ts")).starts_with("HTTP/1.1 404"));
  CHECK(http(w, get(path, "evil.example")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get(path, "localhost", "Origin: http://evil.example\r\n")).starts_with("HTTP/1.1 403"));
  CHECK(w.on_network([&] { return w.host.changes; }) == 0);
  auto answer = asked(w, path + "?stale=allow");
  REQUIRE(w.eventually([&] { return w.host.wanted.size() == 1; }));
  w.advance(3100ms);
  CHECK(answer.get().contains("There is no picture of this camera"));
}

TEST_CASE("requests that wait together share one decoding; too many decodings are refused") {
  FakeMedia media;
  World w(&media);
  media.hold();
  std::vector<std::future<std::string>> together, more;
  for (int i = 0; i < 10; ++i) together.push_back(asked(w));
  REQUIRE(w.eventually([&] { return w.host.changes > 0; }));
  std::this_thread::sleep_for(200ms);  // until all ten wait: nothing tells from outside
  w.show_live(key, 1, unit(10), 0ms);
  for (int i = 0; i < 10; ++i) more.push_back(asked(w));
  std::size_t refused = 0;
  for (auto& f : more)
    if (f.wait_for(1s) == std::future_status::ready) refused += f.get().contains("Retry-After");
  CHECK(refused >= 10 - Worker::max_waiting - 1);
  CHECK(refused < 10);
  media.release();
  for (auto& f : together) CHECK(f.get().ends_with("still 10"));
}

TEST_CASE("the hub ends while a snapshot waits and while one is made") {
  for (const bool made : {false, true}) {
    FakeMedia media;
    auto w = std::make_unique<World>(&media);
    auto answer = asked(*w);
    REQUIRE(w->eventually([&] { return w->host.wanted.size() == 1; }));
    media.hold();
    if (made) w->show_live(key, 1, unit(10), 0ms);
    const auto later = std::async(std::launch::async, [&] {
      std::this_thread::sleep_for(50ms);  // so that the end has to wait for the worker
      media.release();
    });
    w.reset();
    CHECK_FALSE(answer.get().contains("200 OK"));
  }
}

TEST_CASE("snapshots that wait or are being decoded when nothing of the camera may be shown any more fail") {
  FakeMedia media;
  World w(&media);
  const auto bar = [&] {
    w.on_network([&] {
      w.host.known[0].reason = watch::Reason::cloned;
      w.server->withdraw(DeviceId());
    });
  };
  SECTION("waiting for a picture") {
    auto answer = asked(w);
    REQUIRE(w.eventually([&] { return w.host.wanted.contains(DeviceId()); }));
    bar();
    CHECK(answer.get().starts_with("HTTP/1.1 403"));
  }
  SECTION("being decoded") {
    w.on_network([&] { w.host.known[0].wanted = true; });
    w.show_live(key, 1, unit(10));
    media.hold();
    auto answer = asked(w);
    REQUIRE(w.eventually([&] { return w.host.wanted.contains(DeviceId()); }));
    bar();
    media.release();
    CHECK(answer.get().starts_with("HTTP/1.1 403"));
  }
}
