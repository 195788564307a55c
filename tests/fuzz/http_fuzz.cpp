// SPDX-License-Identifier: Apache-2.0
// One HTTP request through Beast's parser, limited as the hub's connections are, into the page's answers. The first
// byte says in what pieces it arrives.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>

#include "hub/web/guard.hpp"
#include "hub/web/routes.hpp"
#include "input.hpp"
#include "web_host.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
namespace http = boost::beast::http;

namespace {

void check_answer(const Request& request) {
  static const fuzz::WebHost host;
  const auto response = respond(request, host);
  const bool let_in = allowed(request);
  const auto names = request.find(http::field::host);
  if (let_in) SC_ASSERT(names != request.end() && host_allowed({names->value().data(), names->value().size()}));
  else SC_ASSERT(response.result() == http::status::forbidden);
  const bool reads = request.method() == http::verb::get || request.method() == http::verb::head;
  if (response.body().contains(fuzz::state_text)) SC_ASSERT(let_in && request.method() == http::verb::get);
  if (response.result() == http::status::ok) SC_ASSERT(let_in && reads);
  SC_ASSERT(response["Cache-Control"] == "no-store" && !response["Content-Security-Policy"].empty());

  // What was sent cannot become a header of the answer: read again, it has the fields it was made with.
  std::ostringstream text;
  text << response;
  http::response_parser<http::string_body> reader;
  reader.skip(request.method() == http::verb::head);
  reader.eager(true);
  boost::beast::error_code ec;
  reader.put(boost::asio::buffer(text.view()), ec);
  SC_ASSERT(!ec && reader.is_done() && reader.get().result() == response.result());
  const auto& again = reader.get();
  SC_ASSERT(std::distance(again.begin(), again.end()) == std::distance(response.begin(), response.end()));
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
  // As read() does: what the parser leaves is offered again with more behind it.
  std::size_t parsed = 0;
  for (std::size_t end = std::min(piece, bytes.size()); !parser.is_done(); end = std::min(end + piece, bytes.size())) {
    boost::beast::error_code ec;
    const auto part = bytes.subspan(parsed, end - parsed);
    parsed += parser.put(boost::asio::buffer(part.data(), part.size()), ec);
    if (ec && ec != http::error::need_more) return 0;
    if (end == bytes.size()) break;
  }
  if (parser.is_done()) check_answer(parser.get());
  return 0;
}
