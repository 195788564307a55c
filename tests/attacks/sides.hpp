// SPDX-License-Identifier: Apache-2.0
/// A camera and a hub on the shipped code. Their stores outlive a restart. Thread-bound.
#pragma once

#include <algorithm>
#include <memory>

#include "attacks/broker.hpp"
#include "attacks/screen.hpp"
#include "base/log.hpp"
#include "support/camera_stores.hpp"
#include "support/hub_stores.hpp"
#include "watch/watcher.hpp"

namespace sealcam::attacks {

/// Counts lines, because messages of a stranger must not fill a disk with logs.
class CountingLog final : public Log {
 public:
  [[nodiscard]] std::uint64_t lines() const noexcept { return lines_; }

 private:
  void write(LogLevel, std::string_view) override { ++lines_; }
  std::uint64_t lines_ = 0;
};

/// Shared by both sides. Outlives them.
struct Ground {
  const Clock& clock;  ///< of cameras and broker
  Log& log;
  Broker& broker;
  const Clock& hub_clock;
};

class CameraSide {
 public:
  /// `number` is drawn into each picture. `actor` and `owner` must outlive this object.
  CameraSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor, std::uint16_t number);

  /// Starts a new process with the same stores.
  void restart();
  void stop() { run_.reset(); }
  /// The epoch counter of the state folder, and its replacement by an older copy.
  [[nodiscard]] std::uint32_t stored_epoch() const noexcept { return stores_.epochs.counter; }
  void restore_epoch(std::uint32_t counter) noexcept { stores_.epochs.counter = counter; }
  /// Draws serials from now on that exceed those of `other` by more than `ahead`. A screen regards both as one camera.
  void continue_after(const CameraSide& other, std::uint32_t ahead = 0) noexcept {
    serial_ = std::max(serial_, other.serial_ + ahead);
  }
  /// The sensor captures a picture. It is encoded if a hub has a lease.
  void capture(std::size_t size);
  void tick();

  [[nodiscard]] const test::Actor& actor() const noexcept { return actor_; }
  [[nodiscard]] DeviceId id() const { return actor_.id(); }
  [[nodiscard]] const protocol::Route& route() const noexcept { return route_; }
  [[nodiscard]] std::uint16_t number() const noexcept { return number_; }
  [[nodiscard]] std::uint32_t last_serial() const noexcept { return serial_; }
  [[nodiscard]] const stream::RequestCounters& requests() const noexcept { return run_->requests.counters(); }
  [[nodiscard]] const stream::Publisher& publisher() const noexcept { return run_->publisher; }
  [[nodiscard]] std::optional<Epoch> epoch() const noexcept { return run_->epochs.current(); }
  [[nodiscard]] const protocol::Roster* roster() const noexcept { return run_->rosters.current(); }
  [[nodiscard]] const stream::CommandExecutor& commands() const noexcept { return run_->executor; }
  /// Number of applied items of commands in all runs, without privacy and resets.
  [[nodiscard]] std::uint64_t applied_items() const noexcept { return stores_.actions.done.size(); }
  [[nodiscard]] Broker::Client& client() noexcept { return *run_->client; }
  [[nodiscard]] test::CameraStores& stores() noexcept { return stores_; }
  [[nodiscard]] ByteView grants() const noexcept { return run_->epochs.grants(); }
  /// Begins a new epoch.
  void renew() { run_->publisher.renew(); }

 private:
  struct Run : test::CameraRun {
    explicit Run(CameraSide& side);
    std::unique_ptr<Broker::Client> client;
  };
  static constexpr std::uint32_t group = 10;

  Ground ground_;
  const test::Actor& owner_;
  const test::Actor& actor_;
  protocol::Route route_;
  std::uint16_t number_;
  test::CameraStores stores_{actor_};
  std::uint32_t serial_ = 0;     // in all runs
  std::uint32_t pictures_ = 0;   // in this run
  std::uint32_t reference_ = 0;  // serial of the newest encoded picture
  std::uint32_t in_group_ = 0;
  std::unique_ptr<Run> run_;
};

class HubSide {
 public:
  HubSide(const Ground& ground, const test::Actor& owner, const test::Actor& actor);
  void restart();
  void tick();
  /// Its machine sleeps: it receives nothing, and tick() does nothing.
  void sleep() noexcept;
  /// The held messages arrive.
  void wake();
  /// Deletes the record of the cameras' epochs.
  void lose_epochs() { epochs_.counters.clear(); }
  /// Deletes the rosters.
  void lose_rosters() { rosters_.messages.clear(); }
  /// The content of the state folder without prekeys.
  struct Folder {
    test::MemoryHubRosterStore rosters;
    test::MemorySequenceStore sequence;
    test::MemoryMaxEpochStore epochs;
  };
  [[nodiscard]] Folder folder() const { return {rosters_, sequence_, epochs_}; }
  /// Replaces the state folder by an older copy. Call restart() next.
  void roll_back(const Folder& copy) {
    rosters_ = copy.rosters;
    sequence_ = copy.sequence;
    epochs_ = copy.epochs;
  }

  [[nodiscard]] const test::Actor& actor() const noexcept { return actor_; }
  [[nodiscard]] watch::Watcher& watcher() noexcept { return *watcher_; }
  [[nodiscard]] const watch::Watcher& watcher() const noexcept { return *watcher_; }
  [[nodiscard]] Broker::Client& client() noexcept { return *client_; }
  /// The private key with this number: 0 is the key in the roster. Null if the hub deleted the challenge.
  [[nodiscard]] const crypto::AgreementKey* key(protocol::PrekeyNumber number) const noexcept {
    return number == protocol::PrekeyNumber() ? &actor_.keys().hpke : prekeys_.find(number);
  }
  [[nodiscard]] Screen& screen() noexcept { return screen_; }
  [[nodiscard]] const Screen& screen() const noexcept { return screen_; }

 private:
  void look();

  Ground ground_;
  const test::Actor& owner_;
  const test::Actor& actor_;
  bool asleep_ = false;
  test::MemoryHubRosterStore rosters_;
  test::MemorySequenceStore sequence_;
  test::MemoryMaxEpochStore epochs_;
  test::MemoryPrekeyStore prekeys_;
  Screen screen_;
  std::unique_ptr<test::InlineChecker> checker_;
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<Broker::Client> client_;
};

}  // namespace sealcam::attacks
