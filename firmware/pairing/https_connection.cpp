// SPDX-License-Identifier: Apache-2.0
#include "pairing/https_connection.hpp"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/bytes.hpp"
#include "base/format.hpp"
#include "transport/tls/tls_stream.hpp"

namespace sealcam::pairing {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using transport::TlsStream;
using Kind = ClientFailure::Kind;

struct HttpsConnection::State {
  explicit State(const transport::TlsContext& context, const ClientTimeouts& p)
      : timeout(p), stream(io.get_executor(), context) {}

  /// Runs until `done`. Closes the connection if the time is over first.
  bool run(const bool& done, std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    io.restart();
    while (!done && io.run_one_until(until) > 0) {
    }
    if (done) return true;
    close();
    return false;
  }
  void close() {
    error_code ignored;
    stream.next_layer().close(ignored);
  }

  ClientResult<> connect_tcp(const protocol::HostPort& at, std::chrono::steady_clock::time_point until);
  ClientResult<> connect_tls(const protocol::HostPort& at, std::chrono::steady_clock::time_point until);
  ClientResult<HttpReply> request(HttpRequest request);

  ClientTimeouts timeout;
  asio::io_context io{1};
  TlsStream stream;
  boost::beast::flat_buffer buffer{HttpsConnection::max_answer + (16U << 10)};
  std::string host;
};

namespace {

std::chrono::milliseconds left_until(std::chrono::steady_clock::time_point until) {
  using std::chrono::milliseconds;
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now()));
}

}  // namespace

ClientResult<> HttpsConnection::State::connect_tcp(const protocol::HostPort& at,
                                                   std::chrono::steady_clock::time_point until) {
  tcp::resolver resolver(io);
  tcp::resolver::results_type found;
  error_code ec;
  bool done = false;
  resolver.async_resolve(at.host, std::to_string(at.port),
                         [&](error_code error, const tcp::resolver::results_type& results) {
                           ec = error;
                           found = results;
                           done = true;
                         });
  if (!run(done, left_until(until))) {
    resolver.cancel();
    io.restart();
    io.run();  // the handler refers to local variables
    return failed(Kind::unreachable, sealcam::format("no name server answered for {}", at.host));
  }
  if (ec) return failed(Kind::unreachable, sealcam::format("{}: {}", at.host, ec.message()));
  done = false;
  asio::async_connect(stream.next_layer(), found, [&](error_code error, const tcp::endpoint&) {
    ec = error;
    done = true;
  });
  if (!run(done, left_until(until))) {
    io.restart();
    io.run();
    return failed(Kind::unreachable, sealcam::format("nothing answers at {}", at.to_string()));
  }
  if (ec) return failed(Kind::unreachable, sealcam::format("{}: {}", at.to_string(), ec.message()));
  return {};
}

ClientResult<> HttpsConnection::State::connect_tls(const protocol::HostPort& at,
                                                   std::chrono::steady_clock::time_point until) {
  error_code ec;
  bool done = false;
  stream.async_handshake(TlsStream::handshake_type::client, [&](error_code error) {
    ec = error;
    done = true;
  });
  if (!run(done, left_until(until))) {
    io.restart();
    io.run();
    return failed(Kind::timeout, sealcam::format("{} does not answer", at.to_string()));
  }
  if (ec && !stream.rejected())
    return failed(Kind::unreachable, sealcam::format("{}: {}", at.to_string(), ec.message()));
  if (ec) return failed(Kind::not_a_device, sealcam::format("{}: {}", at.to_string(), stream.failure()));
  return {};
}

ClientResult<HttpReply> HttpsConnection::State::request(HttpRequest request) {
  std::string message = sealcam::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target, host);
  if (!request.type.empty())
    message += sealcam::format("Content-Type: {}\r\nContent-Length: {}\r\n", request.type, request.content.size());
  message.reserve(message.size() + 2 + request.content.size());  // so that no copy of the content remains
  message += "\r\n";
  message += request.content;
  wipe(std::as_writable_bytes(std::span(request.content)));
  http::response_parser<http::string_body> parser;
  parser.header_limit(8U << 10);
  parser.body_limit(HttpsConnection::max_answer);
  error_code ec;
  bool done = false;
  asio::async_write(stream, asio::buffer(message), [&](error_code error, std::size_t) {
    // Read also after a failed write: the device's reply explains more than the end of the connection.
    const bool sent = !error;
    http::async_read(stream, buffer, parser, [&, sent, error](error_code read_error, std::size_t) {
      ec = read_error ? (sent ? read_error : error) : read_error;
      done = true;
    });
  });
  const bool in_time = run(done, timeout.answer);
  wipe(std::as_writable_bytes(std::span(message)));
  if (!in_time) {
    io.restart();
    io.run();
    return failed(Kind::timeout, "no answer in time");
  }
  if (ec.category() == http::make_error_code(http::error::end_of_stream).category() &&
      ec != http::error::end_of_stream && ec != http::error::partial_message)
    return failed(Kind::not_a_device, "the answer is not HTTP");
  if (ec) return failed(Kind::unreachable, sealcam::format("the connection ended: {}", ec.message()));
  return HttpReply{parser.get().result_int(), std::move(parser.get().body())};
}

HttpsConnection::HttpsConnection(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
HttpsConnection::HttpsConnection(HttpsConnection&&) noexcept = default;
HttpsConnection& HttpsConnection::operator=(HttpsConnection&&) noexcept = default;
HttpsConnection::~HttpsConnection() = default;

ClientResult<HttpsConnection> HttpsConnection::connect(const protocol::HostPort& at, const ClientTimeouts& timeout) {
  auto context = transport::TlsContext::make_pairing_client_that_trusts_nobody();
  if (!context) return failed(Kind::own_fault, context.error().what);
  auto state = std::make_unique<State>(std::move(*context), timeout);
  state->host = at.to_string();
  // A reverse proxy selects the host by this name. The context verifies no certificate.
  if (error_code no_address; asio::ip::make_address(at.host, no_address), no_address)
    state->stream.set_server_name(at.host);
  const auto until = std::chrono::steady_clock::now() + timeout.connect;
  if (auto r = state->connect_tcp(at, until); !r) return std::unexpected(std::move(r.error()));
  if (auto r = state->connect_tls(at, until); !r) return std::unexpected(std::move(r.error()));
  return HttpsConnection(std::move(state));
}

ClientResult<protocol::ChannelBinding> HttpsConnection::channel() const {
  auto exported = state_->stream.export_secret(protocol::pairing_exporter_label);
  if (!exported) return failed(Kind::own_fault, exported.error().what);
  return std::move(*exported);
}

ClientResult<HttpReply> HttpsConnection::request(HttpRequest request) { return state_->request(std::move(request)); }

}  // namespace sealcam::pairing
