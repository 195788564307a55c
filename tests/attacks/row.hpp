// SPDX-License-Identifier: Apache-2.0
/// One attack, and its result.
#pragma once

#include "attacks/naive_hub.hpp"

namespace sealcam::attacks {

/// Number per counter; see counts().
using Counts = std::map<std::string, std::uint64_t>;

/// The messages that an attack sent, and the expected counters.
struct Sent {
  std::uint64_t messages = 0;
  Counts rejected{};
  /// Number of shown or applied valid messages. For rows without a naive hub.
  std::uint64_t control = 0;
};

struct Row {
  std::string name;
  std::string rejected_as;                  ///< for the table
  std::string control_is;                   ///< the valid messages, or the check that the naive hub skips
  std::function<Sent(Arena&, int)> strike;  ///< sends about n messages; ends with stop_attack()
  int n = 10;
  ArenaOptions options{};
  Without without = Without::nothing;          ///< nothing: the control is Sent::control
  bool neighbor_keys = false;                  ///< the naive hub also has the neighbor's keys
  std::set<std::string> also{};                ///< counters that unmodified devices also increase
  bool uncounted = false;                      ///< the attack restarts devices, so the counters start again
  bool stale = false;                          ///< no picture may be LIVE during the strike
  std::string note{};                          ///< why the number of rejections differs from the number of messages
  std::function<void(Arena&)> before_start{};  ///< adds devices, before the naive hub joins
  /// An attack on an operator or an owner, without cameras and hubs. It replaces the three runs.
  std::function<void(const Row&, struct Outcome&)> alone{};
};

struct Outcome {
  std::uint64_t messages = 0;
  Counts rejected;
  std::uint64_t wrong = 0;
  std::uint64_t control = 0;
  std::int64_t grown = 0;  ///< memory after 10 n messages minus memory after n messages, in bytes
  std::int64_t peak = 0;   ///< maximum memory minus memory at the start, in bytes
  std::chrono::milliseconds took{0};
  std::vector<std::string> deviations;  ///< empty: the result is as expected
};

/// Runs the attack twice in one arena, with n and 10 n messages. Then runs it with a restart of the hub, and with a
/// restart of the camera.
[[nodiscard]] Outcome run(const Row& row);

/// The counters of the first account's hub and cameras since their last start: "frame REASON" and "control REASON"
/// (hub), "request REASON", "roster rejected", "command rejected" and "unknown topic" (camera), "held back",
/// "overload".
[[nodiscard]] Counts counts(Arena& arena);

/// All rows, in the order of the table.
[[nodiscard]] const std::vector<Row>& all_rows();

void add_message_rows(std::vector<Row>& rows);
void add_moved_rows(std::vector<Row>& rows);
void add_time_rows(std::vector<Row>& rows);
void add_clock_rows(std::vector<Row>& rows);
void add_order_rows(std::vector<Row>& rows);
void add_key_rows(std::vector<Row>& rows);
void add_hostile_rows(std::vector<Row>& rows);
void add_insider_rows(std::vector<Row>& rows);
void add_roster_rows(std::vector<Row>& rows);
void add_hub_state_rows(std::vector<Row>& rows);
void add_clone_rows(std::vector<Row>& rows);
void add_command_rows(std::vector<Row>& rows);
void add_privacy_rows(std::vector<Row>& rows);
void add_prekey_rows(std::vector<Row>& rows);
void add_request_rows(std::vector<Row>& rows);
void add_size_rows(std::vector<Row>& rows);
void add_storage_rows(std::vector<Row>& rows);
void add_operator_rows(std::vector<Row>& rows);
void add_recording_rows(std::vector<Row>& rows);
void add_past_rows(std::vector<Row>& rows);

}  // namespace sealcam::attacks
