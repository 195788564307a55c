// SPDX-License-Identifier: Apache-2.0
#include "pairing/http_exchange.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <format>
#include <optional>

namespace sealcam::pairing {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

struct HttpExchange::State {
  explicit State(Endpoint::Conversation& c) : conversation(c) { begin_request(); }
  ~State() { forget_request(); }

  void begin_request() {
    forget_request();
    parser.emplace();
    parser->header_limit(max_header);
    parser->body_limit(max_body);
  }
  /// A code or a passphrase may be in it.
  void forget_request() {
    if (parser) wipe(std::as_writable_bytes(std::span(parser->get().body())));
  }

  /// Hands the parser what is there. Nothing: more is needed, or the request is whole.
  std::optional<Reply> parse() {
    while (!parser->is_done() && !pending.empty()) {
      error_code ec;
      const bool in_header = !parser->is_header_done();
      const std::size_t used = parser->put(asio::buffer(pending), ec);
      wipe(std::as_writable_bytes(std::span(pending)).first(used));
      pending.erase(0, used);
      if (ec == http::error::need_more) break;
      if (ec == http::error::header_limit) return refusal(431, "too_large", "the header is too large");
      if (ec == http::error::body_limit) return refusal(413, "too_large", "the request is too large");
      if (ec) return refusal(400, "malformed", "this is not HTTP");
      // Chunks have no use here, and parts of them have no limit.
      if (in_header && parser->is_header_done() && parser->chunked())
        return refusal(411, "length", "a request needs a Content-Length");
      if (used == 0) break;
    }
    if (!parser->is_done() && pending.size() > max_header) return refusal(431, "too_large", "the header is too large");
    return std::nullopt;
  }

  Endpoint::Conversation& conversation;
  std::optional<http::request_parser<http::string_body>> parser;
  std::string pending;
};

namespace {

std::string_view reason(unsigned status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

HttpExchange::Output output(const Reply& reply) {
  return {std::format("HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
                      "Content-Length: {}\r\n{}\r\n{}",
                      reply.status, reason(reply.status), reply.body.size(), reply.go_on ? "" : "Connection: close\r\n",
                      reply.body),
          !reply.go_on};
}

}  // namespace

HttpExchange::HttpExchange(Endpoint::Conversation& conversation) : state_(std::make_unique<State>(conversation)) {}
HttpExchange::~HttpExchange() = default;

HttpExchange::Output HttpExchange::receive(ByteView bytes) {
  auto& s = *state_;
  s.pending.append(as_text(bytes));
  if (const auto refused = s.parse()) return output(*refused);
  if (!s.parser->is_done()) return {};
  // The next request depends on this one's answer: nobody who sends it now means well.
  if (!s.pending.empty()) return output(refusal(400, "malformed", "requests come one after the other"));
  const auto& request = s.parser->get();
  auto reply = s.conversation.answer({request.method_string().data(), request.method_string().size()},
                                     {request.target().data(), request.target().size()}, request.body());
  reply.go_on = reply.go_on && request.keep_alive();
  s.begin_request();
  return output(reply);
}

}  // namespace sealcam::pairing
