// SPDX-License-Identifier: Apache-2.0
/// A camera and a hub on the shipped code, each over stores that outlive its restarts. Thread-bound.
#pragma once

#include <algorithm>
#include <memory>

#include "attacks/broker.hpp"
#include "attacks/screen.hpp"
#include "core/log.hpp"
#include "stream/publisher.hpp"
#include "support/actors.hpp"
#include "watch/inline_checker.hpp"
#include "watch/watcher.hpp"

namespace sealcam::attacks {

/// Counts lines: what a stranger can trigger must not fill a disk.
class CountingLog final : public Log {
 public:
  [[nodiscard]] std::uint64_t lines() const noexcept { return lines_; }

 private:
  void write(LogLevel, std::string_view) override { ++lines_; }
  std::uint64_t lines_ = 0;
};

class EpochMemory final : public stream::EpochStore {
  [[nodiscard]] Result<std::uint32_t> do_load() const override { return counter_; }
  Result<> do_store(std::uint32_t counter) override {
    counter_ = counter;
    return {};
  }
  std::uint32_t counter_ = 0;
};

class CameraRosterMemory final : public stream::RosterStore {
  [[nodiscard]] Result<Bytes> do_load() const override {
    if (content_.empty()) return fail(Errc::not_found, "no roster");
    return content_;
  }
  Result<> do_store(ByteView message) override;
  Bytes content_;
};

class CommandMemory final : public stream::CommandStore {
  [[nodiscard]] Result<stream::CommandRecord> do_load() const override {
    if (!record_) return fail(Errc::not_found, "no command");
    return *record_;
  }
  Result<> do_store(const stream::CommandRecord& record) override;
  std::optional<stream::CommandRecord> record_;
};

class PrivacyMemory final : public stream::PrivacyStore {
  [[nodiscard]] Result<bool> do_load() const override { return on_; }
  Result<> do_store(bool on) override {
    on_ = on;
    return {};
  }
  bool on_ = false;
};

/// How often commands changed something beyond the stream.
class ActionsMemory final : public stream::CommandActions {
 public:
  [[nodiscard]] std::uint64_t done() const noexcept { return done_; }

 private:
  Result<> do_rename(std::string_view) override { return note(); }
  Result<stream::Quality> do_change(const protocol::CameraSettings&) override {
    ++done_;
    return stream::Quality{};
  }
  Result<> do_join(const protocol::Wifi&) override { return note(); }
  Result<> note() {
    ++done_;
    return {};
  }
  std::uint64_t done_ = 0;
};

class HubRosterMemory final : public watch::RosterStore {
  [[nodiscard]] Result<std::vector<watch::StoredRoster>> do_load() const override;
  [[nodiscard]] Result<> do_save(const DeviceId& camera, ByteView message) override;
  std::map<DeviceId, Bytes> messages_;
};

class SequenceMemory final : public watch::SequenceStore {
  [[nodiscard]] Result<AskSeq> do_reserve(std::uint64_t count) override {
    const AskSeq first(free_);
    free_ += count;
    return first;
  }
  std::uint64_t free_ = 1;
};

/// What both sides stand on; outlives them.
struct Ground {
  const Clock& clock;
  Log& log;
  Broker& broker;
};

class CameraSide {
 public:
  /// `number` is drawn into each picture. `actor` and `owner` outlive it.
  CameraSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor, std::uint16_t number);

  /// A new process over the same stores.
  void restart();
  void stop() { run_.reset(); }
  /// Draws serials that are higher than those of `other` by more than `ahead`; for a screen both are one camera.
  void continue_after(const CameraSide& other, std::uint32_t ahead = 0) noexcept {
    serial_ = std::max(serial_, other.serial_ + ahead);
  }
  /// The sensor takes a picture, when somebody wants one.
  void capture(std::size_t size);
  void tick();

  [[nodiscard]] const test::Actor& actor() const noexcept { return actor_; }
  [[nodiscard]] DeviceId id() const { return actor_.id(); }
  [[nodiscard]] const protocol::Route& route() const noexcept { return route_; }
  [[nodiscard]] std::uint16_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint32_t last_serial() const noexcept { return serial_; }
  [[nodiscard]] const stream::AskCounters& asks() const noexcept { return run_->asks.counters(); }
  [[nodiscard]] const stream::Publisher& publisher() const noexcept { return run_->publisher; }
  [[nodiscard]] std::optional<Epoch> epoch() const noexcept { return run_->epochs.current(); }
  [[nodiscard]] const protocol::Roster* roster() const noexcept { return run_->roster.current(); }
  [[nodiscard]] const stream::Orders& orders() const noexcept { return run_->orders; }
  /// Items of commands that were obeyed, privacy and resets left out; over all runs.
  [[nodiscard]] std::uint64_t obeyed_items() const noexcept { return actions_.done(); }
  [[nodiscard]] Broker::Client& client() noexcept { return *run_->client; }

  bool keyframes_only = false;

 private:
  struct Run {
    Run(CameraSide& side, const crypto::Verifier& owner);
    stream::AccessUnitQueue queue{{.slots = 64, .bytes = 1U << 20, .largest = 256U << 10}};
    stream::ChallengeBoard board;
    stream::CaptureControl control{stream::Quality{}};
    stream::RosterKeeper roster;
    stream::Epochs epochs;
    stream::AskKeeper asks;
    stream::CommandKeeper commands;
    stream::Privacy privacy;
    stream::Orders orders;
    stream::Publisher publisher;
    std::unique_ptr<Broker::Client> client;
  };
  static constexpr std::uint32_t group = 10;

  Ground ground_;
  const test::Actor& owner_;
  const test::Actor& actor_;
  protocol::Route route_;
  std::uint16_t number_;
  EpochMemory epochs_;
  CameraRosterMemory rosters_;
  CommandMemory commands_;
  PrivacyMemory privacy_;
  ActionsMemory actions_;
  std::uint32_t serial_ = 0;     // over all runs
  std::uint32_t pictures_ = 0;   // of this run
  std::uint32_t reference_ = 0;  // serial of the newest encoded picture
  std::uint32_t in_group_ = 0;
  std::unique_ptr<Run> run_;
};

class HubSide {
 public:
  HubSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor);
  void restart();
  void tick();

  [[nodiscard]] const test::Actor& actor() const noexcept { return actor_; }
  [[nodiscard]] watch::Watcher& watcher() noexcept { return *watcher_; }
  [[nodiscard]] const watch::Watcher& watcher() const noexcept { return *watcher_; }
  [[nodiscard]] Broker::Client& client() noexcept { return *client_; }
  [[nodiscard]] Screen& screen() noexcept { return screen_; }
  [[nodiscard]] const Screen& screen() const noexcept { return screen_; }

 private:
  Ground ground_;
  const test::Actor& owner_;
  const test::Actor& actor_;
  HubRosterMemory rosters_;
  SequenceMemory sequence_;
  Screen screen_;
  std::unique_ptr<watch::InlineChecker> checker_;
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<Broker::Client> client_;
};

}  // namespace sealcam::attacks
