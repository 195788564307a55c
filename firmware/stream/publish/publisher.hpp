// SPDX-License-Identifier: Apache-2.0
/// The camera's side of every topic: applies rosters and commands, answers requests, publishes grants, frames and
/// status.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/envelope.hpp"
#include "stream/capture/access_unit_queue.hpp"
#include "stream/capture/capture_control.hpp"
#include "stream/capture/received_challenges.hpp"
#include "stream/publish/command_executor.hpp"
#include "stream/publish/owner_validators.hpp"
#include "stream/publish/past_frames.hpp"
#include "stream/publish/picture_use.hpp"
#include "stream/publish/rate_controller.hpp"
#include "stream/publish/request_validator.hpp"
#include "stream/publish/sealing.hpp"
#include "stream/publish/send_backlog.hpp"
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::stream {

using protocol::Epoch;

struct PublisherConfig {
  protocol::Route route;
  RateControllerConfig rate;
  std::size_t frames_in_flight = 4;
  std::chrono::seconds lease{10};           ///< of a request for all pictures, or for motion
  std::chrono::seconds still_interval{10};  ///< between stills; the lease of a still request is twice as long
  std::chrono::seconds video_expiry{5};
  std::chrono::seconds still_expiry{3600};
  std::chrono::seconds past_expiry{60};
  std::chrono::seconds slow_still_interval{60};  ///< on a slow network, unless a hub requests stills
  std::chrono::milliseconds stale_after{1000};   ///< while a person looks, skips older groups if a newer one waits
  std::chrono::milliseconds drop_after{2000};    ///< while a person looks, skips older pictures in any case
  PreRollLimits preroll{};
};

struct PublisherCounters {
  std::uint64_t published = 0;  ///< key and delta frames passed to the connection
  std::uint64_t published_bytes = 0;
  std::uint64_t stills = 0;
  std::uint64_t reports = 0;
  std::uint64_t failed = 0;  ///< frames that could not be sealed or sent
  std::uint64_t epochs = 0;  ///< begun
  std::uint64_t grants = 0;  ///< confirmed by the broker
  std::uint64_t grants_failed = 0;
  std::uint64_t rosters = 0;  ///< accepted
  std::uint64_t rosters_rejected = 0;
  std::uint64_t unexpected_topics = 0;  ///< messages on topics that this camera does not handle
};

/// The state machine of the network thread. The MQTT client, tick(), frames_ready() and the clock drive it. It never
/// waits. It must exist until the client has answered each publish. Thread-bound.
class Publisher final : public transport::MqttListener {
 public:
  /// All references must outlive the publisher.
  struct Dependencies {
    const Clock& clock;
    Log& log;
    AccessUnitQueue& queue;
    ReceivedChallenges& challenges;
    CaptureControl& control;
    RosterValidator& roster;
    Epochs& epochs;
    RequestValidator& requests;
    crypto::SigningKey camera;
    CommandExecutor& commands;
    Prekeys& prekeys;
    device::PastStore* past = nullptr;  ///< null: the camera keeps no pictures while it has no broker
  };
  /// Reason for stop(). After `reset` the camera does not come back with this identity.
  enum class Ending : std::uint8_t { stopped, reset };

  Publisher(const PublisherConfig& config, const Dependencies& deps);

  /// The will for the client: the status "offline". Errors: crypto.
  [[nodiscard]] Result<transport::Will> will() const;
  /// Sets the client, before it calls the publisher for the first time.
  void attach(transport::MqttClient& client) { client_ = &client; }
  /// If false, a restart brings an older roster, command or privacy back.
  [[nodiscard]] bool stored() const noexcept { return deps_.roster.stored() && deps_.commands.stored(); }
  /// Why no epoch can begin, so that no hub receives pictures. Empty if one has begun, or without a roster.
  [[nodiscard]] const std::string& epoch_fault() const noexcept { return epoch_fault_; }
  /// Loads the roster and the command, and begins the first epoch. If no epoch can begin, logs the error and tries
  /// again. Errors: those of RosterValidator::load() and CommandExecutor::load().
  [[nodiscard]] Result<> start();
  /// Call this about ten times a second.
  void tick();
  /// Begins a new epoch, because the content of its grants changed.
  void renew() {
    if (deps_.roster.current() != nullptr && !stopping_) begin_epoch();
  }
  /// The queue has a new access unit.
  void frames_ready() { send_queued(); }
  /// Publishes the status "offline", and no frame after this call. stopped() is true when the broker answered.
  void stop(Ending ending = Ending::stopped);
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }
  /// The owner commanded a reset. The publisher called stop().
  [[nodiscard]] bool reset_requested() const noexcept { return reset_requested_; }

  void on_connected() override;
  void on_disconnected(const Error& why) override;
  void on_message(const transport::Message& message) override;

  [[nodiscard]] const PublisherCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] ReceivedChallenges::Leases leases() const { return deps_.challenges.leases(deps_.clock.monotonic()); }
  [[nodiscard]] PictureUse picture_use() const noexcept { return use_.use(); }
  [[nodiscard]] const RateController& rate() const noexcept { return rate_; }
  [[nodiscard]] const PastFrames& past() const noexcept { return past_; }
  /// Time at which the first frame was passed to the connection.
  [[nodiscard]] std::optional<MonotonicTime> first_published() const noexcept { return first_published_; }

 private:
  void on_roster(ByteView message);
  void on_request(const DeviceId& hub, ByteView message);
  void add_report(const DeviceId& hub, protocol::Challenge challenge, std::optional<protocol::Nonce> nonce) {
    if (reports_.size() < protocol::Roster::max_hubs) reports_.push_back({hub, challenge, nonce});
  }
  /// Then reports echo the challenges, so that hubs receive the state of the camera.
  [[nodiscard]] bool sends_no_pictures() const noexcept { return deps_.commands.privacy() || deps_.control.fault(); }
  void subscribe_to_requests();
  void follow(const CommandExecutor::Change& change);
  void set_request_roster();
  void store_roster();
  void end_epoch();
  void begin_epoch();
  void publish_grants();
  void grants_answered(Epoch epoch, const Result<>& result);
  void publish_status(bool online);
  [[nodiscard]] bool fault_changed(MonotonicTime now) noexcept;
  [[nodiscard]] bool privacy_changed() const noexcept {
    return deps_.commands.privacy_in_effect() != published_privacy_;
  }
  void update_active();
  void send_queued();
  void send_past();
  void send_reports();
  void send(const AccessUnitQueue::Unit& unit);
  /// Each frame that is sealed, so that an outage is one range of counters.
  Result<ByteView> kept(Counter counter, bool key, Result<ByteView> message) {
    if (message) past_.add(counter, key, *message);
    return message;
  }
  /// Returns false if no more frames can be sent now.
  bool publish_frame(const Result<ByteView>& message, bool still);
  void frame_answered(std::size_t slot, const Result<>& result);
  void apply_quality();
  void clear_queue(MonotonicTime limit = {}) {
    deps_.queue.clear(limit);
    dropped_before_ = deps_.queue.counters().dropped_groups;
  }
  [[nodiscard]] bool still_due(MonotonicTime now, bool requested) const noexcept;
  void measure() noexcept;

  PublisherConfig config_;
  Dependencies deps_;
  transport::MqttClient* client_ = nullptr;
  FrameBuilder builder_;
  RateController rate_;
  SendBacklog backlog_;
  PictureUseSelector use_;
  HubReports hubs_;
  PastFrames past_;
  std::string video_topic_, still_topic_, past_topic_;
  std::string epoch_fault_;
  CaptureTime started_;
  struct PendingReport {
    DeviceId hub;
    protocol::Challenge challenge;
    std::optional<protocol::Nonce> nonce{};
  };
  std::vector<PendingReport> reports_;  // to send when the epoch is open
  std::set<DeviceId> subscribed_hubs_;
  std::optional<Epoch> grants_in_flight_;
  Backoff grants_backoff_, epoch_backoff_;
  device::StoreRetry roster_retry_;
  RateLimit roster_log_limit_, seal_log_limit_;
  RateWindow<4> roster_window_;
  std::optional<MonotonicTime> last_still_, first_published_;
  std::uint64_t dropped_before_ = 0;
  bool subscribed_ = false, connected_ = false, grants_failing_ = false;
  bool stopping_ = false, stopped_ = false, published_privacy_ = false;
  std::optional<protocol::CameraFault> published_fault_;
  MonotonicTime fault_published_;
  bool reset_requested_ = false;
  Ending ending_ = Ending::stopped;
  PublisherCounters counters_;
};

}  // namespace sealcam::stream
