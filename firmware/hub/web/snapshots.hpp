// SPDX-License-Identifier: Apache-2.0
/// Snapshots: requests for one picture as JPEG. The worker, a separate thread, decodes them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "hal/media.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/server.hpp"

namespace sealcam::hub::web {

/// A thread for jobs that would delay the network thread: waiting for a decoder, and loading the media module. It runs
/// one job at a time. The cameras take turns, so that the jobs of one camera delay those of another by one job. New
/// streams take turns with the cameras. The destructor waits for the running job and discards the others.
class Worker {
 public:
  using Job = std::move_only_function<void()>;
  static constexpr std::size_t max_waiting = 2;  ///< jobs of one camera

  Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// Returns false and destroys the job if too many jobs of the camera wait. A job must not throw. Thread-safe.
  [[nodiscard]] bool submit(const DeviceId& camera, Job job) { return submit(camera, std::move(job), max_waiting); }
  /// For a job of a new stream. It is short, so it does not count as a job of its camera: players that connect at once
  /// have a place for each connection.
  [[nodiscard]] bool submit_stream(Job job) { return submit({}, std::move(job), ServerShared::max_connections); }

 private:
  bool submit(const DeviceId& turn, Job job, std::size_t limit);
  void work(const std::stop_token& stop);

  std::mutex mutex_;  // guards jobs_
  std::condition_variable_any changed_;
  std::map<DeviceId, std::deque<Job>> jobs_;  // no entry is empty
  DeviceId last_;                             // the camera whose job ran last
  std::jthread thread_;                       // last, because it uses the members above
};

struct Snapshot {
  std::shared_ptr<const Bytes> jpeg;
  watch::PictureInfo picture;
  FreshnessNow freshness;  ///< when the hub answers
};

/// Requests pictures of a camera that no client watches. It keeps requesting them for a few seconds, because a polling
/// client sends the next request soon. Thread-bound; pending handlers keep it alive.
class Snapshots : public std::enable_shared_from_this<Snapshots> {
 public:
  static constexpr std::chrono::seconds wait_time{3};      ///< for a picture of a camera that no client watched
  static constexpr std::chrono::seconds interest_time{5};  ///< after a request
  static constexpr std::chrono::seconds first_pause{10};   ///< of a camera whose decoder failed; doubled each time
  static constexpr std::chrono::seconds max_pause{300};
  /// Errors: stale (there is no LIVE picture), timeout (there is no picture), exhausted (too many snapshots wait),
  /// unsupported (no media module), no_memory, malformed (decoding failed), io (the decoder crashed or took too long,
  /// now or shortly before), canceled (the hub stops), permission (the camera is blocked).
  using Handler = std::function<void(const Result<Snapshot>&)>;

  /// The references must be valid until stop(). Calls `on_interest` after each change of interest().
  Snapshots(NetworkPost post, const WebBackend& backend, const Clock& clock, Worker& worker, hal::Media& media,
            std::function<void()> on_interest);

  /// Returns the newest picture if a client watches the camera, otherwise a picture that the sensor took after this
  /// call. `stale_allowed` accepts a picture that is not LIVE. May call `done` before it returns.
  void request(const DeviceId& camera, bool stale_allowed, Handler done);
  /// Decodes a group of another source, in turn with the snapshots of the camera. After a crash of the decoder it has a
  /// pause of its own, so that an old recording does not end live snapshots. May call `done` before it returns. Errors:
  /// those of Handler after decoding, exhausted, canceled.
  void decode(const DeviceId& camera, std::vector<Bytes> group, std::function<void(const Result<Bytes>&)> done);
  /// Does not change interest(), because the watcher is the caller.
  void on_picture(const DeviceId& camera, const watch::PictureInfo& picture);
  /// Rejects the requests for a blocked camera. Does not change interest(), because the watcher is the caller.
  void withdraw(const DeviceId& camera);
  /// Ends requests and interest that time out. Call this about ten times a second.
  void tick();
  [[nodiscard]] std::set<DeviceId> interest() const;
  /// Cancels all requests.
  void stop();

 private:
  struct Waiting {
    DeviceId camera;
    BootTime since;
    bool stale_allowed = false;
    Handler done;
  };
  using Waiters = std::vector<Waiting>;
  struct Pause {
    BootTime until;
    std::chrono::seconds length{0};
  };
  using Pauses = std::map<DeviceId, Pause>;  ///< of cameras whose last decoder failed

  void serve(Waiters waiters);
  void finish(const Waiters& waiters, const watch::PictureInfo& picture, Result<Bytes> jpeg);
  [[nodiscard]] bool paused(const Pauses& pauses, const DeviceId& camera) const;
  void note_decoder(Pauses& pauses, const DeviceId& camera, const Result<Bytes>& jpeg);

  NetworkPost post_;
  const WebBackend& backend_;
  const Clock& clock_;
  Worker& worker_;
  hal::Media& media_;
  std::function<void()> on_interest_;
  std::map<DeviceId, BootTime> until_;  ///< end of the interest in each camera
  Pauses live_pauses_, other_pauses_;
  Waiters waiting_;  ///< at most one for each connection
  bool stopped_ = false;
};

}  // namespace sealcam::hub::web
