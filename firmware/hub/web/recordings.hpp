// SPDX-License-Identifier: Apache-2.0
/// Recordings over HTTP: requests for /api/recordings, /api/events and /recordings/CAMERA, and their answers. A request
/// may come from an attacker. An answer with pictures is fragmented MP4, or access units for the page. Own threads read
/// the disk, because they may wait for it or for a slow client. The network thread and the worker of snapshots do not.
/// firmware/docs/hub-api.md lists the fields.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <deque>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hub/web/routes.hpp"
#include "hub/web/server.hpp"
#include "recordings/archive.hpp"

namespace sealcam::hub::web {

/// Runs jobs on up to `max_threads` threads, which start with the first jobs. A stream uses its thread to its end, so
/// that a reader stays on one thread; two threads are always left for other jobs. Jobs that read the index only have
/// one more thread, so that they do not wait for the disk of the recordings. The threads have a low priority, because
/// live pictures are more important. Thread-safe.
class RecordingPool {
 public:
  using Job = std::move_only_function<void()>;
  static constexpr std::size_t max_streams = 4;  ///< running and waiting
  static constexpr std::size_t max_threads = max_streams + 2;
  static constexpr std::size_t max_waiting = 16;  ///< other jobs
  static constexpr int nice = 5;

  RecordingPool() = default;
  RecordingPool(const RecordingPool&) = delete;
  RecordingPool& operator=(const RecordingPool&) = delete;
  /// Waits for the running jobs and destroys the others. Streams must be closed before.
  ~RecordingPool();

  /// Returns false and destroys the job if too many jobs wait. A job must not throw.
  [[nodiscard]] bool submit(Job job);
  /// The same for a job that reads the index and the state of the recorder only.
  [[nodiscard]] bool submit_index(Job job);
  /// Returns false and destroys the job if there are `max_streams` streams.
  [[nodiscard]] bool submit_stream(Job job);

 private:
  void start_thread();
  void work(const std::stop_token& stop);
  void work_on_index(const std::stop_token& stop);
  [[nodiscard]] bool has_job() const noexcept { return !jobs_.empty() || !streams_.empty(); }

  std::mutex mutex_;  // guards the members up to threads_
  std::condition_variable_any changed_, index_changed_;
  std::deque<Job> jobs_, streams_, index_jobs_;
  std::size_t stream_count_ = 0;  // running and waiting
  std::size_t idle_ = 0;
  std::vector<std::jthread> threads_;
  std::optional<std::jthread> index_thread_;
};

/// Passes the bytes of a stream from its thread to the network thread. It holds one chunk. The thread waits until
/// the network thread took the last chunk.
class StreamPipe {
 public:
  /// `ready` runs on the network thread after each push() and after finish().
  StreamPipe(NetworkPost post, std::function<void()> ready) : post_(std::move(post)), ready_(std::move(ready)) {}

  /// Waits until the last chunk was taken. False after close(): the client ended.
  [[nodiscard]] bool push(Bytes chunk);
  /// No chunk follows.
  void finish(Result<> result);

  /// Nothing if no chunk waits.
  [[nodiscard]] std::optional<Bytes> take();
  /// Nothing while chunks wait or may follow.
  [[nodiscard]] std::optional<Result<>> result();
  void close();

  /// The camera of the stream, as soon as its thread found it.
  void set_camera(const DeviceId& camera);
  [[nodiscard]] std::optional<DeviceId> camera();

 private:
  std::mutex mutex_;  // guards the members up to closed_
  std::condition_variable changed_;
  std::optional<DeviceId> camera_;
  std::optional<Bytes> chunk_;
  std::optional<Result<>> result_;
  bool closed_ = false;
  NetworkPost post_;
  std::function<void()> ready_;
};

struct RecordingRequest {
  enum class Kind : std::uint8_t {
    list,      ///< GET /api/recordings
    timeline,  ///< GET /api/recordings/CAMERA, with or without a range
    erase,     ///< DELETE /api/recordings/CAMERA
    video,     ///< GET /recordings/CAMERA.mp4
    still,     ///< GET /recordings/CAMERA.jpg
    units,     ///< GET /recordings/CAMERA.units: a range as access units
    key_unit,  ///< GET /recordings/CAMERA.units?at=: one key frame
    events,    ///< GET /api/events
  } kind = Kind::list;
  std::string camera;           ///< id or name, percent-decoded; empty for a list and for the events of all cameras
  recordings::TimeRange range;  ///< of kinds with a range; empty for a timeline without a range
  CaptureTime at;               ///< of still and key_unit
  bool keys_only = false;       ///< of units
  static constexpr std::size_t default_limit = 100, max_limit = 1000;
  std::size_t limit = default_limit;  ///< of events
};

/// The longest range of a stream, of a timeline and of a deletion.
inline constexpr std::chrono::hours max_stream_range{24};
inline constexpr std::chrono::hours max_timeline_range{32 * 24};

/// Whether the path is one of the paths above, with any query. They are the only ones that accept DELETE.
[[nodiscard]] bool is_recording_target(std::string_view target) noexcept;

/// Reads the target of a GET, HEAD or DELETE. The error is the answer: 404 for a path that does not exist, 405 for
/// a DELETE that names no range of a camera, 400 for a wrong query. Unknown and repeated parameters are wrong.
[[nodiscard]] std::expected<RecordingRequest, Response> parse_recording_request(const Request& request);

/// Microseconds since the Unix epoch in digits, or RFC 3339 with at most six digits after the second. Nothing for other
/// texts, and for times outside of the years 1970 to 9999.
[[nodiscard]] std::optional<CaptureTime> parse_time(std::string_view text);

/// The hub's view of a camera, which the network thread copies for the thread that reads.
struct KnownCamera {
  DeviceId id;
  std::string name;
  bool listed = false;
  bool suspended = false;
  std::optional<bool> detects_motion{};
};
using KnownCameras = std::vector<KnownCamera>;
[[nodiscard]] KnownCameras known_cameras(const std::vector<watch::CameraStatus>& cameras);

/// The camera of a request, by the rules of select_device(), among the known cameras and those with recordings. An id
/// is accepted without a look at the recordings. Errors: not_found, conflict, permission (the owner suspended this
/// hub's integration, so it shows no picture of the camera, old or new), io.
[[nodiscard]] Result<DeviceId> find_recorded_camera(recordings::Archive& archive, const KnownCameras& known,
                                                    std::string_view id_or_name);

/// The answer to a list, a timeline, a deletion, a key unit and events.
[[nodiscard]] Response answer_recording(recordings::Archive& archive, const RecordingRequest& request,
                                        const KnownCameras& known, CaptureTime now);
/// The answers of a hub that has no archive.
[[nodiscard]] Response answer_without_archive(const RecordingRequest& request, CaptureTime now);

struct RecordedStill {
  DeviceId camera;
  recordings::Moment moment;
};
/// The access units of a request for a still. Errors: those of find_recorded_camera(), and not_found.
[[nodiscard]] Result<RecordedStill> read_still(recordings::Archive& archive, const RecordingRequest& request,
                                               const KnownCameras& known);

[[nodiscard]] Response recording_failure(const Error& error);
[[nodiscard]] Response recorded_still(const recordings::PictureFacts& facts, ByteView jpeg);

/// A picture in CAMERA.units: this header, then one access unit.
inline constexpr std::size_t unit_header_size = 48;
enum UnitFlags : std::uint8_t { unit_key = 1, unit_motion = 2, unit_continues = 4 };
void append_unit(Bytes& out, const recordings::PictureFacts& facts, ByteView access_unit);
/// The last record of a range: the number of pictures that the hub did not send.
void append_end(Bytes& out, const recordings::Skipped& skipped);

/// More entries of a timeline are left out, and `truncated` is true.
inline constexpr std::size_t max_timeline_entries = 20'000;

/// Answers a request of the kind video or units. The memory is bounded: one chunk is in the socket, one waits, one is
/// built; a chunk of MP4 is up to one group of pictures. HTTP/1.1 clients receive chunks (RFC 9112 section 7.1) and can
/// therefore detect a cut answer. The answer is 404 without a picture in the range and 503 with too many streams.
/// It ends after 30 s without progress, and when `token` is deleted.
void start_recorded_stream(boost::asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                           RecordingRequest recording, KnownCameras known, const access::TokenHash& token);

/// Times of the pictures of an MP4 file. A pause of the recording longer than recordings::Archive::max_pause takes
/// `pause` in the file, so that a clip over a night does not show one picture for hours. Thread-bound.
class ClipTimeline {
 public:
  static constexpr std::chrono::seconds pause{1};
  /// Since the first picture; always larger than the previous value.
  [[nodiscard]] std::chrono::microseconds next(const recordings::PictureFacts& facts);

 private:
  std::optional<CaptureTime> first_;
  Timeline timeline_;
  std::chrono::microseconds last_{0}, shown_{0};
};

}  // namespace sealcam::hub::web
