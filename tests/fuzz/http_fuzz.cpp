// SPDX-License-Identifier: Apache-2.0
// One HTTP request through Beast's parser, with the limits of the hub's connections, and the hub's response. The first
// byte selects the size of the pieces in which the request arrives.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/testing/fakes.hpp"
#include "hub/access/testing/memory_tokens.hpp"
#include "hub/web/routes.hpp"
#include "input.hpp"
#include "web_backend.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
namespace http = boost::beast::http;

namespace {

Request to_request(const http::request<http::empty_body>& parsed) {
  const auto values = [&](auto field) {
    std::vector<std::string> all;
    const auto [first, last] = parsed.equal_range(field);
    for (auto it = first; it != last; ++it) all.emplace_back(it->value());
    return all;
  };
  return {.method = parsed.method() == http::verb::get    ? Request::Method::get
                    : parsed.method() == http::verb::head ? Request::Method::head
                                                          : Request::Method::other,
          .target = std::string(parsed.target()),
          .hosts = values(http::field::host),
          .origins = values(http::field::origin),
          .authorizations = values(http::field::authorization),
          .cookies = values(http::field::cookie),
          .fetch_sites = values("Sec-Fetch-Site"),
          .fetch_modes = values("Sec-Fetch-Mode"),
          .fetch_dests = values("Sec-Fetch-Dest"),
          .purposes = values("Sec-Purpose"),
          .http_1_0 = parsed.version() < 11,
          .keep_alive = parsed.keep_alive()};
}

void check_answer(const Request& request) {
  static const fuzz::WebBackend backend;
  const auto response = respond(request, backend);
  const bool accepted = allowed(request);
  // Old programs send no Host; a browser always sends one (RFC 9112 section 3.2).
  const bool old_program =
      request.hosts.empty() && request.http_1_0 && request.origins.empty() && request.fetch_sites.empty();
  if (accepted) SC_ASSERT(old_program || (request.hosts.size() == 1 && host_allowed(request.hosts[0])));
  else SC_ASSERT(response.status == (request.hosts.size() == 1 ? 403 : 400));
  const bool get = request.method == Request::Method::get, head = request.method == Request::Method::head;
  const auto text = to_http(request, response);
  if (text.contains(fuzz::state_text)) SC_ASSERT(accepted && get);
  if (response.status == 200) SC_ASSERT(accepted && (get || head));

  // The request cannot add a header to the response: a parser finds as many fields as the response has.
  http::response_parser<http::string_body> reader;
  reader.skip(head);
  reader.eager(true);
  boost::beast::error_code ec;
  reader.put(boost::asio::buffer(text), ec);
  SC_ASSERT(!ec && reader.is_done() && reader.get().result_int() == response.status);
  const auto& parsed = reader.get();
  SC_ASSERT(parsed["Cache-Control"] == "no-store" && !parsed["Content-Security-Policy"].empty());
  const bool connection_field = request.keep_alive == request.http_1_0;
  SC_ASSERT(std::distance(parsed.begin(), parsed.end()) ==
            static_cast<std::ptrdiff_t>(response.fields.size() + 1 + (connection_field ? 1 : 0)));
}

const std::string token(43, 't'), code_mark(43, 'c');

/// Only the exact token gives access. Only the exact code gives a cookie, once, and only for a GET that is no prefetch.
void check_access(Request request) {
  static FakeClock clock;
  static MemoryLog log;
  static hub::access::MemoryTokens tokens;
  static hub::access::Access access = [] {
    SC_ASSERT(crypto::init().has_value());
    tokens.add("fuzzer", hub::access::Rights::view, token);
    return hub::access::Access(tokens, clock, log);
  }();
  constexpr std::uint16_t port = 8420;
  clock.advance(std::chrono::minutes(2));  // ends the limit of wrong codes, and earlier codes

  const auto presented = presented_tokens(request, port);
  SC_ASSERT(request.authorizations.empty() || presented.size() <= 1);
  const auto granted = authorize(request, access, port);
  SC_ASSERT(granted.has_value() == std::ranges::contains(presented, token));
  if (!granted) SC_ASSERT(granted.error().status == 401 && !granted.error().body.contains(token));

  if (path_of(request.target) != open_path || !allowed(request)) return;
  const auto code = access.make_code("fuzzer").value();
  const auto at = request.target.find(code_mark);
  if (at != std::string::npos) request.target.replace(at, code_mark.size(), code);
  const bool exact = request.target == std::string(open_path) + "?code=" + code;
  const bool prefetch = std::ranges::any_of(request.purposes, [](const auto& p) { return p.contains("prefetch"); });
  const auto has_cookie = [](const Response& response) {
    return std::ranges::contains(response.fields, "Set-Cookie", &decltype(response.fields)::value_type::first);
  };
  SC_ASSERT(has_cookie(open_page(request, access, port)) ==
            (exact && !prefetch && request.method == Request::Method::get));
  SC_ASSERT(!exact || prefetch || request.method != Request::Method::get ||
            !has_cookie(open_page(request, access, port)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const std::size_t piece = in.byte() + 1U;
  const auto bytes = in.rest();
  http::request_parser<http::empty_body> parser;
  parser.header_limit(8U << 10);
  parser.body_limit(0);
  parser.eager(true);
  // As in read(), bytes that the parser did not consume are passed again, followed by more bytes.
  std::size_t parsed = 0;
  for (std::size_t end = std::min(piece, bytes.size()); !parser.is_done(); end = std::min(end + piece, bytes.size())) {
    boost::beast::error_code ec;
    const auto part = bytes.subspan(parsed, end - parsed);
    parsed += parser.put(boost::asio::buffer(part.data(), part.size()), ec);
    if (ec && ec != http::error::need_more) return 0;
    if (end == bytes.size()) break;
  }
  if (!parser.is_done()) return 0;
  check_answer(to_request(parser.get()));
  check_access(to_request(parser.get()));
  return 0;
}
