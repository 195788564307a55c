// SPDX-License-Identifier: Apache-2.0
/// A camera and a hub as the run drives them, and the two kinds of both.
#pragma once

#include <memory>

#include "album.hpp"
#include "cache_link.hpp"
#include "core/clock.hpp"
#include "people.hpp"
#include "watch/frame_checker.hpp"
#include "witness.hpp"

namespace sealcam::incident {

/// How long a camera sends after it was asked, and at most how often a still.
inline constexpr std::chrono::seconds lease{1};
inline constexpr std::chrono::seconds still_interval{1};

/// Thread-bound to the network thread, like everything below.
class Camera {
 public:
  virtual ~Camera() = default;
  virtual void connect() = 0;
  [[nodiscard]] virtual bool connected() const = 0;
  /// The sensor has a picture.
  virtual void capture() = 0;
  /// Ten times a second.
  virtual void tick() = 0;
};

class Hub {
 public:
  virtual ~Hub() = default;
  virtual void connect() = 0;
  [[nodiscard]] virtual bool connected() const = 0;
  /// It knows its camera and could show it.
  [[nodiscard]] virtual bool ready() const = 0;
  /// Somebody says: show me my camera. Or looks away.
  virtual void want(bool wanted) = 0;
  virtual void tick() = 0;
  /// Refusals go into the tally.
  virtual void finish() = 0;
  [[nodiscard]] virtual Witness& witness() = 0;
};

/// What devices of one arm share; outlives them.
struct Site {
  boost::asio::io_context& io;
  const People& people;
  const Brokers& brokers;
  const Clock& clock;
  Log& log;
  watch::FrameChecker& checker;  ///< sealed arm only
};

/// The shipped code: stream's Publisher and everything below it.
[[nodiscard]] std::unique_ptr<Camera> make_sealed_camera(const Site& site, std::uint32_t account,
                                                         std::shared_ptr<const Album> album);
/// The shipped code: watch's Watcher and everything below it.
[[nodiscard]] std::unique_ptr<Hub> make_sealed_hub(const Site& site, std::uint32_t account,
                                                   const Witness::Parts& witness);
/// The control: header and access unit as they are. Test code only; no shipped program can do this.
[[nodiscard]] std::unique_ptr<Camera> make_plain_camera(const Site& site, std::uint32_t account,
                                                        std::shared_ptr<const Album> album);
[[nodiscard]] std::unique_ptr<Hub> make_plain_hub(const Site& site, std::uint32_t account,
                                                  const Witness::Parts& witness);

/// What an onlooker can tell of a message in each arm.
[[nodiscard]] Kind sealed_kind(ByteView message);
[[nodiscard]] Kind plain_kind(ByteView message);

}  // namespace sealcam::incident
