// SPDX-License-Identifier: Apache-2.0
/// The recordings of a hub, for readers: the times that exist, the pictures of a time, deletion, and the state of the
/// recorder. firmware/protocol/recordings.md describes the files.
///
/// A recording is never LIVE. Two times belong to each picture. `at` is its place on the timeline, by the hub's wall
/// clock. `captured` is the capture time that the camera signed, by the camera's wall clock, which may be wrong and may
/// jump. Show `captured` as the time of the picture, and `at` too if the two differ by more than a minute.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "protocol/envelope.hpp"
#include "recordings/status.hpp"
#include "recordings/timeline.hpp"

namespace sealcam::recordings {

using protocol::Counter;
using protocol::Epoch;

/// Begin is part of the range, end is not. By the hub's wall clock.
struct TimeRange {
  CaptureTime begin, end;
  [[nodiscard]] bool empty() const noexcept { return end <= begin; }
  [[nodiscard]] bool contains(CaptureTime time) const noexcept { return begin <= time && time < end; }
  [[nodiscard]] bool overlaps(const TimeRange& other) const noexcept { return begin < other.end && other.begin < end; }
  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

inline constexpr TimeRange all_times{{std::chrono::microseconds::min()}, {std::chrono::microseconds::max()}};

/// Why the newest file of a camera ended. The numbers are in the receipts.
enum class EndReason : std::uint8_t {
  open = 0,         ///< the file has no receipt: the recorder writes it, or was interrupted
  full = 1,         ///< five minutes or another limit of a file
  epoch = 2,        ///< the camera began another epoch
  stopped = 3,      ///< the hub stopped, or the camera's mode is off now
  interrupted = 4,  ///< the recorder found the file after a crash or a disk error, and cut it
  removed = 5,      ///< a roster no longer lists this hub
  cloned = 6,       ///< two devices use the camera's identity
};
[[nodiscard]] std::string_view name(EndReason reason) noexcept;

struct CameraSummary {
  DeviceId camera;
  std::string name;  ///< as shown_device_name(); the newest one with a base key. Empty if no file can be opened
  TimeRange time;    ///< from the first to the last picture
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  EndReason ended = EndReason::open;  ///< of the newest file; marks recordings of a removed hub or a cloned camera
};

/// A day by UTC. A page with another time zone requests the timeline of its own day.
struct Day {
  std::chrono::sys_days date;
  std::chrono::microseconds recorded{0};
  std::uint64_t bytes = 0;
};

/// Pictures without a pause of more than Archive::max_pause. Lost frames do not end a span.
struct Span {
  TimeRange time;
  std::uint64_t bytes = 0;
  bool openable = true;  ///< false: this hub has no base key for it
};

/// Sealed frames that the camera numbered and the hub did not receive. The counters do not show who caused the loss.
struct Gap {
  TimeRange time;  ///< of the groups of pictures around the gap, at most one group too long at each end
  Epoch epoch;
  Counter first;
  std::uint64_t frames = 0;
};

/// In ascending order. Spans and gaps that begin or end outside of the requested range are not cut.
struct RecordedTimeline {
  std::vector<Span> spans;
  std::vector<Gap> gaps;
};

/// One verified and opened picture. Without the access unit, so that it can be stored.
struct PictureFacts {
  CaptureTime at;        ///< place on the timeline; never decreases from one picture of a reader to the next
  CaptureTime captured;  ///< signed by the camera; any 64 bits
  std::uint16_t width = 0, height = 0;
  bool key = false;        ///< IDR with SPS and PPS
  bool motion = false;     ///< the camera detected motion
  bool continues = false;  ///< directly follows the previous picture of the reader. False: lost pictures, or the first
  Epoch epoch;
  Counter counter;
};
struct RecordedPicture {
  PictureFacts facts;
  ByteView access_unit;  ///< H.264, Annex B; valid until the next call of the reader
};

/// Content that a reader skipped.
struct Skipped {
  std::uint64_t altered = 0;      ///< frames with an invalid signature, form or ciphertext: the file was changed
  std::uint64_t no_key = 0;       ///< files whose base key this hub does not have
  std::uint64_t undecodable = 0;  ///< deltas whose earlier picture is missing
};

/// Pictures in ascending order. Each one decodes after the pictures before it. After lost pictures it continues with
/// the next key frame. Reads and verifies on the thread of the caller: about 1 ms a picture, so call it on a thread
/// that may wait for the disk. Thread-bound. It must not outlive the Archive. A file that is deleted while it is read
/// stays readable to its end.
class PictureReader {
 public:
  virtual ~PictureReader() = default;
  /// Nothing at the end of the range. A file that another program changed or removed is skipped and counted. Errors:
  /// io.
  [[nodiscard]] Result<std::optional<RecordedPicture>> next() { return do_next(); }
  [[nodiscard]] const Skipped& skipped() const noexcept { return do_skipped(); }

 private:
  virtual Result<std::optional<RecordedPicture>> do_next() = 0;
  [[nodiscard]] virtual const Skipped& do_skipped() const noexcept = 0;
};

enum class Pictures : std::uint8_t {
  all,
  keys,  ///< key frames only, for thumbnails and for fast play; other frames are not read
};

/// A picture, and the pictures that its decoder needs: at most 600, with 32 MiB. If more pictures follow without a key
/// frame, the last one of these.
struct Moment {
  PictureFacts facts;        ///< of the last picture of the group
  std::vector<Bytes> group;  ///< access units from the key frame to this picture
};

struct Erased {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  TimeRange time;  ///< of the deleted files; empty if there were none
};

/// Thread-safe. Functions read the disk unless their comment says otherwise; a listing of a month takes milliseconds.
/// Errors of all functions: io, permission; malformed does not occur, because a damaged index is rebuilt.
class Archive {
 public:
  /// A longer pause between two groups of pictures ends a span.
  static constexpr std::chrono::seconds max_pause{10};

  virtual ~Archive() = default;
  /// By ascending id.
  [[nodiscard]] Result<std::vector<CameraSummary>> cameras() { return do_cameras(); }
  /// Days with recordings, in ascending order. The list of an unknown camera is empty.
  [[nodiscard]] Result<std::vector<Day>> days(const DeviceId& camera) { return do_days(camera); }
  [[nodiscard]] Result<RecordedTimeline> timeline(const DeviceId& camera, const TimeRange& range) {
    return do_timeline(camera, range);
  }
  /// Motion that overlaps the range, in ascending order; the newest `limit` if there is more. It is not cut at the
  /// edges of the range, but at an hour before and after it. Files that are still scanned for a new index are missing.
  [[nodiscard]] Result<std::vector<Motion>> motion(const DeviceId& camera, const TimeRange& range, std::size_t limit) {
    return do_motion(camera, range, limit);
  }
  /// Starts with the key frame at or before `range.begin` if its span contains `range.begin`, else with the first one
  /// after it. Ends before the first picture at or after `range.end`. Errors: also not_found (no file in the range).
  [[nodiscard]] Result<std::unique_ptr<PictureReader>> read(const DeviceId& camera, const TimeRange& range,
                                                            Pictures which = Pictures::all) {
    return do_read(camera, range, which);
  }
  /// The newest picture at or before `time`, in any span. With Pictures::keys, the newest key frame: one access unit,
  /// and several times faster. Errors: also not_found (no such picture can be opened).
  [[nodiscard]] Result<Moment> picture_at(const DeviceId& camera, CaptureTime time, Pictures which = Pictures::all) {
    return do_picture_at(camera, time, which);
  }
  /// Deletes each file that overlaps the range, and base keys that no other file needs. A file contains up to five
  /// minutes, so more than the range may be deleted; the result names the time. Also ends and deletes a file that the
  /// recorder writes. Durable when it returns.
  [[nodiscard]] Result<Erased> erase(const DeviceId& camera, const TimeRange& range) { return do_erase(camera, range); }
  /// Does not read the disk.
  [[nodiscard]] Status status() { return do_status(); }

 private:
  virtual Result<std::vector<CameraSummary>> do_cameras() = 0;
  virtual Result<std::vector<Day>> do_days(const DeviceId& camera) = 0;
  virtual Result<RecordedTimeline> do_timeline(const DeviceId& camera, const TimeRange& range) = 0;
  virtual Result<std::vector<Motion>> do_motion(const DeviceId& camera, const TimeRange& range, std::size_t limit) = 0;
  virtual Result<std::unique_ptr<PictureReader>> do_read(const DeviceId& camera, const TimeRange& range,
                                                         Pictures which) = 0;
  virtual Result<Moment> do_picture_at(const DeviceId& camera, CaptureTime time, Pictures which) = 0;
  virtual Result<Erased> do_erase(const DeviceId& camera, const TimeRange& range) = 0;
  virtual Status do_status() = 0;
};

}  // namespace sealcam::recordings
