// SPDX-License-Identifier: Apache-2.0
/// Answers requests for one picture. A camera that nobody watches is asked for pictures first, and stays wanted for a
/// few seconds, since who polls will come again. Decoding runs on the worker.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "hal/media.hpp"
#include "hub/web/host.hpp"
#include "hub/web/picture_message.hpp"
#include "hub/web/worker.hpp"

namespace sealcam::hub::web {

struct Snapshot {
  std::shared_ptr<const Bytes> jpeg;
  watch::PictureInfo picture;
  FreshnessNow freshness;  ///< when it is handed out
};

/// Thread-bound; lives as long as its handlers.
class Snapshots : public std::enable_shared_from_this<Snapshots> {
 public:
  static constexpr std::chrono::seconds wait_time{3};      ///< for a picture of a camera that nobody watched
  static constexpr std::chrono::seconds interest_time{5};  ///< after a request
  /// Errors: stale (there is a picture, but no live one), timeout (no picture at all), exhausted (too many
  /// snapshots wait), unsupported (no media module), no_memory, malformed (it cannot be decoded), cancelled (the hub
  /// ends), permission (nothing of this camera may be shown).
  using Handler = std::function<void(const Result<Snapshot>&)>;

  /// `network` runs the thread that this is bound to. Everything else lives until stop(). `on_interest`: interest()
  /// changed.
  Snapshots(boost::asio::any_io_executor network, const Host& host, const Clock& clock, Worker& worker,
            hal::Media& media, std::function<void()> on_interest);

  /// The newest picture: of a camera that is watched already the one that is here, otherwise one that the sensor took
  /// after this call. With `stale_allowed` a picture that is not LIVE is better than none. `done` may be called within.
  void request(const DeviceId& camera, bool stale_allowed, Handler done);
  /// From the watcher, so it changes no interest.
  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture);
  /// Nothing of this camera may be shown any more. From within the watcher, so it changes no interest.
  void withdraw(const DeviceId& camera);
  /// About ten times a second: requests that waited long enough, cameras that nobody asks for any more.
  void tick();
  [[nodiscard]] std::set<DeviceId> interest() const;
  /// Whoever waits gets cancelled.
  void stop();

 private:
  struct Waiting {
    DeviceId camera;
    MonotonicTime asked;
    bool stale_allowed = false;
    Handler done;
  };
  using Waiters = std::vector<Waiting>;

  void serve(Waiters waiters);
  void finish(const Waiters& waiters, const watch::PictureInfo& picture, Result<Bytes> jpeg) const;

  boost::asio::any_io_executor network_;
  const Host& host_;
  const Clock& clock_;
  Worker& worker_;
  hal::Media& media_;
  std::function<void()> on_interest_;
  std::map<DeviceId, MonotonicTime> until_;  ///< how long a camera is wanted
  Waiters waiting_;                          ///< at most one for each connection
  bool stopped_ = false;
};

}  // namespace sealcam::hub::web
