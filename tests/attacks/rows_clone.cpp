// SPDX-License-Identifier: Apache-2.0
// Two devices that live with one identity: a card copied bit by bit, a stolen state folder.
#include <stdexcept>

#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

watch::Reason reason(Arena& arena) {
  const auto status = arena.home.hub().watcher().camera(arena.home.camera().id());
  return status ? status->reason : watch::Reason::none;
}

/// The arena's time goes on with a second device in it.
void run_with(Arena& arena, CameraSide& twin, std::chrono::milliseconds patience, const std::function<bool()>& done) {
  for (auto left = patience; left > 0ms && !done(); left -= Arena::step) {
    twin.capture(300);
    twin.tick();
    arena.run(Arena::step);
  }
}

Sent two_devices(Arena& arena, int n) {
  auto& camera = arena.home.camera();
  auto& screen = arena.home.hub().screen();
  until_live(arena);  // the camera first: between two that begin together the screen's judge knows no order
  const auto live = screen.live();
  CameraSide twin(arena.ground, arena.home.owner(), camera.actor(), camera.number());
  twin.continue_after(camera, 1000);  // the screen's judge knows one order of serials
  twin.restart();
  run_with(arena, twin, 20s, [&] { return reason(arena) == watch::Reason::cloned; });
  if (reason(arena) != watch::Reason::cloned) throw std::runtime_error("two devices were not told apart");
  Sent sent{0, {}, screen.live() - live};
  const auto shown = screen.shown();
  // A hub that believed them would show each of these.
  const auto until = arena.clock.monotonic() + 200ms * n;
  arena.every_step = [&] { ++sent.messages; };
  run_with(arena, twin, 200ms * n, [&] { return arena.clock.monotonic() >= until; });
  arena.every_step = nullptr;
  if (screen.shown() != shown) throw std::runtime_error("a picture of a cloned camera was shown");
  twin.stop();
  camera.continue_after(twin);
  camera.restart();
  arena.home.hub().restart();
  arena.settle();
  return sent;
}

}  // namespace

void add_clone_rows(std::vector<Row>& rows) {
  Row row;
  row.name = "two cameras live with one copied state folder";
  row.refused_as = "cloned: nothing of either";
  row.control_is = "pictures shown before both had answered";
  row.note = "begins anew with the hub, which then needs a new proof";
  row.uncounted = true;
  row.n = 10;
  row.strike = two_devices;
  rows.push_back(row);
}

}  // namespace sealcam::attacks
