// SPDX-License-Identifier: Apache-2.0
/// One attack as data, and what came of it.
#pragma once

#include "attacks/naive_viewer.hpp"

namespace sealcam::attacks {

/// Counter to number; see counts().
using Counts = std::map<std::string, std::uint64_t>;

/// What an attack sent, and what must be counted for it.
struct Sent {
  std::uint64_t messages = 0;
  Counts refused{};
  /// What was shown or obeyed of the unharmed or rightful counterpart; rows without a naive viewer.
  std::uint64_t control = 0;
};

struct Row {
  std::string name;
  std::string refused_as;                   ///< for people
  std::string control_is;                   ///< the counterpart, or what the naive viewer leaves out
  std::function<Sent(Arena&, int)> strike;  ///< with n attack messages or so; lets go of everything at its end
  int n = 10;
  ArenaOptions options{};
  Without without = Without::nothing;          ///< nothing: the control is Sent::control
  bool neighbour_keys = false;                 ///< the naive viewer holds the neighbour's keys, too
  std::set<std::string> also{};                ///< counters that honest devices move meanwhile
  bool uncounted = false;                      ///< restarts devices itself, so that counters begin anew
  bool stale = false;                          ///< no picture may be LIVE during the strike
  std::string note{};                          ///< why the figure of refusals is not the number of messages
  std::function<void(Arena&)> before_start{};  ///< more devices, before the naive viewer joins
};

struct Outcome {
  std::uint64_t messages = 0;
  Counts refused;
  std::uint64_t wrong = 0;
  std::uint64_t control = 0;
  std::int64_t grown = 0;  ///< bytes held after ten times as many messages, against after the first
  std::int64_t peak = 0;   ///< bytes, above what was held before
  std::chrono::milliseconds took{0};
  std::vector<std::string> deviations;  ///< empty: as it must be
};

/// Twice in one arena, with n and 10 n; then with the hub restarted in the middle, then with the camera.
[[nodiscard]] Outcome run(const Row& row);

/// All refusals and oddities that the first account's hub and cameras counted in their present runs: "frame REASON",
/// "control REASON" (hub), "ask REASON", "roster refused", "command refused",
/// "foreign topic" (camera), "held back", "overload".
[[nodiscard]] Counts counts(Arena& arena);

/// Every row, in the order of the table.
[[nodiscard]] const std::vector<Row>& all_rows();

void add_message_rows(std::vector<Row>& rows);
void add_moved_rows(std::vector<Row>& rows);
void add_time_rows(std::vector<Row>& rows);
void add_order_rows(std::vector<Row>& rows);
void add_key_rows(std::vector<Row>& rows);
void add_insider_rows(std::vector<Row>& rows);
void add_roster_rows(std::vector<Row>& rows);
void add_clone_rows(std::vector<Row>& rows);
void add_command_rows(std::vector<Row>& rows);
void add_ask_rows(std::vector<Row>& rows);
void add_size_rows(std::vector<Row>& rows);

}  // namespace sealcam::attacks
