// SPDX-License-Identifier: Apache-2.0
// /snapshot/CAMERA.jpg: which picture it contains, its freshness, and its decoding.
#include <condition_variable>

#include "hub/web/live_stream.hpp"
#include "support/fake_archive.hpp"
#include "web_world.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
using namespace sealcam::hub::web::test;
using enum protocol::FrameKind;

namespace {

/// Makes stills of text: the sizes of the access units.
class FakeMedia final : public hal::Media {
 public:
  void hold() { set(true); }
  void release() { set(false); }
  bool decoding() {
    const std::scoped_lock lock(mutex_);
    return decoding_;
  }

 private:
  class Builder final : public hal::StillBuilder {
   public:
    explicit Builder(FakeMedia& media) : media_(media) {}

   private:
    Result<Bytes> do_make(std::span<const ByteView> group) override {
      std::unique_lock lock(media_.mutex_);
      media_.decoding_ = true;
      media_.changed_.wait(lock, [&] { return !media_.held_; });
      media_.decoding_ = false;
      if (!group.empty() && group[0].size() == media_.failing_size_) return fail(Errc::io, "the decoder crashed");
      std::string text = "still";
      for (const auto unit : group) text += " " + std::to_string(unit.size());
      const auto view = as_bytes(text);
      return Bytes(view.begin(), view.end());
    }
    FakeMedia& media_;
  };
  Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::not_found, "no module"); }
  Result<std::unique_ptr<hal::Mp4Muxer>> do_open_mp4_muxer(hal::Size) override {
    return fail(Errc::not_found, "no module");
  }
  Result<std::unique_ptr<hal::StillBuilder>> do_open_still_builder() override {
    return std::make_unique<Builder>(*this);
  }
  void set(bool held) {
    const std::scoped_lock lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool decoding_ = false;

 public:
  std::size_t failing_size_ = 0;  ///< of the key frame of a group that ends the decoder
};

const std::string id(32, 'a');
const std::string path = "/snapshot/" + id + ".jpg";

std::future<std::string> request(const World& w, const std::string& target = path) {
  return std::async(std::launch::async, [&w, target] { return http(w, get(target)); });
}

Bytes unit(std::size_t size) { return Bytes(size, std::byte{1}); }

}  // namespace

TEST_CASE("targets of snapshots and streams are parsed strictly") {
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

TEST_CASE("a camera is found by its id or by a unique name") {
  watch::CameraStatus door, other;
  door.name = "Door";
  door.member = other.member = true;
  std::array<std::byte, 20> bytes{};
  bytes[0] = std::byte{1};
  other.id = DeviceId(bytes);
  other.name = id;  // the id of another camera as a name
  CHECK(find_camera({door, other}, "Door") == door.id);
  CHECK(find_camera({other, door}, id) == door.id);
  CHECK(find_camera({door, other}, "door").error().code == Errc::not_found);
  auto twin = other;
  twin.name = "Door";
  CHECK(find_camera({door, twin}, "Door").error().code == Errc::conflict);
  CHECK(media_failure(find_camera({door, twin}, "Door").error()).body.contains(id + ", " + twin.id.to_string()));
  door.member = false;
  CHECK(find_camera({door}, "Door").error().code == Errc::not_found);
  CHECK(find_camera({door}, id).error().code == Errc::not_found);
}

TEST_CASE("the id of a camera that this hub does not show is never the name of another camera") {
  watch::CameraStatus hidden, other;
  other.member = true;
  std::array<std::byte, 20> bytes{};
  bytes[0] = std::byte{1};
  other.id = DeviceId(bytes);
  for (const auto& name : {id, std::string(32, 'A')}) {
    other.name = name;
    CHECK(find_camera({hidden, other}, id).error().code == Errc::not_found);
    CHECK(find_camera({other}, name).error().code == Errc::not_found);
  }
}

TEST_CASE("times have the formats of HTTP and RFC 3339") {
  const CaptureTime time{1'790'000'000'250'999us};
  CHECK(rfc3339(time) == "2026-09-21T14:13:20.250Z");
  CHECK(http_date(time) == "Mon, 21 Sep 2026 14:13:20 GMT");
  CHECK(rfc3339(CaptureTime{253'402'300'799'999'999us}) == "9999-12-31T23:59:59.999Z");
  for (const auto impossible : {std::chrono::microseconds(253'402'300'800'000'000), std::chrono::microseconds::max(),
                                std::chrono::microseconds::min(), std::chrono::microseconds(-62'167'219'200'000'001)}) {
    CHECK_FALSE(rfc3339(CaptureTime{impossible}));
    CHECK_FALSE(http_date(CaptureTime{impossible}));
  }
}

TEST_CASE("a recording that ends the decoder does not end live snapshots, and the other way round") {
  FakeMedia media;
  sealcam::test::FakeArchive archive;
  const auto begin = CaptureTime{1'790'000'000'000'000us};
  archive.add(begin, unit(77), true);
  World w(&media, &archive);
  w.on_network([&] { w.backend.known[0].watched = true; });
  const auto recorded = "/recordings/" + id + ".jpg?at=1790000000000000";
  media.failing_size_ = 77;
  CHECK(http(w, get(recorded)).starts_with("HTTP/1.1 5"));
  w.show_live(key, 1, unit(10));
  CHECK(http(w, get(path)).starts_with("HTTP/1.1 200"));
  // The control: the recording has its pause.
  media.failing_size_ = 0;
  CHECK(http(w, get(recorded)).starts_with("HTTP/1.1 5"));
  w.advance(11s);
  CHECK(http(w, get(recorded)).starts_with("HTTP/1.1 200"));
  w.on_network([&] { w.backend.known[0].watched = true; });  // the interest ended meanwhile
  media.failing_size_ = 12;
  w.show_live(key, 2, unit(12));
  CHECK(http(w, get(path)).starts_with("HTTP/1.1 5"));
  CHECK(http(w, get(recorded)).starts_with("HTTP/1.1 200"));
}

TEST_CASE("the newest picture of a watched camera is the answer at once") {
  FakeMedia media;
  World w(&media);
  w.on_network([&] { w.backend.known[0].watched = true; });
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

TEST_CASE("a camera without clients is requested first, and the answer is a newer picture") {
  FakeMedia media;
  World w(&media);
  w.show_live(key, 1, unit(10));  // LIVE, but older than the request
  auto answer = request(w);
  REQUIRE(w.eventually([&] { return w.backend.desired.size() == 1; }));
  w.advance(1s);
  w.show_live(delta, 2, unit(20), 1001ms);  // its challenge is older than the request
  CHECK(answer.wait_for(100ms) == std::future_status::timeout);
  w.show_live(delta, 3, unit(30), 1000ms);
  CHECK(answer.get().ends_with("still 10 20 30"));
  // The interest lasts a few seconds for clients that poll.
  w.advance(3900ms);
  CHECK(w.on_network([&] { return w.backend.desired.size(); }) == 1);
  w.advance(200ms);
  CHECK(w.on_network([&] { return w.backend.desired.size(); }) == 0);
}

TEST_CASE("a STALE picture is sent only with ?stale=allow") {
  FakeMedia media;
  World w(&media);
  w.show_live(key, 1, unit(10));
  w.advance(10s);
  for (const bool allowed : {false, true}) {
    auto answer = request(w, path + (allowed ? "?stale=allow" : ""));
    REQUIRE(w.eventually([&] { return w.backend.desired.size() == 1; }));
    w.advance(2900ms);
    CHECK(answer.wait_for(100ms) == std::future_status::timeout);
    w.advance(200ms);
    const auto text = answer.get();
    CHECK(text.starts_with(allowed ? "HTTP/1.1 200" : "HTTP/1.1 503"));
    CHECK(text.contains(allowed ? "X-Sealcam-State: STALE\r\n" : "There is no live picture"));
    CHECK(text.ends_with("still 10") == allowed);
    w.advance(5s);
    CHECK(w.on_network([&] { return w.backend.desired.empty(); }));
  }
}

TEST_CASE("a picture that becomes STALE while it is decoded is rejected") {
  FakeMedia media;
  World w(&media);
  w.on_network([&] { w.backend.known[0].watched = true; });
  media.hold();
  w.show_live(key, 1, unit(10));
  auto answer = request(w);
  REQUIRE(w.eventually([&] { return media.decoding(); }));
  w.advance(5s);
  media.release();
  CHECK(answer.get().starts_with("HTTP/1.1 503"));
}

TEST_CASE("a picture that is decoded while the machine sleeps is STALE, and has its true age") {
  for (const bool allowed : {false, true}) {
    FakeMedia media;
    World w(&media);
    w.on_network([&] { w.backend.known[0].watched = true; });
    w.show_live(key, 1, unit(10));
    media.hold();
    auto waiting = request(w, allowed ? path + "?stale=allow" : path);
    REQUIRE(w.eventually([&] { return media.decoding(); }));
    w.on_network([&] { w.clock.suspend(30s); });
    media.release();
    const auto answer = waiting.get();
    CHECK(answer.starts_with(allowed ? "HTTP/1.1 200" : "HTTP/1.1 503"));
    CHECK(answer.contains("X-Sealcam-State: STALE\r\n") == allowed);
    CHECK(answer.contains("X-Sealcam-Age-Ms: 30040\r\n") == allowed);
  }
}

TEST_CASE("a camera without a picture, and an unknown camera") {
  FakeMedia media;
  World w(&media);
  CHECK(http(w, get("/snapshot/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba.jpg")).contains("/api/state lists the cameras"));
  CHECK(http(w, get("/live/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba.ts")).starts_with("HTTP/1.1 404"));
  CHECK(http(w, get(path, "evil.example")).starts_with("HTTP/1.1 403"));
  CHECK(http(w, get(path, "localhost", "Origin: http://evil.example\r\n")).starts_with("HTTP/1.1 403"));
  CHECK(w.on_network([&] { return w.backend.changes; }) == 0);
  auto answer = request(w, path + "?stale=allow");
  REQUIRE(w.eventually([&] { return w.backend.desired.size() == 1; }));
  w.advance(3100ms);
  CHECK(answer.get().contains("There is no picture of this camera"));
}

TEST_CASE("waiting requests share one decoding, and too many decodings are rejected") {
  FakeMedia media;
  World w(&media);
  media.hold();
  std::vector<std::future<std::string>> together, more;
  for (int i = 0; i < 10; ++i) together.push_back(request(w));
  REQUIRE(w.eventually([&] { return w.backend.changes > 0; }));
  std::this_thread::sleep_for(200ms);  // until all ten wait, which the test cannot observe
  w.show_live(key, 1, unit(10), 0ms);
  for (int i = 0; i < 10; ++i) more.push_back(request(w));
  std::size_t rejected = 0;
  for (auto& f : more)
    if (f.wait_for(1s) == std::future_status::ready) rejected += f.get().contains("Retry-After");
  CHECK(rejected >= 10 - Worker::max_waiting - 1);
  CHECK(rejected < 10);
  media.release();
  for (auto& f : together) CHECK(f.get().ends_with("still 10"));
}

TEST_CASE("players that connect while a snapshot is decoded are not rejected") {
  std::array<std::byte, DeviceId::size> camera{};
  camera[0] = std::byte{1};
  std::promise<void> release;
  std::atomic<int> opened = 0;
  {
    Worker worker;
    REQUIRE(worker.submit(DeviceId(camera), [done = release.get_future()]() mutable { done.wait(); }));
    for (std::size_t i = 0; i + 1 < ServerShared::max_connections; ++i) CHECK(worker.submit_stream([&] { ++opened; }));
    CHECK(opened == 0);
    std::promise<void> last;
    auto ended = last.get_future();
    REQUIRE(worker.submit_stream([&] { last.set_value(); }));
    release.set_value();
    ended.wait();
  }
  CHECK(opened == static_cast<int>(ServerShared::max_connections) - 1);
}

TEST_CASE("the cameras take turns at the worker") {
  std::array<std::byte, DeviceId::size> bytes{};
  bytes[0] = std::byte{1};
  const DeviceId a, b(bytes);
  std::string order;  // of the worker, until it ended
  std::promise<void> started, gate, done;
  const auto job = [&](char letter) {
    return [&, letter] {
      order += letter;
      if (order.size() == 4) done.set_value();
    };
  };
  Worker worker;
  REQUIRE(worker.submit(a, [&, first = job('a')] {
    started.set_value();
    gate.get_future().wait();
    first();
  }));
  started.get_future().wait();
  CHECK(worker.submit(a, job('a')));
  CHECK(worker.submit(a, job('a')));
  CHECK_FALSE(worker.submit(a, job('a')));
  CHECK(worker.submit(b, job('b')));
  gate.set_value();
  done.get_future().wait();
  CHECK(order == "abaa");
}

TEST_CASE("the hub stops while a snapshot waits or is decoded") {
  for (const bool made : {false, true}) {
    FakeMedia media;
    auto w = std::make_unique<World>(&media);
    auto answer = request(*w);
    REQUIRE(w->eventually([&] { return w->backend.desired.size() == 1; }));
    media.hold();
    if (made) w->show_live(key, 1, unit(10), 0ms);
    const auto later = std::async(std::launch::async, [&] {
      std::this_thread::sleep_for(50ms);  // so that stop() must wait for the worker
      media.release();
    });
    w.reset();
    CHECK_FALSE(answer.get().contains("200 OK"));
  }
}

TEST_CASE("waiting and running snapshots fail when the camera is blocked") {
  FakeMedia media;
  World w(&media);
  const auto block = [&] {
    w.on_network([&] {
      w.backend.known[0].reason = watch::Reason::cloned;
      w.server->withdraw(DeviceId());
    });
  };
  SECTION("waiting for a picture") {
    auto answer = request(w);
    REQUIRE(w.eventually([&] { return w.backend.desired.contains(DeviceId()); }));
    block();
    CHECK(answer.get().starts_with("HTTP/1.1 403"));
  }
  SECTION("being decoded") {
    w.on_network([&] { w.backend.known[0].watched = true; });
    w.show_live(key, 1, unit(10));
    media.hold();
    auto answer = request(w);
    REQUIRE(w.eventually([&] { return w.backend.desired.contains(DeviceId()); }));
    block();
    media.release();
    CHECK(answer.get().starts_with("HTTP/1.1 403"));
  }
}
