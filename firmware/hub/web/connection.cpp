// SPDX-License-Identifier: Apache-2.0
#include "hub/web/connection.hpp"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>

#include "hub/web/live_stream.hpp"
#include "hub/web/media_request.hpp"
#include "hub/web/routes.hpp"
#include "hub/web/socket.hpp"

namespace sealcam::hub::web {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::chrono::seconds patience{10};
constexpr std::uint32_t max_header = 8U << 10;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared)
      : stream_(std::move(peer)), count_(std::move(shared)) {
    boost::system::error_code ignored;
    stream_.socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(max_header);
    parser_->body_limit(0);
    stream_.expires_after(patience);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (!ec) self->answer();
    });
  }

 private:
  void answer() {
    auto& shared = count_.shared();
    if (shared.host == nullptr) return;
    const auto& request = parser_->get();
    if (auto refusal = refuse(request)) return write(std::move(*refusal));
    if (beast::websocket::is_upgrade(request) && request.target() == "/ws") {
      stream_.expires_never();
      return start_socket(std::move(stream_), parser_->release(), std::move(count_));
    }
    if (const auto media = parse_media_request({request.target().data(), request.target().size()}))
      return answer_media(*media);
    write(respond(request, *shared.host));
  }

  void answer_media(const MediaRequest& wanted) {
    auto& shared = count_.shared();
    const auto& request = parser_->get();
    const auto statuses = shared.host->statuses();
    const auto camera = find_camera(statuses, wanted.camera);
    if (!camera) return write(media_failure(request, camera.error()));
    const auto status = std::ranges::find(statuses, *camera, &watch::CameraStatus::id);
    if (watch::barred(status->reason)) return write(barred_response(request, status->reason));
    if (wanted.kind == MediaRequest::Kind::live) {
      if (request.method() == http::verb::head) return write(respond_with(request, http::status::ok, "video/mp2t", {}));
      stream_.expires_never();
      return start_live_stream(std::move(stream_), parser_->release(), std::move(count_), *camera);
    }
    shared.snapshots->request(*camera, wanted.stale_allowed, [self = shared_from_this()](const Result<Snapshot>& r) {
      const auto& asked = self->parser_->get();
      self->write(r ? snapshot_response(asked, *r) : media_failure(asked, r.error()));
    });
  }

  void write(Response response) {
    response_.emplace(std::move(response));
    stream_.expires_after(patience);  // a snapshot may have taken its time
    http::async_write(stream_, *response_, [self = shared_from_this()](beast::error_code ec, std::size_t) {
      if (ec) return;
      if (self->response_->keep_alive()) return self->read();
      boost::system::error_code ignored;
      self->stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{max_header + 1024};
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::optional<Response> response_;
  ConnectionCount count_;
};

}  // namespace

void start_connection(boost::asio::ip::tcp::socket peer, std::shared_ptr<ServerShared> shared) {
  std::make_shared<Connection>(std::move(peer), std::move(shared))->read();
}

}  // namespace sealcam::hub::web
