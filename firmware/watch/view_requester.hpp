// SPDX-License-Identifier: Apache-2.0
/// Sends the view requests for one camera. Decides the times, the epochs, and when an answer is sufficient.
#pragma once

#include <optional>
#include <vector>

#include "base/log.hpp"
#include "crypto/keys.hpp"
#include "device/hub_stores.hpp"
#include "protocol/envelope.hpp"
#include "protocol/view_request.hpp"
#include "transport/mqtt/mqtt.hpp"
#include "watch/epochs.hpp"
#include "watch/freshness.hpp"
#include "watch/prekeys.hpp"
#include "watch/verify_pool.hpp"

namespace sealcam::watch {

class FrameSink;

/// Shared by all cameras of a hub. All references must outlive the cameras.
struct CameraDependencies {
  crypto::DeviceKeys keys;
  transport::MqttClient* client = nullptr;  ///< null before Watcher::start() and after stop()
  FrameChecker& checker;
  device::RequestSequence& sequence;
  const Clock& clock;
  Log& log;
  PictureSink& sink;
  PictureCache& cache;
  device::MaxEpochStore& max_epochs;
  PictureRule rule = nullptr;
  Prekeys* prekeys = nullptr;   ///< null: cameras seal to the key in the roster
  FrameSink* frames = nullptr;  ///< null: the hub does not record
  crypto::PublicKey owner{};
};

/// Requests pictures from each epoch that may be the camera's. An epoch that does not answer was offered by a broker,
/// or its camera is gone. It receives fewer requests after a while. Thread-bound to the network thread.
class ViewRequester {
 public:
  static constexpr std::chrono::seconds request_interval{1};
  static constexpr std::chrono::seconds replaced_interval{2};  ///< between two requests to replaced epochs
  static constexpr std::chrono::seconds privacy_timeout{10};   ///< for a report that proves the requested privacy

  ViewRequester(const CameraDependencies& deps, const protocol::Route& route) : deps_(deps), route_(route) {}

  [[nodiscard]] bool connected() const noexcept { return deps_.client != nullptr && deps_.client->connected(); }
  /// Makes all epochs due.
  static void make_due(EpochSet& epochs) noexcept;
  /// Sends requests of this kind to each epoch that is due, requests another epoch if the newest one does not open, and
  /// live pictures from replaced epochs with activity. Requires connected().
  void request_due(EpochSet& epochs, CloneDetector& clones, protocol::RequestKind kind);

  /// Requests frames that the camera kept. Requires connected().
  void request_past(Epoch epoch, std::vector<protocol::PastRange> gaps);

  /// The hub has no key for the camera's newest grants. Requests that the camera begins another epoch, until
  /// clear_unopened() or other grants. Requires nothing.
  void set_unopened(Epoch epoch) noexcept;
  void clear_unopened() noexcept { unopened_.reset(); }

  /// Starts a privacy request. It replaces an earlier one. The camera receives it each second until a report that
  /// echoes a later challenge has the value, for at most privacy_timeout. Before the sensor may open, the hub requests
  /// a nonce of the camera, so that a broker can hold back the request for no longer than the nonce is valid. Requires
  /// connected().
  void begin_privacy(bool on, EpochSet& epochs);
  /// Sends the privacy request if it is due. Requests from all known epochs, because a camera with a closed sensor
  /// sends no frame that would show which epoch is the current one.
  void request_privacy(EpochSet& epochs);
  /// A verified report of this epoch contains a nonce, and echoes these challenges. Uses the nonce once.
  void on_nonce(const EpochState& epoch, const protocol::Echoes& echoes, protocol::Nonce nonce);
  /// A report of the current epoch echoed this challenge, and this value is proven now.
  void on_proven_privacy(ChallengeSerial echoed, bool privacy) noexcept;
  /// Ends the privacy request. A failure stays recorded.
  void end_privacy() noexcept { privacy_.reset(); }
  void clear_privacy() noexcept;
  [[nodiscard]] std::optional<bool> requested_privacy() const noexcept;
  /// The last requested value, if the camera did not apply it in time.
  [[nodiscard]] std::optional<bool> failed_privacy() const noexcept { return failed_privacy_; }

  [[nodiscard]] const IssuedChallenges& challenges() const noexcept { return challenges_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

 private:
  void request_pictures(const EpochState& epoch, protocol::RequestKind kind, BootTime now);
  void request_unopened(BootTime now);
  void request_replaced(CloneDetector& clones, BootTime now);
  /// Sets challenge and number. Returns the challenge, or nothing if the request could not be made.
  std::optional<protocol::Challenge> send(protocol::ViewRequest request, BootTime now);
  [[nodiscard]] std::optional<protocol::Prekey> newest_prekey() const;

  struct PrivacyRequest {
    bool on = false;
    ChallengeSerial since;  ///< the first challenge after the request of a person
    BootTime until;
    BootTime next_request;
    std::vector<protocol::Challenge> nonce_challenges{};  ///< of the requests for a nonce since the last one was used
  };
  struct Unopened {
    Epoch epoch;
    std::uint32_t requests = 0;
    BootTime next_request;
  };
  const CameraDependencies& deps_;
  protocol::Route route_;
  IssuedChallenges challenges_;
  std::optional<PrivacyRequest> privacy_;
  std::optional<bool> failed_privacy_;
  std::optional<Unopened> unopened_;
  BootTime next_replaced_request_;
  std::uint64_t sent_ = 0;
};

}  // namespace sealcam::watch
