// SPDX-License-Identifier: Apache-2.0
/// The pictures of one camera that the hub shows, and the age of the newest one.
#pragma once

#include <optional>

#include "watch/freshness.hpp"
#include "watch/picture_sink.hpp"

namespace sealcam::watch {

/// Passes pictures to cache and sink as LIVE or STALE. Thread-bound.
class ShownPictures {
 public:
  /// All references must outlive this object.
  ShownPictures(const DeviceId& camera, PictureCache& cache, PictureSink& sink, const Clock& clock)
      : camera_(camera), cache_(cache), sink_(sink), clock_(clock) {}

  /// The camera's public key, which is its key in the cache. Call this before hand_out().
  void set_key(const crypto::PublicKey& key) noexcept { key_ = key; }
  [[nodiscard]] const crypto::PublicKey& key() const noexcept { return key_; }
  /// `epoch` becomes the current one.
  void begin_epoch(Epoch epoch) noexcept {
    if (epoch_ != epoch) freshness_.begin_epoch();
  }
  void on_echo(FrameNumber number, BootTime made) noexcept { freshness_.on_echo(number, made); }
  /// `current`: the epoch echoed a challenge of this hub. Other pictures are STALE.
  void hand_out(Epoch epoch, bool current, PictureInfo picture, ByteView access_unit, CameraCounters& counters);
  /// Deletes the pictures, also those in the cache.
  void forget();

  /// The newest picture. Nothing before the first one.
  [[nodiscard]] const std::optional<PictureInfo>& newest() const noexcept { return newest_; }
  [[nodiscard]] bool live(BootTime now) const noexcept { return epoch_ && freshness_.live(now); }
  [[nodiscard]] std::optional<std::chrono::milliseconds> age(BootTime now) const noexcept {
    return freshness_.age(now);
  }
  /// The camera's clock minus the hub's, from the newest LIVE picture, if they differ by more than a minute.
  [[nodiscard]] std::optional<std::chrono::seconds> clock_ahead() const noexcept { return clock_ahead_; }

 private:
  DeviceId camera_;
  PictureCache& cache_;
  PictureSink& sink_;
  const Clock& clock_;
  crypto::PublicKey key_;
  std::optional<Epoch> epoch_;
  Freshness freshness_;
  std::optional<PictureInfo> newest_;
  std::optional<std::chrono::seconds> clock_ahead_;
};

}  // namespace sealcam::watch
