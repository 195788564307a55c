// SPDX-License-Identifier: Apache-2.0
#include "hub/web/socket.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "hub/web/messages.hpp"
#include "hub/web/picture_message.hpp"
#include "hub/web/viewer.hpp"

namespace sealcam::hub::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

constexpr std::chrono::seconds handshake_time{10};
constexpr std::chrono::seconds idle_time{30};  // then a ping, then the end

class Client final : public Viewer, public std::enable_shared_from_this<Client> {
 public:
  Client(beast::tcp_stream stream, Request request, ConnectionCount count)
      : stream_(std::move(stream)), request_(std::move(request)), count_(std::move(count)) {
    stream_.set_option(websocket::stream_base::timeout{handshake_time, idle_time, true});
    stream_.read_message_max(WatchRequest::max_size);
    stream_.auto_fragment(false);
  }

  void start() {
    stream_.async_accept(request_, [self = shared_from_this()](beast::error_code ec) {
      if (!ec) self->opened();
    });
  }

  void send(QueuedPicture picture) override {
    queue_.push(std::move(picture));
    pump();
  }
  void send_state(const std::string& text) override {
    queue_.push_state(text);
    pump();
  }
  void withdraw(const DeviceId& camera) override { queue_.withdraw(camera); }
  void tick() override {}
  void close() override { finish(websocket::close_code::going_away); }

 private:
  [[nodiscard]] ServerShared& shared() const noexcept { return count_.shared(); }

  void opened() {
    if (shared().host == nullptr) return;
    open_ = true;
    shared().viewers.push_back(this);
    queue_.push_hello(shared().host->hello());
    queue_.push_state(shared().host->state());
    pump();
    read();
  }

  void read() {
    stream_.async_read(input_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (ec) return self->closed();
      self->on_text();
    });
  }

  void on_text() {
    const auto data = input_.cdata();
    const auto request = stream_.got_text() ? parse_client_request({static_cast<const char*>(data.data()), data.size()})
                                            : fail(Errc::malformed, "binary message of a page");
    input_.consume(input_.size());
    if (!open_ || shared().host == nullptr) return;
    if (!request) return finish(websocket::close_code::policy_error);
    if (const auto* privacy = std::get_if<PrivacyRequest>(&*request)) switch_privacy(*privacy);
    else watch(std::get<WatchRequest>(*request));
    read();
  }

  void switch_privacy(const PrivacyRequest& request) {
    if (auto r = shared().host->switch_privacy(request.camera, request.on); !r) {
      queue_.push_answer(privacy_refused_message(request.camera, r.error()));
      pump();
    }
  }

  void watch(const WatchRequest& request) {
    const auto& host = *shared().host;
    for (const auto& camera : queue_.watch(request.all, request.cameras, host.cameras())) {
      // A late viewer need not wait for the next key frame.
      if (const auto* group = host.newest(camera)) queue_.push_group(camera, *group);
    }
    shared().update_interest();
    pump();
  }

  void pump() {
    if (writing_ || !open_) return;
    auto next = queue_.pop();
    if (!next) return;
    writing_ = true;
    under_way_ = std::move(*next);
    const auto done = [self = shared_from_this()](beast::error_code ec, std::size_t) {
      self->writing_ = false;
      if (ec) return self->closed();
      self->pump();
    };
    if (!under_way_.picture) {
      stream_.text(true);
      return stream_.async_write(asio::buffer(under_way_.text), done);
    }
    const auto& p = *under_way_.picture;
    const auto& clock = *shared().clock;
    header_ = make_picture_header(p.camera, p.picture, p.cached, clock.monotonic(), clock.wall());
    stream_.binary(true);
    stream_.async_write(std::array{asio::const_buffer(header_.data(), header_.size()),
                                   asio::const_buffer(p.unit->data(), p.unit->size())},
                        done);
  }

  void finish(websocket::close_code code) {
    if (!open_) return;
    leave();
    // A close frame must not overtake a message that is being written; then the connection just ends.
    if (writing_) return beast::get_lowest_layer(stream_).close();
    stream_.async_close(code, [self = shared_from_this()](beast::error_code) {});
  }

  void closed() {
    if (open_) leave();
  }

  void leave() {
    open_ = false;
    shared().leave(*this);
  }

  websocket::stream<beast::tcp_stream> stream_;
  Request request_;
  ConnectionCount count_;
  beast::flat_buffer input_;
  PictureHeader header_{};
  Outgoing under_way_;
  bool writing_ = false;
  bool open_ = false;
};

}  // namespace

void start_socket(beast::tcp_stream stream, Request request, ConnectionCount count) {
  std::make_shared<Client>(std::move(stream), std::move(request), std::move(count))->start();
}

}  // namespace sealcam::hub::web
