// SPDX-License-Identifier: Apache-2.0
/// Records sealed frames on a separate thread, so that a slow or full disk never delays the caller.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "recordings/recorder_core.hpp"

namespace sealcam::recordings {

/// A frame that the hub accepted, of the current epoch of its camera.
struct AcceptedFrame {
  std::shared_ptr<const RecordedEpoch> epoch;
  protocol::FrameKind kind = protocol::FrameKind::delta;
  Counter counter;
  ByteView message;      ///< as received
  CaptureTime received;  ///< by the hub's wall clock
  PictureMark mark;
  bool stored = true;  ///< false: a report, a still, or a frame in a wrong order. Only its counter is recorded
};

/// A verified frame that a camera kept while it had no broker.
struct PastFrame {
  std::shared_ptr<const RecordedEpoch> epoch;
  protocol::FrameKind kind = protocol::FrameKind::delta;
  Counter counter;
  ByteView message;
  CaptureTime time;  ///< its place on the timeline
  PictureMark mark;
};

/// Thread-safe. No function but erase() and the destructor waits for the disk.
class Recorder {
 public:
  /// The queue drops frames beyond this limit, and continues at a key frame. Lost frames appear as gaps.
  static constexpr std::size_t max_queue_bytes = 16U << 20;
  static constexpr std::size_t max_queue_length = 8192;

  Recorder(RecorderConfig config, const RecorderDependencies& deps);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  /// Writes what is queued, and ends all files.
  ~Recorder();

  void add(const AcceptedFrame& frame);
  /// See RecorderCore::list_past(), add_past() and past_gaps(). The queue drops frames beyond its limit; they remain
  /// gaps.
  void list_past(const DeviceId& camera, std::vector<protocol::PastRange> ranges);
  void add_past(const PastFrame& frame);
  [[nodiscard]] std::vector<protocol::PastRange> past_gaps(const DeviceId& camera) const {
    return core_.past_gaps(camera);
  }
  /// Ends the file of a camera, for example because a roster removed this hub.
  void end(const DeviceId& camera, EndReason reason);
  void set_modes(std::vector<std::pair<DeviceId, Mode>> modes);
  /// Waits for the disk. Errors: io, permission.
  [[nodiscard]] Result<Erased> erase(const DeviceId& camera, const TimeRange& range);
  /// Also reports frames that wait for the thread to count them, and a disk that does not answer.
  [[nodiscard]] Status status() const;

 private:
  struct Frame {
    std::shared_ptr<const RecordedEpoch> epoch;
    protocol::FrameKind kind{};
    Counter counter;
    Bytes message;
    CaptureTime received;
    PictureMark mark;
    bool stored = true;
  };
  struct Listed {
    DeviceId camera;  ///< the list is in `listed_`
  };
  struct Past {
    PastFrame frame;  ///< without the message
    Bytes message;
  };
  struct End {
    DeviceId camera;
    EndReason reason{};
  };
  struct Modes {
    std::vector<std::pair<DeviceId, Mode>> modes;
  };
  struct Erase {
    DeviceId camera;
    TimeRange range;
    std::shared_ptr<std::promise<Result<Erased>>> done;
  };
  using Event = std::variant<Frame, Listed, Past, End, Modes, Erase>;

  void push(Event event);
  void run(const std::stop_token& stop);
  void handle(Event& event);

  const Clock& clock_;
  const std::chrono::milliseconds max_call_;
  RecorderCore core_;
  mutable std::mutex mutex_;                                         ///< guards the members up to wait_for_key_
  std::optional<std::chrono::steady_clock::time_point> busy_since_;  ///< of the thread, while it uses the core
  std::condition_variable_any changed_;
  std::deque<Event> queue_;
  std::size_t queued_bytes_ = 0;
  std::vector<Bytes> spare_;  ///< buffers for reuse
  std::map<DeviceId, std::vector<protocol::PastRange>> listed_;
  std::map<DeviceId, std::uint64_t> dropped_;  ///< frames since the last report to the core
  std::map<DeviceId, bool> wait_for_key_;
  std::chrono::steady_clock::time_point core_due_{};  ///< of the thread
  std::jthread thread_;                               // last: it uses the members above
};

}  // namespace sealcam::recordings
