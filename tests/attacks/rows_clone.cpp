// SPDX-License-Identifier: Apache-2.0
// Two devices with one identity: a copied SD card, or a stolen state folder.
#include <stdexcept>

#include "attacks/moves.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

watch::Reason reason(Arena& arena) {
  const auto status = arena.home.hub().watcher().camera(arena.home.camera().id());
  return status ? status->reason : watch::Reason::none;
}

/// Runs the arena with a second device.
void run_with(Arena& arena, CameraSide& twin, std::chrono::milliseconds timeout, const std::function<bool()>& done) {
  for (auto left = timeout; left > 0ms && !done(); left -= Arena::step) {
    twin.capture(300);
    twin.tick();
    arena.run(Arena::step);
  }
}

Sent two_devices(Arena& arena, int n) {
  auto& camera = arena.home.camera();
  auto& screen = arena.home.hub().screen();
  until_live(arena);  // the camera starts first, because the screen cannot order two cameras that start together
  const auto live = screen.live();
  CameraSide twin(arena.ground, arena.home.owner(), camera.actor(), camera.number());
  twin.continue_after(camera, 1000);  // the screen expects growing serials
  twin.restart();
  run_with(arena, twin, 20s, [&] { return reason(arena) == watch::Reason::cloned; });
  if (reason(arena) != watch::Reason::cloned) throw std::runtime_error("the hub did not detect two devices");
  Sent sent{0, {}, screen.live() - live};
  const auto shown = screen.shown();
  // A hub without the check would show each of these pictures.
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
  row.name = "two cameras use one copied state folder";
  row.rejected_as = "cloned";
  row.control_is = "pictures shown before both cameras answered";
  row.note = "a restarted hub needs a new proof";
  row.uncounted = true;
  row.n = 10;
  row.strike = two_devices;
  rows.push_back(row);
}

}  // namespace sealcam::attacks
