// SPDX-License-Identifier: Apache-2.0
/// Live pictures over HTTP: requests for /snapshot/CAMERA.jpg and /live/CAMERA.ts, their answers, and a player that
/// receives MPEG-TS.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/web/routes.hpp"
#include "hub/web/snapshots.hpp"
#include "hub/web/web_session.hpp"

namespace sealcam::hub::web {

struct MediaRequest {
  enum class Kind : std::uint8_t { snapshot, live } kind = Kind::snapshot;
  std::string camera;          ///< a text for find_camera(), percent-decoded
  bool stale_allowed = false;  ///< ?stale=allow
};

/// Returns nothing for other targets.
[[nodiscard]] std::optional<MediaRequest> parse_media_request(std::string_view target);

/// Finds a listed camera with select_device(). Errors: not_found, conflict (several cameras have this name).
[[nodiscard]] Result<DeviceId> find_camera(const std::vector<watch::CameraStatus>& cameras,
                                           std::string_view id_or_name);

/// The status and the text for an error.
[[nodiscard]] Response media_failure(const Error& error);
/// 403 for a blocked camera, also with ?stale=allow. The field X-Sealcam-Reason has the reason.
[[nodiscard]] Response blocked_response(watch::Reason reason);
[[nodiscard]] Response snapshot_response(const Snapshot& snapshot);

/// Returns nothing if a '%' does not start a percent-encoding (RFC 3986 section 2.1).
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// 2026-09-01T12:00:00.250Z. Nothing for a time that is not between the years 0 and 9999.
[[nodiscard]] std::optional<std::string> rfc3339(CaptureTime time);
/// Tue, 01 Sep 2026 12:00:00 GMT (RFC 9110 section 5.6.7). Nothing for a time that is not between the years 0 and 9999.
[[nodiscard]] std::optional<std::string> http_date(CaptureTime time);

/// A stream ends after this time without a LIVE picture.
inline constexpr std::chrono::seconds stream_timeout{10};
/// A stream ends after this time in which the player took nothing.
inline constexpr std::chrono::seconds player_timeout{30};

/// Sends only LIVE pictures. While the camera is STALE the stream pauses; it continues with a key frame. The answer
/// is 503 if no LIVE picture arrived. The answer to HEAD comes at the same time as that to GET, without pictures.
/// `request`: reject() accepted it.
/// `token`: the stream ends when this token is deleted.
void start_live_stream(boost::asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                       const DeviceId& camera, const access::TokenHash& token);

/// The answer to one request, which sends pictures until its end and then closes the connection. Thread-bound.
class StreamSession : public WebSession, public std::enable_shared_from_this<StreamSession> {
 public:
  void send_state(const std::string&) override {}
  void close() final;

 protected:
  StreamSession(boost::asio::ip::tcp::socket socket, Request request, ConnectionCount count,
                const access::TokenHash& token)
      : WebSession(token), socket_(std::move(socket)), request_(std::move(request)), count_(std::move(count)) {}
  ~StreamSession() = default;

  [[nodiscard]] ServerShared& shared() const noexcept { return count_.shared(); }
  [[nodiscard]] const Request& request() const noexcept { return request_; }
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  [[nodiscard]] bool has_begun() const noexcept { return begun_; }
  [[nodiscard]] bool is_writing() const noexcept { return writing_; }
  /// When the client last took data, or open_session() was called.
  [[nodiscard]] BootTime last_taken() const noexcept { return last_taken_; }

  /// Adds the session to ServerShared::sessions, and closes it once the client closes the connection.
  void open_session();
  /// Writes `text`, then `body` and `tail`, which stay valid until drain() follows.
  void write(std::string text, boost::asio::const_buffer body, boost::asio::const_buffer tail = {});
  /// Answers with failure(error), or closes the connection if a part of the stream was sent.
  void stop(const Error& error);
  /// Sends the last bytes and closes the connection.
  void end(std::string text);
  /// Calls a function on the network thread later, while this object exists.
  template <class F>
  void later(F function) {
    boost::asio::post(socket_.get_executor(), [self = shared_from_this(), function] { function(); });
  }

 private:
  /// Writes the next data, if there is some and the session is open and not writing.
  virtual void drain() = 0;
  [[nodiscard]] virtual Response failure(const Error& error) const = 0;
  /// The session no longer receives pictures.
  virtual void removed() {}
  bool remove();

  boost::asio::ip::tcp::socket socket_;
  Request request_;
  ConnectionCount count_;
  std::array<char, 256> input_{};
  std::string text_;  ///< while it is being written
  BootTime last_taken_;
  bool open_ = true;
  bool begun_ = false;
  bool writing_ = false;
};

}  // namespace sealcam::hub::web
