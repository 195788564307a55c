// SPDX-License-Identifier: Apache-2.0
// The requests of one connection to the listener for phones. The first byte selects the size of the pieces in which
// they arrive, and whether the owner opened a slot before.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <filesystem>
#include <fstream>

#include "base/testing/fakes.hpp"
#include "hub/phone/site.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "scratch.hpp"

using namespace sealcam;
using namespace sealcam::hub::phone;
using fuzz::must;
using fuzz::parties;
namespace http = boost::beast::http;

namespace {

constexpr std::string_view page = "the page of the app";
const protocol::LinkSlot slot{};  // its path has 32 zeros

const AppFiles& files() {
  static const AppFiles all = [] {
    const auto folder = fuzz::scratch().path() / "app";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "index.html") << page;
    std::ofstream(folder / "app.js") << page;
    return must(AppFiles::read(folder, "wss:"));
  }();
  return all;
}

/// The listener's answers begin with a status line, and a parser finds the body that the answer has.
unsigned check_answer(const std::string& text, bool head) {
  http::response_parser<http::string_body> reader;
  reader.skip(head);
  reader.eager(true);
  boost::system::error_code ec;
  reader.put(boost::asio::buffer(text), ec);
  SC_ASSERT(!ec && (reader.is_done() || reader.get().result_int() == 204 || reader.get().result_int() == 304));
  SC_ASSERT(reader.get()["Set-Cookie"].empty() && !reader.get()["Content-Security-Policy"].empty());
  return reader.get().result_int();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)parties();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  FakeClock clock;
  Mailbox mailbox(parties().owner.identity(), clock);
  const bool open = (choice & 0x80U) != 0;
  if (open)
    SC_ASSERT(mailbox.open(slot, must(protocol::encode_link_opening({slot, parties().owner.identity(), clock.wall()},
                                                                    parties().owner.keys().identity))) == 204);
  Site site(files(), mailbox);
  transport::HttpReader reader(Site::limits);
  const std::size_t piece = 1 + (choice & 0x7fU) * 8;
  while (!in.empty()) {
    if (const auto fault = reader.receive(in.take(piece))) {
      SC_ASSERT(check_answer(to_http(*fault), false) >= 400);
      break;
    }
    if (!reader.complete()) continue;
    const bool head = reader.method() == "HEAD";
    const auto response = site.answer(reader);
    const auto status = check_answer(to_http(reader, response), head);
    SC_ASSERT(status == response.status);
    const auto path = hub::web::path_of(reader.target());
    if (status == 200 && path.starts_with(Site::link_path)) SC_ASSERT(open && mailbox.size() > 0);
    else if (status == 200) SC_ASSERT(site.files().find(path) != nullptr && response.body == page);
    else SC_ASSERT(!response.body.contains(page));
    // No mutation makes the owner's signature.
    if (!open) SC_ASSERT(mailbox.size() == 0);
    SC_ASSERT(mailbox.size() < std::size_t{64} << 10);
    if (!reader.keep_alive()) break;
    reader.next();
  }
  return 0;
}
