// SPDX-License-Identifier: Apache-2.0
/// The camera's side of every topic: obeys the roster, answers asks, sends grants, frames and status.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "protocol/topic.hpp"
#include "stream/access_unit_queue.hpp"
#include "stream/ask_keeper.hpp"
#include "stream/backoff.hpp"
#include "stream/capture_control.hpp"
#include "stream/challenge_board.hpp"
#include "stream/epochs.hpp"
#include "stream/frame_maker.hpp"
#include "stream/orders.hpp"
#include "stream/pace.hpp"
#include "stream/roster_keeper.hpp"
#include "transport/mqtt.hpp"

namespace sealcam::stream {

struct PublisherConfig {
  protocol::Route route;
  PaceConfig pace;
  std::size_t frames_in_flight = 4;
  std::chrono::seconds lease{10};           ///< of a live ask
  std::chrono::seconds still_interval{10};  ///< between stills; a still ask holds for twice as long
  std::chrono::seconds video_expiry{5};
  std::chrono::seconds still_expiry{3600};
  std::chrono::milliseconds stale_after{1000};  ///< older groups are passed over when a newer one waits
};

struct PublisherCounters {
  std::uint64_t published = 0;  ///< key and delta frames handed to the connection
  std::uint64_t published_bytes = 0;
  std::uint64_t stills = 0;
  std::uint64_t reports = 0;
  std::uint64_t failed = 0;  ///< frames that could not be sealed or handed over
  std::uint64_t epochs = 0;  ///< begun
  std::uint64_t grants = 0;  ///< confirmed by the broker
  std::uint64_t grants_failed = 0;
  std::uint64_t rosters = 0;  ///< accepted
  std::uint64_t rosters_refused = 0;
  std::uint64_t foreign = 0;  ///< messages on topics that are not this camera's to obey
};

/// The state machine of the network thread. Driven by the client's calls, tick(), frames_ready() and
/// the clock; never waits. Thread-bound. It must live as long as the client may answer a publish.
class Publisher final : public transport::MqttListener {
 public:
  /// Everything outlives the publisher.
  struct Parts {
    const Clock& clock;
    Log& log;
    AccessUnitQueue& queue;
    ChallengeBoard& board;
    CaptureControl& control;
    RosterKeeper& roster;
    Epochs& epochs;
    AskKeeper& asks;
    crypto::SigningKey camera;
    Orders* orders = nullptr;  ///< null: commands are ignored, and nobody switches privacy
  };
  Publisher(const PublisherConfig& config, const Parts& parts);

  /// What the client is to leave at the broker. Errors: crypto.
  [[nodiscard]] Result<transport::Will> will() const;
  /// Before anything else; the client must not have called yet.
  void attach(transport::MqttClient& client) { client_ = &client; }
  /// Loads the roster and what was ordered, and begins the first epoch. Errors: as RosterKeeper::load(),
  /// Orders::load(). An epoch that
  /// cannot begin is logged and tried again.
  [[nodiscard]] Result<> start();
  /// Ten times a second or so.
  void tick();
  /// What epochs are made from has changed: a new one says so.
  void renew() {
    if (parts_.roster.current() != nullptr && !stopping_) begin_epoch();
  }
  /// The queue has something new.
  void frames_ready() { pump(); }
  /// No frame leaves after this; says offline, and with `reset` that it is for good. Ends with stopped().
  enum class Ending : std::uint8_t { stopped, reset };
  void stop(Ending ending = Ending::stopped);
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }
  /// The owner wants the camera to forget everything; stop() was called.
  [[nodiscard]] bool reset_wanted() const noexcept { return reset_wanted_; }

  void on_connected() override;
  void on_disconnected(const Error& why) override;
  void on_message(const transport::Message& message) override;

  [[nodiscard]] const PublisherCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] ChallengeBoard::Leases leases() const { return parts_.board.leases(parts_.clock.monotonic()); }
  [[nodiscard]] const Pace& pace() const noexcept { return pace_; }
  /// When the first frame was handed to the connection.
  [[nodiscard]] std::optional<MonotonicTime> first_published() const noexcept { return first_published_; }

 private:
  void on_roster(ByteView message);
  void on_ask(const DeviceId& hub, ByteView message);
  void follow(const Orders::Change& change);
  [[nodiscard]] bool closed() const noexcept { return parts_.orders != nullptr && parts_.orders->privacy(); }
  void begin_epoch();
  void publish_grants();
  void grants_answered(Epoch epoch, const Result<>& result);
  void publish_status(bool online);
  void update_active();
  void pump();
  void send_reports();
  void send(const AccessUnitQueue::Unit& unit);
  /// False when nothing more can be sent now.
  bool publish_frame(const Result<ByteView>& message, bool still);
  void frame_answered(std::size_t slot, const Result<>& result);
  void clear_queue();
  [[nodiscard]] bool still_due(MonotonicTime now) const noexcept;

  PublisherConfig config_;
  Parts parts_;
  transport::MqttClient* client_ = nullptr;
  FrameMaker maker_;
  Pace pace_;
  std::string video_topic_, still_topic_;
  CaptureTime started_;
  std::vector<protocol::Challenge> reports_;  // that wait for the epoch to open
  std::optional<Epoch> grants_under_way_;
  Backoff grants_backoff_, epoch_backoff_;
  RateLimit roster_log_, seal_log_;
  Window<4> roster_window_;
  std::optional<MonotonicTime> last_still_, first_published_;
  std::uint64_t dropped_before_ = 0;
  /// Frames that the connection has not answered. Kept here and not in the handlers, which then fit into a function
  /// object without an allocation, on 32-bit boards, too.
  struct Unanswered {
    MonotonicTime begun;
    std::uint32_t size = 0;  ///< bytes; 0: this place is free
  };
  std::vector<Unanswered> unanswered_;
  std::size_t frames_in_flight_ = 0;
  bool subscribed_ = false;
  bool connected_ = false;
  bool active_ = false;
  bool epoch_failing_ = false;
  bool grants_failing_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  bool reset_wanted_ = false;
  Ending ending_ = Ending::stopped;
  PublisherCounters counters_;
};

}  // namespace sealcam::stream
