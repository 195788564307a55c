// SPDX-License-Identifier: Apache-2.0
/// A hub for controls. It opens frames with the functions of the protocol module and performs all checks of a hub
/// except one. With all checks it shows no wrong picture. This proves that the missing check matters.
#pragma once

#include <optional>

#include "attacks/arena.hpp"
#include "watch/freshness.hpp"

namespace sealcam::attacks {

enum class Without : std::uint8_t {
  nothing,
  route,      ///< accepts each frame on the topic on which it arrived, without a check of the signer
  binding,    ///< accepts the account and camera for which the message was made, instead of those of the topic
  signature,  ///< accepts each frame that opens
  replay,     ///< shows a frame again
  low_s,      ///< accepts both valid signatures of a frame, and shows a frame again
  order,      ///< shows a frame that is older than the newest one
  gaps,       ///< continues after a missing frame
  closing,    ///< uses the epoch of the last grants
  freshness,  ///< shows each picture as LIVE
};
[[nodiscard]] std::string_view name(Without without) noexcept;

/// Receives the same messages as the real hub and has the same keys. It makes no challenges, so it shows no picture as
/// LIVE. Without the check of freshness it shows each picture as LIVE.
class NaiveHub final : public transport::MqttListener {
 public:
  /// `arena` must outlive it.
  NaiveHub(Arena& arena, Without without);
  /// Adds the keys of another account's hub, as a vendor's cloud has them.
  void join(Home& home);
  [[nodiscard]] Screen& screen() noexcept { return screen_; }

  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message& message) override;

 private:
  struct Key {
    protocol::Epoch epoch;
    crypto::sframe::OpeningKey opening;
    watch::StreamOrder order;
  };
  struct Camera {
    protocol::Route route;
    std::optional<crypto::Verifier> verifier;
    const HubSide* hub = nullptr;
    std::deque<Key> keys;
    std::optional<protocol::Epoch> current;
  };
  void on_roster(const protocol::Topic& topic, ByteView message);
  void on_grants(const protocol::Topic& topic, ByteView message);
  void on_frame(const protocol::Topic& topic, ByteView message);
  [[nodiscard]] bool try_camera(Camera& camera, const protocol::FrameView& frame, const DeviceId& tile);
  [[nodiscard]] bool may_show(Camera& camera, const Key& key, watch::StreamOrder::Verdict verdict) const;

  Without without_;
  Screen screen_;
  std::vector<Home*> homes_;
  std::map<protocol::Route, Camera> cameras_;
  Broker::Client client_;
};

}  // namespace sealcam::attacks
