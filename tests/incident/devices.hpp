// SPDX-License-Identifier: Apache-2.0
/// Cameras and hubs of a run, with sealed and with plain frames.
#pragma once

#include <memory>

#include "album.hpp"
#include "base/clock.hpp"
#include "people.hpp"
#include "relay.hpp"
#include "watch/verify_pool.hpp"
#include "witness.hpp"

namespace sealcam::incident {

/// Time for which a camera sends after a request, and the minimum time between stills.
inline constexpr std::chrono::seconds lease{1};
inline constexpr std::chrono::seconds still_interval{1};

/// Thread-bound to the network thread, like all classes below.
class Camera {
 public:
  virtual ~Camera() = default;
  virtual void connect() = 0;
  [[nodiscard]] virtual bool connected() const = 0;
  /// The sensor captured a picture.
  virtual void capture() = 0;
  /// Call this ten times a second.
  virtual void tick() = 0;
};

class Hub {
 public:
  virtual ~Hub() = default;
  virtual void connect() = 0;
  [[nodiscard]] virtual bool connected() const = 0;
  /// True if the hub knows its camera and could show it.
  [[nodiscard]] virtual bool ready() const = 0;
  /// A person starts or stops watching the camera.
  virtual void set_watched(bool watched) = 0;
  virtual void tick() = 0;
  /// Adds the rejections to the tally.
  virtual void finish() = 0;
  [[nodiscard]] virtual Witness& witness() = 0;
};

/// Shared by the devices of one arm. Outlives them.
struct Site {
  boost::asio::io_context& io;
  const People& people;
  const Brokers& brokers;
  const Clock& clock;
  Log& log;
  watch::FrameChecker& checker;                ///< for the sealed arm
  const std::vector<protocol::Route>& routes;  ///< by account, of this wave and of the earlier ones
};

/// The shipped code: stream::Publisher and its modules.
[[nodiscard]] std::unique_ptr<Camera> make_sealed_camera(const Site& site, std::uint32_t account,
                                                         std::shared_ptr<const Album> album);
/// The shipped code: watch::Watcher and its modules.
[[nodiscard]] std::unique_ptr<Hub> make_sealed_hub(const Site& site, std::uint32_t account,
                                                   const Witness::Dependencies& witness);
/// The control: plain header and access unit. Test code only. No shipped program can do this.
[[nodiscard]] std::unique_ptr<Camera> make_plain_camera(const Site& site, std::uint32_t account,
                                                        std::shared_ptr<const Album> album);
[[nodiscard]] std::unique_ptr<Hub> make_plain_hub(const Site& site, std::uint32_t account,
                                                  const Witness::Dependencies& witness);

/// The kind of a message, as an observer without keys can determine it.
[[nodiscard]] Kind sealed_kind(ByteView message);
[[nodiscard]] Kind plain_kind(ByteView message);

}  // namespace sealcam::incident
