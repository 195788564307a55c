// SPDX-License-Identifier: Apache-2.0
/// A viewer for control arms: opens frames with the protocol's own functions and does everything a hub must do, save
/// one thing. With nothing left out it shows nothing wrong either, which shows that the thing left out matters.
#pragma once

#include <optional>

#include "attacks/arena.hpp"
#include "watch/stream_order.hpp"

namespace sealcam::attacks {

enum class Without : std::uint8_t {
  nothing,
  route,      ///< believes that a frame belongs where it was delivered, whoever signed it
  binding,    ///< takes account and camera from where the message came from, not from where it arrived
  signature,  ///< the content key is proof enough
  replay,     ///< shows what it has seen
  order,      ///< shows what is older than the newest
  gaps,       ///< goes on behind a missing frame
  closing,    ///< obeys whichever grants came last
  freshness,  ///< what arrives is LIVE
};
[[nodiscard]] std::string_view name(Without without) noexcept;

/// Listens beside the real hub with the same keys. It makes no challenges, so that it calls nothing LIVE, unless
/// freshness is what it leaves out: then all.
class NaiveViewer final : public transport::MqttListener {
 public:
  /// All outlive it.
  NaiveViewer(Arena& arena, Without without);
  /// Keys of one more account's hub, as a vendor's cloud would have them.
  void join(Home& home);
  [[nodiscard]] Screen& screen() noexcept { return screen_; }

  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message& message) override;

 private:
  struct Key {
    Epoch epoch;
    crypto::sframe::OpeningKey opening;
    watch::StreamOrder order;
  };
  struct Camera {
    protocol::Route route;
    std::optional<crypto::Verifier> verifier;
    const Actor* hub = nullptr;
    std::deque<Key> keys;
    std::optional<Epoch> current;
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
