// SPDX-License-Identifier: Apache-2.0
#include "hub/web/live_stream.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "base/clock.hpp"
#include "hub/web/media_request.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/web_session.hpp"

namespace sealcam::hub::web {
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
    return fail(Errc::no_memory, "open a stream");
  }
}

class LiveStream final : public WebSession, public std::enable_shared_from_this<LiveStream> {
 public:
  LiveStream(asio::ip::tcp::socket socket, Request request, ConnectionCount count, const DeviceId& camera,
             const access::TokenHash& token)
      : WebSession(token),
        socket_(std::move(socket)),
        request_(std::move(request)),
        count_(std::move(count)),
        camera_(camera) {}

  void start() {
    last_live_ = last_taken_ = shared().clock->boot();
    shared().sessions.push_back(this);
    (void)queue_.watch(false, {camera_}, {});
    if (const auto* group = shared().backend->newest(camera_)) queue_.push_group(camera_, *group);
    shared().update_interest();
    read();
    // The network thread must destroy this object. So the job moves its share back to that thread.
    auto job = [media = shared().media, post = shared().post, self = shared_from_this()]() mutable {
      auto muxer = open_muxer(*media);
      post([self = std::move(self), muxer = std::move(muxer)]() mutable { self->opened(std::move(muxer)); });
    };
    if (!shared().worker->submit_stream(std::move(job))) reject({Errc::exhausted, 0, "too many jobs wait"});
  }

  void send(QueuedPicture picture) override {
    const auto now = shared().clock->boot();
    if (!freshness_at(picture.picture, now).live) return queue_.out_of_step(camera_);
    last_live_ = now;
    queue_.push(std::move(picture));
    drain();
  }
  void send_state(const std::string&) override {}
  void withdraw(const DeviceId& camera) override {
    if (camera != camera_) return;
    queue_.withdraw(camera);
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->begun_) self->close();
      else self->reject({Errc::permission, 0, "the camera is blocked"});
    });
  }
  void tick() override {
    const auto now = shared().clock->boot();
    if (writing_ ? now - last_taken_ <= player_timeout : now - last_live_ <= stream_timeout) return;
    if (begun_) close();
    else reject({Errc::stale, 0, "no live picture"});
  }
  void close() override {
    if (!remove()) return;
    error_code ignored;
    socket_.close(ignored);  // cancels all pending operations
  }

 private:
  [[nodiscard]] ServerShared& shared() const noexcept { return count_.shared(); }

  void opened(Result<std::unique_ptr<hal::StreamMuxer>> muxer) {
    if (!open_) return;
    if (!muxer) return reject(muxer.error());
    muxer_ = std::move(*muxer);
    drain();
  }

  // A player sends nothing after its request. This read detects that it closed the connection.
  void read() {
    socket_.async_read_some(asio::buffer(input_),
                            [self = shared_from_this()](error_code, std::size_t) { self->close(); });
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

  void drain() {
    if (writing_ || !open_ || !muxer_) return;
    const auto picture = next();
    if (!picture) return;
    out_of_step_ = false;
    const auto& info = picture->picture;
    // Later, because the watcher may be the caller and the end of a session changes the interest.
    if (request_.method == Request::Method::head)
      return asio::post(socket_.get_executor(),
                        [self = shared_from_this()] { self->end(stream_head(self->request_, media_type)); });
    const auto bytes = muxer_->write({.bytes = *picture->unit,
                                      .at = timeline_.next(info.header.captured, info.received),
                                      .key = info.starts_group()});
    if (!bytes) return asio::post(socket_.get_executor(), [self = shared_from_this()] { self->close(); });  // as above
    text_ = begun_ ? std::string() : stream_head(request_, media_type);
    begun_ = writing_ = true;
    asio::async_write(
        socket_,
        std::array{asio::const_buffer(text_.data(), text_.size()), asio::const_buffer(bytes->data(), bytes->size())},
        [self = shared_from_this()](error_code ec, std::size_t) { self->written(ec); });
  }

  void written(error_code ec) {
    writing_ = false;
    if (ec) return close();
    if (open_) last_taken_ = shared().clock->boot();
    drain();
  }

  void reject(const Error& error) {
    request_.keep_alive = false;
    end(to_http(request_, media_failure(error)));
  }

  /// Sends a whole answer and closes the connection.
  void end(std::string answer) {
    if (!remove()) return;
    text_ = std::move(answer);
    asio::async_write(socket_, asio::buffer(text_), [self = shared_from_this()](error_code, std::size_t) {
      error_code ignored;
      self->socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
      self->socket_.close(ignored);
    });
  }

  bool remove() {
    if (!std::exchange(open_, false)) return false;
    shared().remove(*this);
    return true;
  }

  asio::ip::tcp::socket socket_;
  Request request_;
  ConnectionCount count_;
  DeviceId camera_;
  std::unique_ptr<hal::StreamMuxer> muxer_;
  Timeline timeline_;
  std::array<char, 256> input_{};
  std::string text_;     ///< head of the stream, or a rejection, while it is being written
  BootTime last_live_;   ///< when the last LIVE picture arrived
  BootTime last_taken_;  ///< when the player last took data
  bool open_ = true;
  bool begun_ = false;
  bool writing_ = false;
  bool out_of_step_ = true;  ///< the player cannot decode the next delta
};

}  // namespace

void start_live_stream(asio::ip::tcp::socket socket, Request request, ConnectionCount count, const DeviceId& camera,
                       const access::TokenHash& token) {
  std::make_shared<LiveStream>(std::move(socket), std::move(request), std::move(count), camera, token)->start();
}

}  // namespace sealcam::hub::web
