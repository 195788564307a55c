// SPDX-License-Identifier: Apache-2.0
#include "hub/web/server.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <new>
#include <optional>
#include <type_traits>

#include "base/format.hpp"
#include "hub/web/live_stream.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/recordings.hpp"
#include "hub/web/routes.hpp"
#include "hub/web/web_session.hpp"

namespace sealcam::hub::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

constexpr std::chrono::seconds request_time{10};
constexpr std::chrono::seconds idle_time{30};  // then a WebSocket gets a ping, and later its end
constexpr std::chrono::seconds drain_time{2};
/// Browsers send the cookies of all programs on this machine's loopback address.
constexpr std::uint32_t max_header = 32U << 10;

using BeastRequest = http::request<http::empty_body>;

template <class Field>
std::vector<std::string> values(const BeastRequest& request, Field field) {
  std::vector<std::string> all;
  const auto [first, last] = request.equal_range(field);
  for (auto it = first; it != last; ++it) all.emplace_back(it->value());
  return all;
}

/// RFC 9112 section 3.2.2: a target with a scheme contains the host, and the field Host does not count.
void read_absolute_target(Request& request) {
  static constexpr std::string_view scheme = "http://";
  if (!beast::iequals(std::string_view(request.target).substr(0, scheme.size()), scheme)) return;
  const auto path = std::min(request.target.find_first_of("/?", scheme.size()), request.target.size());
  request.hosts = {request.target.substr(scheme.size(), path - scheme.size())};
  request.target.erase(0, path);
  if (!request.target.starts_with('/')) request.target.insert(0, "/");
}

Request to_request(const BeastRequest& request, bool has_body) {
  Request out{.method = request.method() == http::verb::get       ? Request::Method::get
                        : request.method() == http::verb::head    ? Request::Method::head
                        : request.method() == http::verb::delete_ ? Request::Method::erase
                                                                  : Request::Method::other,
              .target = std::string(request.target()),
              .hosts = values(request, http::field::host),
              .origins = values(request, http::field::origin),
              .authorizations = values(request, http::field::authorization),
              .cookies = values(request, http::field::cookie),
              .fetch_sites = values(request, "Sec-Fetch-Site"),
              .fetch_modes = values(request, "Sec-Fetch-Mode"),
              .fetch_dests = values(request, "Sec-Fetch-Dest"),
              .purposes = values(request, "Sec-Purpose"),
              .http_1_0 = request.version() < 11,
              .has_body = has_body,
              .keep_alive = request.keep_alive() && !has_body};
  read_absolute_target(out);
  return out;
}

/// The answer to a request that cannot be parsed. Nothing if the peer ended the connection, or does not use HTTP.
std::optional<Response> parser_rejection(beast::error_code ec) {
  const auto is = [ec](http::error error) { return ec == http::make_error_code(error); };
  if (is(http::error::header_limit) || is(http::error::buffer_overflow))
    return plain(431, "The header of the request is too large. Delete the cookies of this address.");
  if (ec.category() != http::make_error_code(http::error::bad_field).category() || is(http::error::end_of_stream) ||
      is(http::error::partial_message) || is(http::error::bad_method))
    return std::nullopt;
  return plain(400, sealcam::format("The request is not valid HTTP/1.1: {}.", ec.message()));
}

/// The WebSocket of a page: sends the hello message, states and the pictures that the page requests.
class PageSocket final : public WebSession, public std::enable_shared_from_this<PageSocket> {
 public:
  PageSocket(beast::tcp_stream stream, BeastRequest request, ConnectionCount count, const access::Grant& grant)
      : WebSession(grant.token),
        stream_(std::move(stream)),
        request_(std::move(request)),
        count_(std::move(count)),
        rights_(grant.rights) {
    stream_.set_option(websocket::stream_base::timeout{request_time, idle_time, true});
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
    drain();
  }
  void send_state(const std::string& text) override {
    queue_.push_state(text);
    drain();
  }
  void withdraw(const DeviceId& camera) override { queue_.withdraw(camera); }
  void tick() override {}
  void close() override { finish(websocket::close_code::going_away); }

 private:
  [[nodiscard]] ServerShared& shared() const noexcept { return count_.shared(); }

  void opened() {
    if (shared().backend == nullptr) return;
    open_ = true;
    shared().sessions.push_back(this);
    queue_.push_hello(shared().backend->hello());
    queue_.push_state(shared().backend->state());
    drain();
    read();
  }

  void read() {
    stream_.async_read(input_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (ec) return self->remove();
      self->on_message();
    });
  }

  void on_message() {
    const auto data = input_.cdata();
    const auto request = stream_.got_text() ? parse_client_request({static_cast<const char*>(data.data()), data.size()})
                                            : fail(Errc::malformed, "binary message of a page");
    input_.consume(input_.size());
    if (!open_ || shared().backend == nullptr) return;
    if (!request) return finish(websocket::close_code::policy_error);
    if (const auto* privacy = std::get_if<PrivacyRequest>(&*request)) switch_privacy(*privacy);
    else if (const auto* ping = std::get_if<PingRequest>(&*request)) answer_ping(*ping);
    else watch(std::get<WatchRequest>(*request));
    read();
  }

  void switch_privacy(const PrivacyRequest& request) {
    const auto r = access::allows(rights_, access::Rights::privacy)
                       ? shared().backend->switch_privacy(request.camera, request.on)
                       : Result<>(fail(Errc::permission, "the token does not have the right privacy"));
    if (!r) {
      queue_.push_answer(privacy_rejected_message(request.camera, r.error()));
      drain();
    }
  }

  void answer_ping(const PingRequest& ping) {
    queue_.push_pong(pong_message(ping, shared().clock->boot()));
    drain();
  }

  void watch(const WatchRequest& request) {
    const auto& backend = *shared().backend;
    for (const auto& camera : queue_.watch(request.all, request.cameras, backend.cameras())) {
      // With the cached group the page need not wait for the next key frame.
      if (const auto* group = backend.newest(camera)) queue_.push_group(camera, *group);
    }
    shared().update_interest();
    drain();
  }

  void drain() {
    if (writing_ || !open_) return;
    auto next = queue_.pop();
    if (!next) return;
    writing_ = true;
    in_flight_ = std::move(*next);
    const auto done = [self = shared_from_this()](beast::error_code ec, std::size_t) {
      self->writing_ = false;
      if (ec) return self->remove();
      self->drain();
    };
    if (!in_flight_.picture) {
      stream_.text(true);
      return stream_.async_write(asio::buffer(in_flight_.text), done);
    }
    const auto& p = *in_flight_.picture;
    const auto& clock = *shared().clock;
    header_ = make_picture_header(p.camera, p.picture, p.cached, clock.boot(), clock.wall());
    stream_.binary(true);
    stream_.async_write(std::array{asio::const_buffer(header_.data(), header_.size()),
                                   asio::const_buffer(p.unit->data(), p.unit->size())},
                        done);
  }

  void finish(websocket::close_code code) {
    if (!open_) return;
    remove();
    // A close frame within an unfinished message would be invalid, so the connection ends without one.
    if (writing_) return beast::get_lowest_layer(stream_).close();
    stream_.async_close(code, [self = shared_from_this()](beast::error_code) {});
  }

  void remove() {
    if (std::exchange(open_, false)) shared().remove(*this);
  }

  websocket::stream<beast::tcp_stream> stream_;
  BeastRequest request_;
  ConnectionCount count_;
  access::Rights rights_;
  beast::flat_buffer input_;
  PictureHeader header_{};
  Outgoing in_flight_;
  bool writing_ = false;
  bool open_ = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared)
      : stream_(std::move(peer)), count_(std::move(shared)) {
    boost::system::error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(max_header);
    parser_->body_limit(boost::none);  // a body is not read
    stream_.expires_after(request_time);
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (!ec) return self->answer();
      if (const auto rejection = parser_rejection(ec)) {
        self->request_ = to_request(self->parser_->get(), true);
        self->write(*rejection);
      }
    });
  }

 private:
  void answer() {
    auto& shared = count_.shared();
    if (shared.backend == nullptr) return;
    request_ = to_request(parser_->get(), !parser_->is_done());
    if (const auto rejection = reject(request_)) return write(*rejection);
    if (path_of(request_.target) == open_path) return write(open_page(request_, *shared.access, shared.port));
    const auto grant = authorize(request_, *shared.access, shared.port);
    if (!grant) return write(grant.error());
    if (request_.target == "/ws" && websocket::is_upgrade(parser_->get())) {
      if (request_.origins.empty())
        return write(plain(403, "A WebSocket needs the field Origin with the hub's address."));
      stream_.expires_never();
      std::make_shared<PageSocket>(std::move(stream_), parser_->release(), std::move(count_), *grant)->start();
      return;
    }
    if (is_recording_target(request_.target)) return answer_recording_request(*grant);
    if (const auto media = parse_media_request(request_.target)) return answer_media(*media, *grant);
    write(respond(request_, *shared.backend));
  }

  void answer_media(const MediaRequest& media, const access::Grant& grant) {
    auto& shared = count_.shared();
    const auto statuses = shared.backend->statuses();
    const auto camera = find_camera(statuses, media.camera);
    if (!camera) return write(media_failure(camera.error()));
    const auto status = std::ranges::find(statuses, *camera, &watch::CameraStatus::id);
    if (watch::blocked(status->reason)) return write(blocked_response(status->reason));
    if (media.kind == MediaRequest::Kind::live) {
      stream_.expires_never();
      return start_live_stream(stream_.release_socket(), std::move(request_), std::move(count_), *camera, grant.token);
    }
    shared.snapshots->request(*camera, media.stale_allowed, [self = shared_from_this()](const Result<Snapshot>& r) {
      self->write(r ? snapshot_response(*r) : media_failure(r.error()));
    });
  }

  void answer_recording_request(const access::Grant& grant) {
    auto& shared = count_.shared();
    auto parsed = parse_recording_request(request_);
    if (!parsed) return write(parsed.error());
    const auto now = shared.clock->wall();
    if (shared.archive == nullptr) return write(answer_without_archive(*parsed, now));
    auto known = known_cameras(shared.backend->statuses());
    using Kind = RecordingRequest::Kind;
    if (parsed->kind == Kind::video || parsed->kind == Kind::units) {
      stream_.expires_never();
      return start_recorded_stream(stream_.release_socket(), std::move(request_), std::move(count_), std::move(*parsed),
                                   std::move(known), grant.token);
    }
    if (parsed->kind == Kind::still) return answer_still(std::move(*parsed), std::move(known));
    const bool index_only = parsed->kind != Kind::erase && parsed->kind != Kind::key_unit;
    on_reader(
        index_only,
        [recording = std::move(*parsed), known = std::move(known), now](recordings::Archive& archive) {
          return answer_recording(archive, recording, known, now);
        },
        [](Connection& self, const Response& response) { self.write(response); });
  }

  void answer_still(RecordingRequest recording, KnownCameras known) {
    on_reader(
        false,
        [recording = std::move(recording), known = std::move(known)](recordings::Archive& archive) {
          return read_still(archive, recording, known);
        },
        [](Connection& self, Result<RecordedStill> still) {
          if (!still) return self.write(recording_failure(still.error()));
          self.count_.shared().snapshots->decode(
              still->camera, std::move(still->moment.group),
              [self = self.shared_from_this(), facts = still->moment.facts](const Result<Bytes>& jpeg) {
                self->write(jpeg ? recorded_still(facts, *jpeg) : media_failure(jpeg.error()));
              });
        });
  }

  /// Runs `read` on a thread of the pool and `use` with its result on the network thread, which destroys this object.
  template <class Read, class Use>
  void on_reader(bool index_only, Read read, Use use) {
    auto& shared = count_.shared();
    stream_.expires_never();  // the disk may be slow
    auto job = [archive = shared.archive, post = shared.post, self = shared_from_this(), read = std::move(read),
                use]() mutable {
      std::optional<std::invoke_result_t<Read&, recordings::Archive&>> result;
      try {
        result.emplace(read(*archive));
      } catch (const std::bad_alloc&) {  // without a result
      }
      post([self = std::move(self), use, result = std::move(result)]() mutable {
        if (self->count_.shared().backend == nullptr) return;
        if (result) use(*self, std::move(*result));
        else self->write(recording_failure({Errc::no_memory, 0, "reading recordings"}));
      });
    };
    auto& pool = *shared.recording_pool;
    if (!(index_only ? pool.submit_index(std::move(job)) : pool.submit(std::move(job))))
      write(recording_failure({Errc::exhausted, 0, "too many requests wait"}));
  }

  void write(const Response& response) {
    output_ = to_http(request_, response);
    send();
  }

  void send() {
    stream_.expires_after(request_time);  // again, because a snapshot takes some of it
    asio::async_write(stream_, asio::buffer(output_), [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (ec) return;
      if (self->request_.keep_alive) return self->read();
      boost::system::error_code ignored;
      self->stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
      self->stream_.expires_after(drain_time);
      self->drain();
    });
  }

  /// Reads the rest that the peer sends. If the connection ended with unread data, the kernel would reset it, and the
  /// peer could lose the answer (RFC 9112 section 9.6).
  void drain() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(max_header),
                            [self = shared_from_this()](beast::error_code ec, std::size_t) {
                              if (!ec) self->drain();
                            });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{max_header + 1024};
  std::optional<http::request_parser<http::empty_body>> parser_;
  Request request_;
  std::string output_;
  ConnectionCount count_;
};

}  // namespace

void start_connection(asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared) {
  std::make_shared<Connection>(std::move(peer), std::move(shared))->read();
}

}  // namespace sealcam::hub::web
