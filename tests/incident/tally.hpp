// SPDX-License-Identifier: Apache-2.0
/// What an arm of the experiment counts and keeps for the report.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sealcam::incident {

enum class Arm : std::uint8_t { sealed, plain };
[[nodiscard]] constexpr const char* name(Arm arm) noexcept { return arm == Arm::sealed ? "sealed" : "plain"; }

/// "Pictures" here are those that stand alone, stills and key frames, unless deltas are named.
struct Tally {
  std::uint64_t requests = 0;
  std::uint64_t slow_requests = 0;  ///< asks whose origin was slow, by the inferred delay model

  // Arrived at the hubs.
  std::uint64_t stills = 0;
  std::uint64_t keys = 0;
  std::uint64_t deltas = 0;
  std::uint64_t wrong_stills = 0;  ///< of another account's camera
  std::uint64_t wrong_keys = 0;
  std::uint64_t damaged = 0;

  // What became of them.
  std::uint64_t opened_wrongly = 0;  ///< passed signature and AEAD although of another camera, or damaged
  std::uint64_t unchecked = 0;       ///< wait for the verifying threads; zero in the end
  std::uint64_t overload = 0;        ///< dropped unverified, since the verifying threads were too busy
  std::uint64_t forced = 0;          ///< wrong pictures that were tried with the hub's own key, all checks left out
  std::uint64_t forced_opened = 0;
  std::uint64_t forced_control = 0;  ///< own pictures that the same trial opened
  std::uint64_t shown_own = 0;       ///< by the pixels
  std::uint64_t shown_wrongly = 0;   ///< pixels of another account's camera
  std::uint64_t shown_unreadable = 0;
  std::uint64_t film_pictures = 0;  ///< pictures of whole films, deltas included, whose pixels were read
  std::uint64_t film_wrong = 0;     ///< of them another account's camera's
  std::uint64_t own_whole = 0;      ///< own pictures that arrived whole and newer than what had arrived
  std::uint64_t own_whole_shown = 0;
  std::map<std::string, std::uint64_t> refused;

  [[nodiscard]] double share_shown() const noexcept {
    return own_whole == 0 ? 0 : static_cast<double>(own_whole_shown) / static_cast<double>(own_whole);
  }
};

/// One picture on a hub's screen.
struct Shown {
  std::optional<std::uint16_t> camera;  ///< as read from the pixels; nothing: unreadable
  int image = -1;                       ///< of the gallery; -1: not kept
  bool damaged = false;
};

/// What one hub saw in answer to one "show me my camera".
struct Answer {
  std::vector<Shown> shown;
  std::vector<std::uint16_t> strangers;  ///< cameras whose pictures were delivered to this hub
  std::uint32_t damaged = 0;             ///< pictures that arrived damaged
};

struct ArmResult {
  Arm arm = Arm::sealed;
  Tally tally;
  std::vector<std::vector<Answer>> hubs;  ///< by account, then by request; kept for those on the contact sheet
  double connect_seconds = 0;
  double seconds = 0;
  std::uint64_t broker_kib = 0;  ///< largest resident memory of both Mosquittos together
  std::uint64_t link_failed = 0;
  std::vector<std::string> complaints;  ///< warnings and errors of the code under test, the first few
};

}  // namespace sealcam::incident
