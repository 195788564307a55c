// SPDX-License-Identifier: Apache-2.0
#include "hub/web/live_stream.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>

#include "core/timeline.hpp"
#include "hub/web/media_request.hpp"
#include "hub/web/picture_message.hpp"
#include "hub/web/viewer.hpp"

namespace sealcam::hub::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

// On the worker.
Result<std::unique_ptr<hal::StreamMuxer>> open_muxer(hal::Media& media) {
  try {
    auto muxer = media.open_muxer();
    if (!muxer) return fail(Errc::unsupported, muxer.error().what, muxer.error().native);
    return muxer;
  } catch (const std::exception&) {
    return fail(Errc::no_memory, "opening a stream");
  }
}

class LiveStream final : public Viewer, public std::enable_shared_from_this<LiveStream> {
 public:
  LiveStream(beast::tcp_stream stream, Request request, ConnectionCount count, const DeviceId& camera)
      : stream_(std::move(stream)), request_(std::move(request)), count_(std::move(count)), camera_(camera) {}

  void start() {
    const auto now = shared().clock->monotonic();
    last_live_ = taken_ = now;
    shared().viewers.push_back(this);
    (void)queue_.watch(false, {camera_}, {});
    if (const auto* group = shared().host->newest(camera_)) queue_.push_group(camera_, *group);
    shared().update_interest();
    read();
    // The handler's share of this object is let go on the network thread: the job gives it away.
    auto job = [media = shared().media, network = shared().network, self = shared_from_this()]() mutable {
      auto muxer = open_muxer(*media);
      asio::post(network,
                 [self = std::move(self), muxer = std::move(muxer)]() mutable { self->opened(std::move(muxer)); });
    };
    if (!shared().worker->submit(std::move(job))) refuse({Errc::exhausted, 0, "too many wait"});
  }

  void send(QueuedPicture picture) override {
    if (!freshness_at(picture.picture, shared().clock->monotonic()).live) return queue_.out_of_step(camera_);
    last_live_ = shared().clock->monotonic();
    queue_.push(std::move(picture));
    pump();
  }
  void send_state(const std::string&) override {}
  void withdraw(const DeviceId& camera) override {
    if (camera != camera_) return;
    queue_.withdraw(camera);
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      if (self->begun_) self->end();
      else self->refuse({Errc::permission, 0, "nothing of this camera may be shown"});
    });
  }
  void tick() override {
    const auto now = shared().clock->monotonic();
    if (writing_ ? now - taken_ <= player_patience : now - last_live_ <= stream_patience) return;
    if (begun_) end();
    else refuse({Errc::stale, 0, "no live picture"});
  }
  void close() override { end(); }

 private:
  [[nodiscard]] ServerShared& shared() const noexcept { return count_.shared(); }

  void opened(Result<std::unique_ptr<hal::StreamMuxer>> muxer) {
    if (!open_) return;
    if (!muxer) return refuse(muxer.error());
    muxer_ = std::move(*muxer);
    pump();
  }

  // A player says nothing more; what ends this read is its going.
  void read() {
    stream_.async_read_some(asio::buffer(input_),
                            [self = shared_from_this()](beast::error_code, std::size_t) { self->end(); });
  }

  /// The next picture that is still LIVE and can be decoded after what was sent.
  std::optional<QueuedPicture> next() {
    const auto now = shared().clock->monotonic();
    while (auto out = queue_.pop()) {
      const auto& picture = out->picture->picture;
      if (!freshness_at(picture, now).live) broken_ = true;
      else if (picture.starts_group() || !broken_) return std::move(out->picture);
    }
    return std::nullopt;
  }

  void pump() {
    if (writing_ || !open_ || !muxer_) return;
    auto picture = next();
    if (!picture) return;
    broken_ = false;
    const auto& info = picture->picture;
    const auto bytes = muxer_->write({.bytes = *picture->unit,
                                      .at = timeline_.next(info.header.captured, info.received),
                                      .key = info.starts_group()});
    if (!bytes) {
      // Not from here: the watcher may be calling, and ending changes what is asked of it.
      return asio::post(stream_.get_executor(), [self = shared_from_this()] { self->end(); });
    }
    const std::string_view head = begun_ ? std::string_view() : write_head();
    begun_ = writing_ = true;
    asio::async_write(stream_, std::array{asio::buffer(head), asio::buffer(bytes->data(), bytes->size())},
                      [self = shared_from_this()](beast::error_code ec, std::size_t) { self->written(ec); });
  }

  void written(beast::error_code ec) {
    writing_ = false;
    if (ec) return end();
    if (open_) taken_ = shared().clock->monotonic();
    pump();
  }

  // No length and no chunks: the stream lasts as long as the connection, which every player understands.
  std::string_view write_head() {
    http::response<http::empty_body> head(http::status::ok, request_.version());
    head.set(http::field::content_type, "video/mp2t");
    head.set(http::field::cache_control, "no-store");
    head.set("X-Content-Type-Options", "nosniff");
    head.set("Cross-Origin-Resource-Policy", "same-origin");
    head.keep_alive(false);
    head.set(http::field::connection, "close");
    std::ostringstream text;
    text << head.base();
    head_ = std::move(text).str();
    return head_;
  }

  void refuse(const Error& error) {
    if (!open_) return;
    leave();
    answer_.emplace(media_failure(request_, error));
    answer_->keep_alive(false);
    http::async_write(stream_, *answer_, [self = shared_from_this()](beast::error_code, std::size_t) {
      boost::system::error_code ignored;
      self->stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
      self->stream_.close();
    });
  }

  void end() {
    if (!open_) return;
    leave();
    stream_.close();  // with all that is under way
  }

  void leave() {
    open_ = false;
    shared().leave(*this);
  }

  beast::tcp_stream stream_;
  Request request_;
  ConnectionCount count_;
  DeviceId camera_;
  std::unique_ptr<hal::StreamMuxer> muxer_;
  Timeline timeline_;
  std::array<char, 256> input_{};
  std::string head_;
  std::optional<Response> answer_;
  MonotonicTime last_live_;  ///< when a LIVE picture came
  MonotonicTime taken_;      ///< when the player last took something
  bool open_ = true;
  bool begun_ = false;
  bool writing_ = false;
  bool broken_ = true;  ///< the next delta does not follow what was sent
};

}  // namespace

void start_live_stream(beast::tcp_stream stream, Request request, ConnectionCount count, const DeviceId& camera) {
  std::make_shared<LiveStream>(std::move(stream), std::move(request), std::move(count), camera)->start();
}

}  // namespace sealcam::hub::web
