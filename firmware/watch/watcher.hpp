// SPDX-License-Identifier: Apache-2.0
/// The hub side of one account: finds its cameras by the rosters that list it, verifies and opens what they send, asks
/// for pictures while somebody wants them. Driven by the MQTT client's calls and by tick(); has no thread of its own.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "watch/camera_watch.hpp"

namespace sealcam::watch {

/// What is joined from outside; everything must outlive the Watcher.
struct WatcherSeams {
  FrameChecker& checker;
  RosterStore& rosters;
  SequenceStore& sequence;
  const Clock& clock;
  Log& log;
  PictureSink& sink;
};

/// Thread-bound to the network thread.
class Watcher final : public transport::MqttListener {
 public:
  static constexpr std::size_t max_cameras = 1024;
  /// Cameras whose grants came before their roster.
  static constexpr std::size_t max_early = 64;

  /// `owner`: the pinned key of the account. Obeys the stored rosters. Errors: those of the store, malformed,
  /// bad_signature, wrong_key (a stored roster is damaged: never a fresh start), crypto.
  [[nodiscard]] static Result<std::unique_ptr<Watcher>> create(const crypto::PublicKey& owner,
                                                               const crypto::DeviceKeys& keys,
                                                               const WatcherSeams& seams);

  /// Subscribes. Once, before the client runs; the client must live as long as it is used here, and stop() ends that.
  void start(transport::MqttClient& client);
  void stop() noexcept { context_.client = nullptr; }

  void on_connected() override;
  void on_disconnected(const Error& why) override;
  void on_message(const transport::Message& message) override;

  /// About ten times a second: asks, waiting frames, states.
  void tick();
  /// Hands out what the checker finished; call it when the checker wakes the network thread.
  void drain() { seams_.checker.drain(); }

  /// Which cameras somebody wants to see; also those that are not known yet.
  void want(bool all, std::set<DeviceId> cameras);

  /// See CameraWatch::switch_privacy. Errors: also not_found.
  [[nodiscard]] Result<> switch_privacy(const DeviceId& camera, bool on);

  [[nodiscard]] const AccountId& account() const noexcept { return account_; }
  [[nodiscard]] DeviceId id() const noexcept { return context_.keys.identity.id(); }
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  /// Ascending by id; cameras that we may see, and those of which people should know why we may not.
  [[nodiscard]] std::vector<CameraStatus> cameras() const;
  [[nodiscard]] std::optional<CameraStatus> camera(const DeviceId& id) const;
  /// Opened pictures since the last key frame; null when there are none.
  [[nodiscard]] const PictureGroup* newest(const DeviceId& camera) const;
  /// Over all cameras and what could not be given to any of them.
  [[nodiscard]] RefusalCounts refused() const;
  [[nodiscard]] RefusalCounts refused_control() const;

 private:
  /// Version of a roster and the SHA-256 of its content (the COSE payload: a signature has two spellings).
  struct RosterMark {
    RosterVersion version;
    crypto::Digest content{};
    friend bool operator==(const RosterMark&, const RosterMark&) = default;
  };
  [[nodiscard]] static Result<RosterMark> mark_of(const protocol::Roster& roster, ByteView message);

  Watcher(crypto::Verifier owner, const crypto::DeviceKeys& keys, const WatcherSeams& seams);
  [[nodiscard]] Result<> load_rosters();
  void on_roster(const protocol::Route& route, ByteView message);
  void on_control(const protocol::Topic& topic, ByteView message);
  void adopt(const protocol::Route& route, const protocol::Roster& roster, const RosterMark& mark);
  void keep_early(const protocol::Topic& topic, ByteView message);
  [[nodiscard]] bool budget(const protocol::Topic& topic);
  void overloaded(const protocol::Route& route);
  void refuse_roster(const protocol::Route& route, Refusal refusal);
  [[nodiscard]] CameraWatch* find(const DeviceId& camera) noexcept;
  CameraWatch& find_or_make(const protocol::Route& route);
  [[nodiscard]] bool wanted(const DeviceId& camera) const { return want_all_ || wanted_.contains(camera); }

  struct Budget {
    MonotonicTime filled;
    std::uint32_t left = 0;
  };

  WatcherSeams seams_;
  crypto::Verifier owner_;
  AccountId account_;
  AskSequence sequence_;
  PictureCache cache_;
  WatchContext context_;
  std::map<DeviceId, std::unique_ptr<CameraWatch>> cameras_;
  std::map<DeviceId, RosterMark> marks_;  ///< of the rosters obeyed
  std::map<std::pair<DeviceId, protocol::Leaf>, Bytes> early_;
  Budget rosters_budget_;
  std::map<DeviceId, Budget> control_budgets_;
  bool want_all_ = false;
  std::set<DeviceId> wanted_;
  bool connected_ = false;
  RefusalCounts refused_;  ///< of no camera of ours
  RefusalCounts refused_control_;
};

}  // namespace sealcam::watch
