// SPDX-License-Identifier: Apache-2.0
/// The counters and pictures of one arm, for the report.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sealcam::incident {

enum class Arm : std::uint8_t { sealed, plain };
[[nodiscard]] constexpr const char* name(Arm arm) noexcept { return arm == Arm::sealed ? "sealed" : "plain"; }

/// "Pictures" are stills and key frames, unless deltas are named.
struct Tally {
  std::uint64_t requests = 0;
  std::map<std::string, std::uint64_t> relay;  ///< counters of the inferred model

  // Delivered to the hubs.
  std::uint64_t stills = 0;
  std::uint64_t keys = 0;
  std::uint64_t deltas = 0;
  std::uint64_t wrong_stills = 0;  ///< of another account's camera
  std::uint64_t wrong_keys = 0;
  std::uint64_t damaged = 0;

  // Handled by the hubs.
  std::uint64_t opened_wrongly = 0;  ///< damaged or of another camera, but passed signature and AEAD
  std::uint64_t unchecked = 0;       ///< wait for the verifying threads; zero at the end
  std::uint64_t overload = 0;        ///< dropped without a check, because the verifying threads were busy
  std::uint64_t forced = 0;          ///< wrong pictures that were tried with the hub's own key, without other checks
  std::uint64_t forced_opened = 0;
  std::uint64_t forced_control = 0;  ///< own pictures that opened in the same way
  std::uint64_t shown_own = 0;       ///< by their pixels
  std::uint64_t shown_wrongly = 0;   ///< pixels of another account's camera
  std::uint64_t shown_unreadable = 0;
  std::uint64_t film_pictures = 0;  ///< pictures of fully decoded streams, with deltas
  std::uint64_t film_wrong = 0;     ///< of these, of another account's camera
  std::uint64_t own_whole = 0;      ///< own pictures that arrived undamaged and in order
  std::uint64_t own_whole_shown = 0;
  std::map<std::string, std::uint64_t> rejected;

  [[nodiscard]] double share_shown() const noexcept {
    return own_whole == 0 ? 0 : static_cast<double>(own_whole_shown) / static_cast<double>(own_whole);
  }
};

/// One picture on a hub's screen.
struct Shown {
  std::optional<std::uint16_t> camera;  ///< read from the pixels; nothing: unreadable
  int image = -1;                       ///< index in the gallery; -1: not kept
  bool damaged = false;
};

/// The pictures that one hub received and showed for one request.
struct Answer {
  std::vector<Shown> shown;
  std::vector<std::uint16_t> strangers;  ///< cameras whose pictures were delivered to this hub
  std::uint32_t damaged = 0;             ///< pictures that arrived damaged
};

struct ArmResult {
  Arm arm = Arm::sealed;
  Tally tally;
  std::size_t accounts = 0;               ///< that ran
  std::vector<std::vector<Answer>> hubs;  ///< by account, then by request; for the contact sheet only
  double connect_seconds = 0;
  double seconds = 0;
  std::uint64_t broker_kib = 0;  ///< maximum resident memory of both brokers
  std::uint64_t link_failed = 0;
  std::vector<std::string> log_lines;  ///< the first warnings and errors of the code under test
};

}  // namespace sealcam::incident
