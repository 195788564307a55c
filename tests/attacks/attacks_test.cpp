// SPDX-License-Identifier: Apache-2.0
// Each row of the table of attacks is a test case.
#include <catch2/catch_test_macros.hpp>
#include <catch2/internal/catch_test_registry.hpp>

#include "attacks/row.hpp"
#include "base/testing/fakes.hpp"

using namespace sealcam;
using namespace sealcam::attacks;

namespace {

class RowTest final : public Catch::ITestInvoker {
 public:
  explicit RowTest(const Row& row) : row_(row) {}
  void invoke() const override {
    const auto outcome = run(row_);
    for (const auto& deviation : outcome.deviations) UNSCOPED_INFO(deviation);
    CHECK(outcome.deviations.empty());
    CHECK(outcome.wrong == 0);
    CHECK(outcome.control > 0);
  }

 private:
  const Row& row_;
};

/// ctest splits names at ';' and ','.
std::string test_name(std::string name) {
  for (char& c : name)
    if (c == ',' || c == ';') c = ' ';
  return name;
}

const bool registered = [] {
  for (const auto& row : all_rows()) {
    const auto name = test_name(row.name);
    const Catch::AutoReg reg(Catch::Detail::make_unique<RowTest>(row), CATCH_INTERNAL_LINEINFO, Catch::StringRef(),
                             Catch::NameAndTags(name, "[attacks]"));
  }
  return true;
}();

}  // namespace

TEST_CASE("the screen counts each wrong picture, and no other picture") {
  FakeClock clock;
  Screen screen(clock);
  const Actor camera, other;
  screen.expect(camera.id(), 1);
  std::uint64_t counter = 0;
  const auto show = [&](const DeviceId& tile, const Drawing& d, bool live, std::optional<std::uint64_t> again = {}) {
    watch::PictureInfo info;
    info.state = live ? watch::CameraState::live : watch::CameraState::stale;
    info.counter = protocol::Counter(again.value_or(++counter));
    const auto before = screen.wrong();
    screen.on_picture(tile, info, draw(d, 100));
    return screen.wrong() - before;
  };
  const auto now = clock.monotonic();
  CHECK(show(camera.id(), {1, 1, 0, now}, true) == 0);
  CHECK(show(camera.id(), {1, 2, 1, now}, true) == 0);
  CHECK(show(camera.id(), {1, 2, 1, now}, true, counter) == 1);  // shown twice
  CHECK(show(camera.id(), {1, 1, 0, now}, false) == 1);          // older than the shown picture
  CHECK(show(camera.id(), {1, 9, 5, now}, false) == 1);          // without its reference
  CHECK(show(camera.id(), {2, 10, 0, now}, false) == 1);         // of another camera
  CHECK(show(other.id(), {1, 11, 0, now}, false) == 1);          // on another tile
  clock.advance(std::chrono::seconds(5));
  CHECK(show(camera.id(), {1, 12, 0, now}, true) == 0);
  screen.look(camera.id());
  CHECK(screen.wrong() == 5);
  clock.advance(std::chrono::milliseconds(1));
  CHECK(show(camera.id(), {1, 13, 0, now}, true) == 1);  // too old for LIVE
  screen.look(camera.id());
  CHECK(screen.wrong() == 7);
  CHECK(show(camera.id(), {1, 14, 0, now}, false) == 0);
  auto changed = draw({1, 15, 0, now}, 100);
  changed[60] ^= std::byte{1};
  screen.on_picture(camera.id(), {}, changed);
  CHECK(screen.wrong() == 8);
  screen.forbid();
  CHECK(show(camera.id(), {1, 16, 0, now}, false) == 1);
}

TEST_CASE("a hub that was off for 30 days is LIVE within 3 s") {
  // In 20 minutes without the broker, the hub deletes the prekeys to which the camera sealed its grants.
  for (const int minutes_alone : {0, 20}) {
    INFO(minutes_alone << " minutes without the broker");
    Arena arena;
    auto& hub = arena.home.hub();
    const auto advance = [&](std::chrono::minutes by) {
      arena.clock.advance(by);
      arena.hub_clock.advance(by);
    };
    const auto is_live = [&] { return hub.screen().live() > 0; };
    REQUIRE(arena.run_until(is_live, std::chrono::seconds(5)));
    const auto epochs = [&] { return arena.home.camera().epoch().value().value() >> 32; };
    const auto first = epochs();
    CHECK(hub.key(protocol::PrekeyNumber(1)) != nullptr);
    hub.sleep();
    for (int day = 0; day < 30; ++day) {
      advance(std::chrono::hours(24));
      arena.run(std::chrono::seconds(2));
    }
    CHECK(epochs() >= first + 30);
    hub.restart();
    for (int minute = 0; minute < minutes_alone; ++minute) {
      advance(std::chrono::minutes(1));
      hub.watcher().tick();
    }
    CHECK((hub.key(protocol::PrekeyNumber(1)) == nullptr) == (minutes_alone > 0));
    hub.wake();
    const auto live = hub.screen().live();
    CHECK(arena.run_until([&] { return hub.screen().live() > live; }, std::chrono::seconds(3)));
    CHECK(hub.screen().wrong() == 0);
  }
}

TEST_CASE("the arena's broker matches topic filters as MQTT defines it") {
  CHECK(matches("a/+/c", "a/b/c"));
  CHECK_FALSE(matches("a/+/c", "a/b/d"));
  CHECK_FALSE(matches("a/+", "a/b/c"));
  CHECK_FALSE(matches("a/b/c", "a/b"));
  CHECK(matches("a/b", "a/b"));
}
