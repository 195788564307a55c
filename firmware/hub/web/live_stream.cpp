// SPDX-License-Identifier: Apache-2.0
#include "hub/web/live_stream.hpp"

#include <array>
#include <boost/asio/write.hpp>
#include <charconv>
#include <ctime>

#include "base/clock.hpp"
#include "base/format.hpp"
#include "base/types.hpp"
#include "hub/web/messages.hpp"

namespace sealcam::hub::web {
namespace {

bool has_parameter(std::string_view query, std::string_view parameter) {
  while (!query.empty()) {
    const auto end = query.find('&');
    if (query.substr(0, end) == parameter) return true;
    query = end == std::string_view::npos ? "" : query.substr(end + 1);
  }
  return false;
}

// strftime() instead of std::format, because formatting a chrono type costs ten seconds of compile time.
std::optional<std::string> utc(CaptureTime time, const char* format) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time.since_epoch).count();
  std::tm parts{};
  std::array<char, 64> text{};
  // Both formats have years of four digits.
  if (::gmtime_r(&seconds, &parts) == nullptr || parts.tm_year < -1900 || parts.tm_year > 9999 - 1900)
    return std::nullopt;
  return std::string{text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || ec != std::errc() || end != digits.data() + 2) return std::nullopt;
    out.push_back(static_cast<char>(value));
    i += 2;
  }
  return out;
}

std::optional<MediaRequest> parse_media_request(std::string_view target) {
  struct Form {
    std::string_view before, after;
    MediaRequest::Kind kind;
  };
  static constexpr std::array forms{Form{"/snapshot/", ".jpg", MediaRequest::Kind::snapshot},
                                    Form{"/live/", ".ts", MediaRequest::Kind::live}};
  const auto query_at = target.find('?');
  const auto path = target.substr(0, query_at);
  const auto query = query_at == std::string_view::npos ? "" : target.substr(query_at + 1);
  for (const auto& form : forms) {
    if (!path.starts_with(form.before) || !path.ends_with(form.after)) continue;
    if (path.size() <= form.before.size() + form.after.size()) continue;
    auto camera =
        percent_decoded(path.substr(form.before.size(), path.size() - form.before.size() - form.after.size()));
    if (!camera) return std::nullopt;
    return MediaRequest{form.kind, std::move(*camera), has_parameter(query, "stale=allow")};
  }
  return std::nullopt;
}

Result<DeviceId> find_camera(const std::vector<watch::CameraStatus>& cameras, std::string_view id_or_name) {
  std::vector<NamedDevice> devices;
  for (const auto& camera : cameras)
    if (camera.listed()) devices.push_back({camera.id, camera.name});
  return select_device(id_or_name, devices, IdLetters::all);
}

Response media_failure(const Error& error) {
  const auto unavailable = [](std::string_view text) {
    auto response = plain(503, text);
    response.set("Retry-After", "2");
    return response;
  };
  switch (error.code) {
    case Errc::not_found:
      return plain(
          404,
          "This hub has no such camera. /api/state lists the cameras with their ids. If the camera is not in the "
          "list, its owner can add this hub with: sealcam hub enroll");
    case Errc::conflict:
      return plain(404, sealcam::format("Several cameras have this name. Use one of these ids instead: {}.",
                                        error.place ? *error.place : std::string()));
    case Errc::permission: return plain(403, "This hub may not show this camera. /api/state has the reason.");
    case Errc::stale:
      return unavailable(
          "There is no live picture of this camera. To get the last picture, add ?stale=allow to the address.");
    case Errc::timeout: return unavailable("There is no picture of this camera.");
    case Errc::exhausted: return unavailable("The hub is busy with other snapshots. Try again in two seconds.");
    case Errc::io:
      return unavailable(
          "The decoder failed with the pictures of this camera. The hub tries again after a pause of up to five "
          "minutes. "
          "Ask the camera's owner to check the camera.");
    case Errc::canceled: return unavailable("The hub is stopping.");
    case Errc::unsupported:
      return unavailable(
          "This hub cannot make snapshots and streams, because its media module is missing or has another version. The "
          "log "
          "of the hub has the details.");
    default: return plain(500, "The hub could not decode this picture. Try again.");
  }
}

Response blocked_response(watch::Reason reason) {
  const auto text = [&]() -> std::string_view {
    switch (reason) {
      case watch::Reason::cloned:
        return "Two devices use this camera's identity, so the hub shows neither of them. Reset the camera and pair it "
               "again.";
      case watch::Reason::suspended:
        return "The owner suspended the integration of this hub. Only the owner can resume it.";
      default: return "The owner removed this hub from the camera's list.";
    }
  }();
  auto response = plain(403, text);
  response.set("X-Sealcam-Reason", std::string(name(reason)));
  return response;
}

Response snapshot_response(const Snapshot& snapshot) {
  const auto captured = snapshot.picture.header.captured;
  auto response = respond_with(200, "image/jpeg", std::string(as_text(*snapshot.jpeg)));
  if (auto text = http_date(captured)) response.set("Last-Modified", std::move(*text));
  if (auto text = rfc3339(captured)) response.set("X-Sealcam-Captured", std::move(*text));
  response.set("X-Sealcam-State", snapshot.freshness.live ? "LIVE" : "STALE");
  if (snapshot.freshness.age) response.set("X-Sealcam-Age-Ms", std::to_string(snapshot.freshness.age->count()));
  return response;
}

std::optional<std::string> rfc3339(CaptureTime time) {
  // First milliseconds: a difference of microseconds and seconds overflows for the smallest time that a camera can
  // send.
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.since_epoch);
  const auto since_second = since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch);
  auto text = utc(time, "%FT%T");
  if (text) *text += sealcam::format(".{:03}Z", since_second.count());
  return text;
}

std::optional<std::string> http_date(CaptureTime time) { return utc(time, "%a, %d %b %Y %H:%M:%S GMT"); }

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::string_view media_type = "video/mp2t";

// Runs on the worker.
Result<std::unique_ptr<hal::StreamMuxer>> open_muxer(hal::Media& media) {
  try {
    auto muxer = media.open_muxer();
    if (!muxer) return fail(Errc::unsupported, muxer.error().what, muxer.error().native);
    return muxer;
  } catch (const std::exception&) {
    return fail(Errc::no_memory, "opening a stream");
  }
}

class LiveStream final : public StreamSession {
 public:
  LiveStream(asio::ip::tcp::socket socket, Request request, ConnectionCount count, const DeviceId& camera,
             const access::TokenHash& token)
      : StreamSession(std::move(socket), std::move(request), std::move(count), token), camera_(camera) {}

  void start() {
    last_live_ = shared().clock->boot();
    open_session();
    (void)queue_.watch(false, {camera_}, {});
    if (const auto* group = shared().backend->newest(camera_)) queue_.push_group(camera_, *group);
    shared().update_interest();
    // The network thread must destroy this object. Therefore the job returns its reference to that thread.
    auto job = [media = shared().media, post = shared().post, self = self()]() mutable {
      auto muxer = open_muxer(*media);
      post([self = std::move(self), muxer = std::move(muxer)]() mutable { self->opened(std::move(muxer)); });
    };
    if (!shared().worker->submit_stream(std::move(job))) stop({Errc::exhausted, 0, "too many jobs wait"});
  }

  void send(QueuedPicture picture) override {
    const auto now = shared().clock->boot();
    if (!freshness_at(picture.picture, now).live) return queue_.out_of_step(camera_);
    last_live_ = now;
    queue_.push(std::move(picture));
    drain();
  }
  void withdraw(const DeviceId& camera) override {
    if (camera != camera_) return;
    queue_.withdraw(camera);
    later([this] { stop({Errc::permission, 0, "the camera is blocked"}); });
  }
  void tick() override {
    const auto now = shared().clock->boot();
    if (is_writing() ? now - last_taken() <= player_timeout : now - last_live_ <= stream_timeout) return;
    stop({Errc::stale, 0, "no live picture"});
  }

 private:
  std::shared_ptr<LiveStream> self() { return std::static_pointer_cast<LiveStream>(shared_from_this()); }

  void opened(Result<std::unique_ptr<hal::StreamMuxer>> muxer) {
    if (!is_open()) return;
    if (!muxer) return stop(muxer.error());
    muxer_ = std::move(*muxer);
    drain();
  }

  /// The next picture that is still LIVE and that the player can decode after the pictures before.
  std::optional<QueuedPicture> next() {
    const auto now = shared().clock->boot();
    while (auto out = queue_.pop()) {
      const auto& picture = out->picture->picture;
      if (!freshness_at(picture, now).live) out_of_step_ = true;
      else if (picture.starts_group() || !out_of_step_) return std::move(out->picture);
    }
    return std::nullopt;
  }

  void drain() override {
    if (is_writing() || !is_open() || !muxer_) return;
    const auto picture = next();
    if (!picture) return;
    out_of_step_ = false;
    const auto& info = picture->picture;
    // Later, because the watcher may be the caller and the end of a session changes the interest.
    if (request().method == Request::Method::head) return later([this] { end(stream_head(request(), media_type)); });
    const auto bytes = muxer_->write({.bytes = *picture->unit,
                                      .at = timeline_.next(info.header.captured, info.received),
                                      .key = info.starts_group()});
    if (!bytes) return later([this] { close(); });  // as above
    write(has_begun() ? std::string() : stream_head(request(), media_type), {bytes->data(), bytes->size()});
  }

  [[nodiscard]] Response failure(const Error& error) const override { return media_failure(error); }

  DeviceId camera_;
  std::unique_ptr<hal::StreamMuxer> muxer_;
  Timeline timeline_;
  BootTime last_live_;       ///< when the last LIVE picture arrived
  bool out_of_step_ = true;  ///< the player cannot decode the next delta
};

}  // namespace

void start_live_stream(asio::ip::tcp::socket socket, Request request, ConnectionCount count, const DeviceId& camera,
                       const access::TokenHash& token) {
  std::make_shared<LiveStream>(std::move(socket), std::move(request), std::move(count), camera, token)->start();
}

void StreamSession::open_session() {
  last_taken_ = shared().clock->boot();
  shared().sessions.push_back(this);
  // A client sends nothing after its request. This read detects that it closed the connection.
  socket_.async_read_some(asio::buffer(input_),
                          [self = shared_from_this()](error_code, std::size_t) { self->close(); });
}

void StreamSession::write(std::string text, asio::const_buffer body, asio::const_buffer tail) {
  text_ = std::move(text);
  begun_ = writing_ = true;
  asio::async_write(socket_, std::array{asio::const_buffer(text_.data(), text_.size()), body, tail},
                    [self = shared_from_this()](error_code ec, std::size_t) {
                      self->writing_ = false;
                      if (ec) return self->close();
                      if (self->open_) self->last_taken_ = self->shared().clock->boot();
                      self->drain();
                    });
}

void StreamSession::stop(const Error& error) {
  if (begun_) return close();
  request_.keep_alive = false;
  end(to_http(request_, failure(error)));
}

void StreamSession::end(std::string text) {
  if (!remove()) return;
  text_ = std::move(text);
  asio::async_write(socket_, asio::buffer(text_), [self = shared_from_this()](error_code, std::size_t) {
    error_code ignored;
    self->socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    self->socket_.close(ignored);
  });
}

void StreamSession::close() {
  if (!remove()) return;
  error_code ignored;
  socket_.close(ignored);  // cancels all pending operations
}

bool StreamSession::remove() {
  if (!std::exchange(open_, false)) return false;
  removed();
  shared().remove(*this);
  return true;
}

}  // namespace sealcam::hub::web
