// SPDX-License-Identifier: Apache-2.0
#include "transport/http_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace sealcam::transport {

namespace http = boost::beast::http;

std::string_view http_reason(unsigned status) noexcept {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

struct HttpReader::State {
  explicit State(const Limits& l) : limits(l) { begin(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { forget(); }

  void begin() {
    forget();
    parser.emplace();
    parser->header_limit(limits.header);
    parser->body_limit(limits.body);
  }
  void forget() {
    if (parser) wipe(std::as_writable_bytes(std::span(parser->get().body())));
    wipe(std::as_writable_bytes(std::span(pending)));
  }

  std::optional<Fault> parse() {
    while (!parser->is_done() && !pending.empty()) {
      boost::system::error_code ec;
      const bool in_header = !parser->is_header_done();
      const std::size_t used = parser->put(boost::asio::buffer(pending), ec);
      wipe(std::as_writable_bytes(std::span(pending)).first(used));
      pending.erase(0, used);
      if (ec == http::error::need_more) break;
      if (ec == http::error::header_limit) return Fault{431, "too_large", "the header is too large"};
      if (ec == http::error::body_limit) return Fault{413, "too_large", "the request is too large"};
      if (ec) return Fault{400, "malformed", "the request is not HTTP"};
      // The parser does not limit all parts of a chunk, and no client needs chunks.
      if (in_header && parser->is_header_done() && parser->chunked())
        return Fault{411, "length", "a request needs a Content-Length"};
      if (used == 0) break;
    }
    if (!parser->is_done() && pending.size() > limits.header) return Fault{431, "too_large", "the header is too large"};
    if (parser->is_done() && !pending.empty())
      return Fault{400, "malformed", "send a request after the reply to the previous one"};
    return std::nullopt;
  }

  Limits limits;
  std::optional<http::request_parser<http::string_body>> parser;
  std::string pending;
};

HttpReader::HttpReader(const Limits& limits) : state_(std::make_unique<State>(limits)) {}
HttpReader::HttpReader(HttpReader&&) noexcept = default;
HttpReader::~HttpReader() = default;

std::optional<HttpReader::Fault> HttpReader::receive(ByteView bytes) {
  state_->pending.append(as_text(bytes));
  return state_->parse();
}

bool HttpReader::complete() const noexcept { return state_->parser->is_done(); }
void HttpReader::next() { state_->begin(); }

std::string_view HttpReader::method() const {
  const auto text = state_->parser->get().method_string();
  return {text.data(), text.size()};
}
std::string_view HttpReader::target() const {
  const auto text = state_->parser->get().target();
  return {text.data(), text.size()};
}
std::string_view HttpReader::body() const { return state_->parser->get().body(); }

std::vector<std::string> HttpReader::fields(std::string_view name) const {
  std::vector<std::string> all;
  const auto [first, last] = state_->parser->get().equal_range(name);
  for (auto it = first; it != last; ++it) all.emplace_back(it->value());
  return all;
}

bool HttpReader::keep_alive() const { return state_->parser->get().keep_alive(); }
bool HttpReader::http_1_0() const { return state_->parser->get().version() < 11; }

}  // namespace sealcam::transport
