// SPDX-License-Identifier: Apache-2.0
// The bytes that the updater of a card image reads: RAUC's answers, its own state, and the camera's files.
#include <algorithm>

#include "base/format.hpp"
#include "input.hpp"
#include "update/camera.hpp"
#include "update/release.hpp"
#include "update/state.hpp"

using namespace sealcam;

namespace {

bool is_printable(std::string_view text) { return printable(text, update::max_shown) == text; }

void check_release(std::string_view text) {
  const auto release = update::parse_release(text);
  if (!release) return SC_ASSERT(!release.error().empty() && is_printable(release.error()));
  SC_ASSERT(release->minimum <= release->version && release->share <= update::everyone && release->hash.size() == 64);
  SC_ASSERT(update::parse_version(to_string(release->version)) == release->version);
  SC_ASSERT(update::parse_share(to_string(release->share)) == release->share);
}

void check_slots(std::string_view text) {
  const auto slots = update::parse_slots(text);
  if (!slots) return SC_ASSERT(!slots.error().empty() && is_printable(slots.error()));
  SC_ASSERT(!slots->running.name.empty() && !slots->other.name.empty() && slots->running.name != slots->other.name);
}

/// A state that was read is the same after it is written and read again, and fits into its file.
void check_state(std::string_view text) {
  const auto state = update::parse_state(text);
  if (!state) return;
  const auto written = to_json(*state);
  const auto again = update::parse_state(written);
  SC_ASSERT(again && to_json(*again) == written && written.size() <= 4096);
  SC_ASSERT(!state->last || is_printable(state->last->reason));
}

void check_camera(std::string_view text) {
  (void)update::listens(text, 8421);
  if (const auto status = update::parse_camera_status(text)) SC_ASSERT(is_printable(status->fault));
  const auto consent = update::parse_consent(text);
  if (consent)
    SC_ASSERT(consent->until >= 0 && (consent->action != update::Consent::Action::reject || consent->version));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const auto text = in.text();
  switch (choice % 4) {
    case 0: check_release(text); break;
    case 1: check_slots(text); break;
    case 2: check_state(text); break;
    case 3: check_camera(text); break;
  }
  return 0;
}
