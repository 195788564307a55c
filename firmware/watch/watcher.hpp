// SPDX-License-Identifier: Apache-2.0
/// The hub side of one account.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "device/hub_stores.hpp"
#include "device/stores.hpp"
#include "protocol/roster.hpp"
#include "watch/camera_watch.hpp"

namespace sealcam::watch {

/// All references must outlive the Watcher.
struct WatcherDependencies {
  FrameChecker& checker;
  device::RosterStore& rosters;
  device::SequenceStore& sequence;
  device::MaxEpochStore& max_epochs;
  /// Null: cameras seal to the key in the roster. For hubs that run rarely.
  device::PrekeyStore* prekeys = nullptr;
  const Clock& clock;
  Log& log;
  PictureSink& sink;
  PictureRule rule = nullptr;   ///< for opened pictures; frames that it rejects are malformed. Null: no rule
  FrameSink* frames = nullptr;  ///< null: the hub does not record
};

/// Finds the cameras of the account by the owner's index for this hub and by the stored rosters. Verifies and opens
/// their messages, and requests pictures while a viewer watches. Subscribes to exact topics, because brokers need not
/// support wildcards. An index grants nothing and is not stored: an old one can hide a new camera only. The MQTT client
/// and tick() drive it. It has no thread. Thread-bound to the network thread.
class Watcher final : public transport::MqttListener {
 public:
  static constexpr std::size_t max_cameras = 1024;
  /// Control messages that arrived before the roster of their camera.
  static constexpr std::size_t max_early = 64;

  /// `owner`: the pinned key of the account. Applies the stored rosters. Errors: those of the store, crypto; malformed,
  /// bad_signature, wrong_key if a stored roster is damaged, so that no older roster can replace it.
  [[nodiscard]] static Result<std::unique_ptr<Watcher>> create(const crypto::PublicKey& owner,
                                                               const crypto::DeviceKeys& keys,
                                                               const WatcherDependencies& deps);

  /// Subscribes to the index, and to the topics of the stored cameras. Call this once, before the client runs. The
  /// client must exist until stop().
  void start(transport::MqttClient& client);
  void stop() noexcept { camera_deps_.client = nullptr; }

  void on_connected() override;
  void on_disconnected(const Error& why) override;
  void on_message(const transport::Message& message) override;

  /// Sends requests, drops held frames that are too old, reports states. Call this about ten times a second.
  void tick();
  /// Handles the checked frames. Call this when the checker wakes the network thread.
  void drain() { deps_.checker.drain(); }

  /// The cameras that viewers watch, also those that are not known yet.
  void set_watched(bool all, std::set<DeviceId> cameras);
  /// The cameras that this hub records, with the kind of request while no viewer watches them: `record` or `motion`.
  void set_recorded(std::map<DeviceId, protocol::RequestKind> cameras);

  /// See CameraWatch::switch_privacy(). Errors: also not_found.
  [[nodiscard]] Result<> switch_privacy(const DeviceId& camera, bool on);

  [[nodiscard]] const AccountId& account() const noexcept { return account_; }
  [[nodiscard]] DeviceId id() const noexcept { return camera_deps_.keys.identity.id(); }
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  /// By ascending id: cameras that this hub may show, and cameras with a reason why it may not.
  [[nodiscard]] std::vector<CameraStatus> cameras() const;
  [[nodiscard]] std::optional<CameraStatus> camera(const DeviceId& id) const;
  /// The opened pictures since the last key frame. Null if there are none.
  [[nodiscard]] const PictureGroup* newest(const DeviceId& camera) const;
  /// Sum over all cameras, and messages that belong to none of them.
  [[nodiscard]] RejectCounts rejected() const;
  [[nodiscard]] RejectCounts rejected_control() const;

 private:
  [[nodiscard]] static Result<RosterMark> mark_of(const protocol::Roster& roster, ByteView message);

  Watcher(crypto::Verifier owner, const crypto::DeviceKeys& keys, const WatcherDependencies& deps);
  [[nodiscard]] Result<> load();
  void on_index(const DeviceId& hub, ByteView message);
  void update_subscriptions();
  void report_missing_index();
  void on_roster(const protocol::Route& route, ByteView message);
  void on_control(const protocol::Topic& topic, ByteView message);
  void adopt(const protocol::Route& route, const protocol::Roster& roster, const RosterMark& mark, ByteView message);
  void keep_early(const protocol::Topic& topic, ByteView message);
  [[nodiscard]] bool within_budget(const protocol::Topic& topic);
  void overloaded(const protocol::Route& route);
  void reject_roster(const protocol::Route& route, RejectReason rejection);
  [[nodiscard]] CameraWatch* find(const DeviceId& camera) noexcept;
  CameraWatch& find_or_add(const protocol::Route& route);
  [[nodiscard]] std::optional<protocol::RequestKind> recorded(const DeviceId& camera) const;
  [[nodiscard]] std::optional<protocol::RequestKind> requested(const DeviceId& camera) const;
  void update_requested();

  /// Verified messages that are still allowed; refilled with time. It protects the processor, so sleep does not count.
  struct Budget {
    MonotonicTime filled;
    std::uint32_t left = 0;
  };

  WatcherDependencies deps_;
  crypto::Verifier owner_;
  AccountId account_;
  device::RequestSequence sequence_;
  PictureCache cache_;
  CameraDependencies camera_deps_;
  std::map<DeviceId, std::unique_ptr<CameraWatch>> cameras_;
  std::map<DeviceId, RosterMark> marks_;  ///< of the applied rosters
  std::optional<Prekeys> prekeys_;
  std::map<DeviceId, std::uint32_t> max_counters_;  ///< as stored at the start
  std::optional<protocol::CameraIndex> index_;
  std::optional<MonotonicTime> index_due_;  ///< when the list is missing; empty after that was checked
  std::set<DeviceId> subscribed_;
  RateLimit index_log_limit_{std::chrono::hours(1)};
  std::map<std::pair<DeviceId, protocol::Leaf>, Bytes> early_;
  Budget rosters_budget_;
  std::map<DeviceId, Budget> control_budgets_;
  bool watch_all_ = false;
  std::set<DeviceId> watched_;
  std::map<DeviceId, protocol::RequestKind> recorded_;
  bool connected_ = false;
  RejectCounts rejected_;  ///< messages of unknown cameras
  RejectCounts rejected_control_;
};

}  // namespace sealcam::watch
