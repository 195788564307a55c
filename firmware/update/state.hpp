// SPDX-License-Identifier: Apache-2.0
/// What the updater remembers across restarts and power cuts, and its report to the camera.
///
/// The state file is JSON of format 1. The programs of both slots read it, so later versions only add members, and a
/// reader ignores members that it does not know.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "update/release.hpp"

namespace sealcam::update {

/// The parts of a camera that a new version must not break.
struct Works {
  bool sensor = false;  ///< delivers pictures
  bool epoch = false;   ///< an epoch begins
  bool broker = false;  ///< the broker acknowledges grants
  friend bool operator==(const Works&, const Works&) = default;
};
/// Whether everything in `required` works.
[[nodiscard]] constexpr bool contains(const Works& now, const Works& required) noexcept {
  return (now.sensor || !required.sensor) && (now.epoch || !required.epoch) && (now.broker || !required.broker);
}

/// A version that is installed in the slot `slot` and not confirmed.
struct Trial {
  Version version, minimum;
  std::string slot;
  unsigned starts = 0;           ///< counted before each restart into the slot
  std::chrono::seconds spent{};  ///< while the version ran
  bool seen = false;             ///< the version's updater ran
  Works required{};              ///< what worked before
  std::string verdict{};         ///< why the version failed; empty: it did not
  bool transient = false;        ///< another attempt may succeed: only the broker was missing
};

/// A version that was tried and failed.
struct Failed {
  Version version;
  unsigned tries = 0;
  bool final = false;  ///< only the owner starts it again
};
/// Failed versions that the state keeps.
inline constexpr std::size_t max_failed = 4;
/// Attempts of a version that another attempt may repair.
inline constexpr unsigned max_tries = 3;

/// A version that waits for the night or for the owner.
struct Waiting {
  Version version;
  std::chrono::seconds running{};  ///< time that the board ran since the version was offered
};

enum class Outcome : std::uint8_t { installed, rolled_back, rejected, failed };
[[nodiscard]] std::string_view name(Outcome outcome) noexcept;
struct Last {
  std::optional<Version> version;
  Outcome outcome = Outcome::installed;
  std::string reason;   ///< for people, printable; empty if installed
  std::int64_t at = 0;  ///< seconds since the Unix epoch; 0: the clock was not set
  friend bool operator==(const Last&, const Last&) = default;
};

struct State {
  Version minimum;            ///< no version below this one starts on the board
  Works worked{};             ///< of the running, confirmed version
  std::uint64_t started = 0;  ///< Consent::number of the last start that counts no more; 0 for an unpaired camera
  std::optional<Waiting> waiting{};
  std::optional<Trial> trial{};
  std::vector<Failed> failed{};  ///< at most max_failed; the newest failure is the last one
  std::optional<Last> last{};

  [[nodiscard]] std::optional<Failed> failure_of(const Version& version) const;
  /// The version of the trial runs in each slot that an ordinary start selects.
  void complete_trial();
  /// The version before the trial runs again.
  void roll_back();
};

[[nodiscard]] std::string to_json(const State& state);
/// Errors: malformed, unsupported (another format).
[[nodiscard]] Result<State> parse_state(std::string_view json);

/// Thread-bound.
class StateStore {
 public:
  virtual ~StateStore() = default;
  /// Nothing if nothing was stored. Errors: malformed, unsupported, exhausted, permission, io.
  [[nodiscard]] Result<std::optional<State>> load() const { return do_load(); }
  /// Durable when it returns; a power cut leaves the old or the new state. Errors: permission, io.
  [[nodiscard]] Result<> store(const State& state) { return do_store(state); }

 private:
  [[nodiscard]] virtual Result<std::optional<State>> do_load() const = 0;
  [[nodiscard]] virtual Result<> do_store(const State& state) = 0;
};

/// A file with reserved space, so that a full data partition does not stop a rollback.
class StateFile final : public StateStore {
 public:
  explicit StateFile(std::filesystem::path path);
  /// Errors: permission, io.
  [[nodiscard]] Result<> prepare() { return file_.reserve(); }

 private:
  [[nodiscard]] Result<std::optional<State>> do_load() const override;
  [[nodiscard]] Result<> do_store(const State& state) override;
  ReservedFile file_;
};

/// The last poll of the channel.
struct Poll {
  std::int64_t at = 0;  ///< last success in seconds since the Unix epoch; 0: none, or the clock was not set
  std::string error{};  ///< why the last one failed, for people, printable; empty: it did not
  friend bool operator==(const Poll&, const Poll&) = default;
};

/// For the camera, which reports it to the owner.
struct Status {
  enum class Phase : std::uint8_t { idle, offered, deferred, rejected, downloading, restart, trial };
  Version version;   ///< running
  std::string slot;  ///< running; empty until it is known
  Phase phase = Phase::idle;
  std::optional<Release> offer{};
  std::optional<Last> last{};
  std::optional<Poll> poll{};  ///< none before the first one
  friend bool operator==(const Status&, const Status&) = default;
};
/// One line of JSON.
[[nodiscard]] std::string to_json(const Status& status);

/// The owner's decision, which the camera stores as {"action", "version", "until", "number"}.
struct Consent {
  enum class Action : std::uint8_t { automatic, start, defer, reject };
  Action action = Action::automatic;
  std::optional<Version> version;  ///< to start or reject; none: the version of the next poll (start only)
  std::int64_t until = 0;          ///< end of a deferral, in seconds since the Unix epoch
  std::uint64_t number = 0;        ///< of the owner's command; a larger one is newer
  friend bool operator==(const Consent&, const Consent&) = default;
};
/// Errors: malformed.
[[nodiscard]] Result<Consent> parse_consent(std::string_view json);

}  // namespace sealcam::update
