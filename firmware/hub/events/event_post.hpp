// SPDX-License-Identifier: Apache-2.0
/// Motion while it happens, for the metrics, and its way to another program with HTTP POST, for ntfy and webhooks,
/// without a picture. The archive has the events of the past.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "recordings/timeline.hpp"

namespace boost::asio {
class io_context;
}
namespace boost::asio::ip {
class address;
}

namespace sealcam::hub::events {

/// Events of one camera since the start of the hub.
struct CameraEvents {
  DeviceId camera;
  std::uint64_t events = 0;
  bool motion = false;  ///< a picture with the mark arrived within the last MotionSpans::max_pause
};

/// The begin of an event.
struct EventBegin {
  DeviceId camera;
  CaptureTime begin;
  std::uint64_t suppressed = 0;  ///< earlier events of this camera that were not reported
};

/// Thread-bound. The callers bound the number of cameras: those of the hub's rosters.
class EventTracker {
 public:
  /// A camera may set the mark as it likes. At most this number of its events is reported within an hour.
  static constexpr unsigned max_reports = 60;
  static constexpr std::chrono::hours report_time{1};

  /// A picture with the mark of motion, which arrived at `wall` and `boot`. Returns an event that begins and is to be
  /// reported.
  [[nodiscard]] std::optional<EventBegin> on_motion(const DeviceId& camera, CaptureTime wall, BootTime boot);
  /// By ascending id; only cameras with an event.
  [[nodiscard]] std::vector<CameraEvents> cameras(BootTime now) const;

 private:
  struct Track {
    BootTime newest;  ///< picture with the mark
    std::uint64_t events = 0;
    BootTime window;  ///< begin of the time in which `reports` counts
    unsigned reports = 0;
    std::uint64_t suppressed = 0;
  };
  [[nodiscard]] static bool may_report(Track& track, BootTime now);

  std::map<DeviceId, Track> tracks_;
};

/// An address of RFC 3986 with the scheme http or https.
struct PostUrl {
  bool tls = false;
  std::string host;  ///< without brackets
  std::uint16_t port = 0;
  std::string target;  ///< path and query, at least "/"; may be secret, so it is in no log

  /// Host and port as in the field Host.
  [[nodiscard]] std::string authority() const;
};
/// At most 2048 characters, without a user, a fragment, and characters that RFC 3986 does not allow. Errors: malformed.
[[nodiscard]] Result<PostUrl> parse_post_url(std::string_view text);

struct PostSettings {
  std::optional<PostUrl> url;       ///< nothing: no event is sent
  std::string topic;                ///< member `topic` of the message, for ntfy; empty: none
  bool names = false;               ///< the message may contain the name of the camera
  std::filesystem::path authority;  ///< certificates (PEM) for https; empty: those of the system
};

/// The body of the request. `name` empty: the owner does not allow it.
[[nodiscard]] std::string event_message(const EventBegin& event, std::string_view name, std::string_view topic);

/// Without TLS, events are sent only to this machine and to private networks (RFC 1918, RFC 4193, link-local).
[[nodiscard]] bool is_private(const boost::asio::ip::address& address) noexcept;

/// The status of an answer's first line (RFC 9112 section 4), 100 to 599. Nothing for other bytes.
[[nodiscard]] std::optional<unsigned> answer_status(std::string_view line) noexcept;

struct PostCounts {
  std::uint64_t sent = 0;     ///< the receiver answered 2xx
  std::uint64_t failed = 0;   ///< after all attempts
  std::uint64_t dropped = 0;  ///< the queue was full
};

/// One request at a time. An event gets 4 attempts within 3 minutes, each of at most 10 s. Redirections are not
/// followed. A rejection (4xx, except 408 and 429) is not repeated. Thread-bound to the network thread.
class EventPoster {
 public:
  static constexpr std::size_t max_waiting = 32;
  static constexpr std::size_t max_answer = 8U << 10;

  /// `url` must be set. Reads the certificates for https. Errors: not_found, io, malformed (certificates), crypto.
  [[nodiscard]] static Result<std::unique_ptr<EventPoster>> open(boost::asio::io_context& io,
                                                                 const PostSettings& settings, Log& log);
  EventPoster(const EventPoster&) = delete;
  EventPoster& operator=(const EventPoster&) = delete;
  ~EventPoster();

  /// Drops the event if `max_waiting` others wait.
  void post(std::string message);
  /// Drops what waits.
  void stop();
  [[nodiscard]] const PostCounts& counts() const noexcept;
  /// The reason of the newest failure, since which no event was sent; empty if there is none. For people.
  [[nodiscard]] const std::string& fault() const noexcept;

 private:
  struct State;
  explicit EventPoster(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace sealcam::hub::events
