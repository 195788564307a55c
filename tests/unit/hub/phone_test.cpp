// SPDX-License-Identifier: Apache-2.0
/// The listener for phones without sockets: the mailbox under attack, the limits of peers, and what it answers at all.
#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "base/file.hpp"
#include "base/format.hpp"
#include "base/testing/fakes.hpp"
#include "hub/phone/phone_server.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::hub::phone {
namespace {

using namespace std::chrono_literals;
using protocol::LinkSlot;
using test::must;
using Part = Mailbox::Part;

LinkSlot slot_of(unsigned number) {
  LinkSlot slot{};
  store_be(slot, std::uint32_t{number});
  return slot;
}

struct World {
  test::Actor owner, stranger;
  FakeClock clock;
  Mailbox mailbox{owner.identity(), clock};

  [[nodiscard]] Bytes opening(unsigned slot, const test::Actor& signer, std::chrono::microseconds later = 0us) const {
    return must(protocol::encode_link_opening({slot_of(slot), signer.identity(), {clock.wall().since_epoch + later}},
                                              signer.keys().identity));
  }
  unsigned open(unsigned slot) { return mailbox.open(slot_of(slot), opening(slot, owner)); }
};

const Bytes some(100, std::byte{1}), other(100, std::byte{2});

}  // namespace

TEST_CASE("the mailbox passes one descriptor and one enrollment through an opened slot") {
  World w;
  const auto slot = slot_of(1);
  REQUIRE(w.open(1) == 204);
  for (const auto part : {Part::descriptor, Part::enrollment}) {
    CHECK(w.mailbox.get(slot, part).status == 204);
    CHECK(w.mailbox.put(slot, part, some) == 204);
    const auto answer = w.mailbox.get(slot, part);
    CHECK(answer.status == 200);
    CHECK(equal(answer.body, some));
  }
}

TEST_CASE("only the owner of the hub opens a slot, for its name and now") {
  World w;
  const auto slot = slot_of(1);
  CHECK(w.mailbox.open(slot, w.opening(1, w.stranger)) == 403);
  CHECK(w.mailbox.open(slot, w.opening(2, w.owner)) == 403);
  CHECK(w.mailbox.open(slot, w.opening(1, w.owner, -11min)) == 403);
  CHECK(w.mailbox.open(slot, w.opening(1, w.owner, 11min)) == 403);
  CHECK(w.mailbox.open(slot, {}) == 403);
  CHECK(w.mailbox.open(slot, Bytes(Mailbox::max_opening + 1)) == 413);
  auto forged = w.opening(1, w.owner);
  forged.back() ^= std::byte{1};
  CHECK(w.mailbox.open(slot, forged) == 403);
  CHECK(w.mailbox.get(slot, Part::descriptor).status == 404);
  CHECK(w.mailbox.open(slot, w.opening(1, w.owner, -9min)) == 204);  // control
}

TEST_CASE("a hub without a clock accepts each time of an opening") {
  World w;
  const auto opening = w.opening(1, w.owner);
  w.clock.set_wall(CaptureTime{30s});
  CHECK(w.mailbox.open(slot_of(1), opening) == 204);
}

TEST_CASE("a guessed slot has nothing, and a slot ends after ten minutes, also while the machine sleeps") {
  World w;
  CHECK(w.mailbox.get(slot_of(1), Part::descriptor).status == 404);
  CHECK(w.mailbox.put(slot_of(1), Part::descriptor, some) == 404);
  REQUIRE(w.open(1) == 204);
  REQUIRE(w.mailbox.put(slot_of(1), Part::descriptor, some) == 204);
  for (unsigned guess = 2; guess < 2000; ++guess) {
    REQUIRE(w.mailbox.get(slot_of(guess), Part::descriptor).status == 404);
    REQUIRE(w.mailbox.put(slot_of(guess), Part::enrollment, other) == 404);
  }
  w.clock.suspend(10min - 1s);
  CHECK(w.mailbox.get(slot_of(1), Part::descriptor).status == 200);  // control
  w.clock.suspend(1s);
  CHECK(w.mailbox.get(slot_of(1), Part::descriptor).status == 404);
  CHECK(w.mailbox.put(slot_of(1), Part::enrollment, some) == 404);
}

TEST_CASE("a second phone cannot replace the descriptor of the first one") {
  World w;
  REQUIRE(w.open(1) == 204);
  CHECK(w.mailbox.put(slot_of(1), Part::descriptor, some) == 204);
  CHECK(w.mailbox.put(slot_of(1), Part::descriptor, other) == 409);
  CHECK(w.mailbox.put(slot_of(1), Part::descriptor, some) == 204);  // the first phone did not receive the answer
  CHECK(equal(w.mailbox.get(slot_of(1), Part::descriptor).body, some));
}

TEST_CASE("an opening is valid once, also after its slot ended") {
  World w;
  const auto opening = w.opening(1, w.owner, 9min);
  REQUIRE(w.mailbox.open(slot_of(1), opening) == 204);
  unsigned rejected = 0;
  for (int minute = 0; minute < 40; ++minute) {
    rejected += w.mailbox.open(slot_of(1), opening) == 204 ? 0U : 1U;
    w.clock.advance(1min);
  }
  CHECK(rejected == 40);
  // Control: a mailbox without memory, such as that of a restarted hub, accepts it while its time fits.
  w.clock.step_wall(-40min);
  Mailbox forgetful(w.owner.identity(), w.clock);
  CHECK(forgetful.open(slot_of(1), opening) == 204);
}

TEST_CASE("the memory of the mailbox is bounded") {
  World w;
  for (unsigned slot = 1; slot <= Mailbox::max_slots; ++slot) {
    REQUIRE(w.open(slot) == 204);
    CHECK(w.mailbox.put(slot_of(slot), Part::descriptor, Bytes(Mailbox::max_descriptor + 1)) == 413);
    CHECK(w.mailbox.put(slot_of(slot), Part::descriptor, {}) == 400);
    CHECK(w.mailbox.put(slot_of(slot), Part::descriptor, Bytes(Mailbox::max_descriptor, std::byte{1})) == 204);
    CHECK(w.mailbox.put(slot_of(slot), Part::enrollment, Bytes(Mailbox::max_enrollment + 1)) == 413);
    CHECK(w.mailbox.put(slot_of(slot), Part::enrollment, Bytes(Mailbox::max_enrollment, std::byte{1})) == 204);
  }
  CHECK(w.open(5) == 429);
  CHECK(w.mailbox.size() < 56U << 10);
  for (unsigned slot = 10; slot < 500; ++slot) {
    if (w.open(slot) != 204) w.clock.advance(3min);
    REQUIRE(w.mailbox.size() < 56U << 10);
  }
  w.clock.advance(1h);
  CHECK(w.mailbox.get(slot_of(1), Part::descriptor).status == 404);
  CHECK(w.mailbox.size() == 0);
}

TEST_CASE("a peer over its limit does not use up the limit of the others") {
  PeerRates rates({.burst = 3, .per_second = 1}, {.burst = 10, .per_second = 5});
  const BootTime now{1h};
  int allowed = 0;
  for (int i = 0; i < 100; ++i) allowed += rates.allow(1, now) ? 1 : 0;
  CHECK(allowed == 3);
  for (Peer peer = 2; peer <= 3; ++peer)
    for (int i = 0; i < 3; ++i) CHECK(rates.allow(peer, now));
  CHECK(rates.allow(4, now));
  CHECK_FALSE(rates.allow(4, now));  // all peers together had ten
  CHECK(rates.allow(4, now + 1s));
  CHECK(rates.allow(1, now + 1s));
  CHECK_FALSE(rates.allow(1, now + 1s));
}

TEST_CASE("the memory of peers is bounded, and unknown peers then share one limit") {
  PeerRates rates({.burst = 2, .per_second = 0.001}, {.burst = 1e6, .per_second = 1});
  const BootTime now{1h};
  int allowed = 0;
  for (Peer peer = 0; peer < 100'000; ++peer) allowed += rates.allow(peer, now) ? 1 : 0;
  CHECK(rates.peers() == PeerRates::max_peers);
  CHECK(allowed == static_cast<int>(PeerRates::max_peers) + 2);
  CHECK(rates.allow(200'000, now + 1h));  // the quiet ones are forgotten
  CHECK(rates.peers() == 1);
}

TEST_CASE("a peer is an IPv4 address or a /64 of IPv6") {
  const auto peer = [](const char* text) { return peer_of(boost::asio::ip::make_address(text)); };
  CHECK(peer("192.0.2.1") != peer("192.0.2.2"));
  CHECK(peer("::ffff:192.0.2.1") == peer("192.0.2.1"));
  CHECK(peer("2001:db8::1") == peer("2001:db8::ffff:1"));
  CHECK(peer("2001:db8::1") != peer("2001:db8:0:1::1"));
}

namespace {

struct SiteWorld : World {
  explicit SiteWorld(std::string_view connect_to = "wss://broker.example:8884") : connect(connect_to) {}

  std::string connect;
  test::TemporaryFolder folder;
  Site site = [this] {
    write("index.html", "<title>app</title>");
    write("app.js", "let a;");
    write("manifest.webmanifest", "{}");
    write(".hidden", "secret");
    write("style.css", "long text");
    write("style.css.gz", "short");
    write("sw.js", "let policy;");
    write("sw.js.gz", "old");
    std::filesystem::create_directory(folder.path() / "sub");
    std::ofstream(folder.path() / "sub/deep.js") << "let b;";
    return Site(must(AppFiles::read(folder.path(), connect)), mailbox);
  }();

  void write(const char* name, const char* text) const { std::ofstream(folder.path() / name) << text; }
  std::string request(std::string_view text) {
    transport::HttpReader reader(Site::limits);
    if (const auto fault = reader.receive(as_bytes(text))) return to_http(*fault);
    REQUIRE(reader.complete());
    return to_http(reader, site.answer(reader));
  }
  std::string get(std::string_view path, std::string_view more = "") {
    return request(sealcam::format("GET {} HTTP/1.1\r\nHost: hub\r\n{}\r\n", path, more));
  }
  std::string send(std::string_view method, std::string_view path, ByteView body,
                   std::string_view more = "Content-Type: application/cbor\r\n") {
    return request(sealcam::format("{} {} HTTP/1.1\r\nHost: hub\r\nContent-Length: {}\r\n{}\r\n{}", method, path,
                                   body.size(), more, as_text(body)));
  }
};

unsigned status(const std::string& answer) { return static_cast<unsigned>(std::stoul(answer.substr(9, 3))); }

}  // namespace

TEST_CASE("the app is served with the headers of a page, and a known file is not sent again") {
  SiteWorld w;
  const auto answer = w.get("/");
  CHECK(status(answer) == 200);
  CHECK(answer.ends_with("\r\n\r\n<title>app</title>"));
  CHECK(answer.contains("Content-Type: text/html"));
  CHECK(answer.contains("connect-src 'self' wss://broker.example:8884;"));
  CHECK(answer.contains("frame-ancestors 'none'"));
  CHECK(answer.contains("X-Content-Type-Options: nosniff\r\n"));
  CHECK(answer.contains("Cache-Control: no-cache\r\n"));
  CHECK_FALSE(answer.contains("Set-Cookie"));
  CHECK(w.get("/app.js?x=1").contains("Content-Type: text/javascript"));
  CHECK(w.get("/manifest.webmanifest").contains("Content-Type: application/manifest+json"));
  const auto at = answer.find("ETag: ") + 6;
  const auto etag = answer.substr(at, answer.find('\r', at) - at);
  const auto again = w.get("/", sealcam::format("If-None-Match: {}\r\n", etag));
  CHECK(status(again) == 304);
  CHECK(again.ends_with("\r\n\r\n"));
  CHECK_FALSE(again.contains("Content-Length"));
  CHECK(status(w.get("/", "If-None-Match: \"x\"\r\n")) == 200);
  const auto head = w.request("HEAD / HTTP/1.1\r\nHost: hub\r\n\r\n");
  CHECK(head.contains("Content-Length: 18\r\n"));
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("a client that accepts gzip receives the compressed file") {
  SiteWorld w;
  for (const char* accepted : {"gzip", "deflate, gzip;q=0.5, br", "br ,gzip"}) {
    const auto answer = w.get("/style.css", sealcam::format("Accept-Encoding: {}\r\n", accepted));
    CHECK(answer.ends_with("\r\n\r\nshort"));
    CHECK(answer.contains("Content-Encoding: gzip\r\n"));
    CHECK(answer.contains("Content-Type: text/css"));
    CHECK(answer.contains("Vary: Accept-Encoding\r\n"));
  }
  for (const char* other :
       {"", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: xgzip\r\n"}) {
    const auto answer = w.get("/style.css", other);
    CHECK(answer.ends_with("\r\n\r\nlong text"));
    CHECK_FALSE(answer.contains("Content-Encoding"));
    CHECK(answer.contains("Vary: Accept-Encoding\r\n"));
  }
  CHECK_FALSE(w.get("/app.js", "Accept-Encoding: gzip\r\n").contains("Content-Encoding"));  // it has no such file
}

TEST_CASE("another policy is another version of the service worker, and of all files") {
  SiteWorld one, same, other("wss://other.example:8884");
  const auto worker = [](SiteWorld& w) {
    const auto answer = w.get("/sw.js", "Accept-Encoding: gzip\r\n");
    CHECK_FALSE(answer.contains("Content-Encoding"));
    return answer.substr(answer.find("\r\n\r\n") + 4);
  };
  CHECK(worker(one).starts_with("let policy;\npolicy = \"-"));
  CHECK(worker(one) == worker(same));
  CHECK(worker(one) != worker(other));
  CHECK(status(one.get("/sw.js.gz")) == 404);
  for (const char* path : {"/", "/sw.js", "/style.css"}) {
    const auto answer = one.get(path);
    const auto at = answer.find("ETag: ") + 6;
    const auto known = sealcam::format("If-None-Match: {}\r\n", answer.substr(at, answer.find('\r', at) - at));
    CHECK(status(same.get(path, known)) == 304);  // control
    CHECK(status(other.get(path, known)) == 200);
  }
}

TEST_CASE("only files directly in the folder, by their exact names, are served") {
  SiteWorld w;
  for (const char* path :
       {"/.hidden", "/sub/deep.js", "/sub", "/../app.js", "/./app.js", "//app.js", "/%61pp.js", "/app.js/",
        "/app.js%00", "/APP.JS", "/sub/../app.js", "/..%2fapp.js", "app.js", "http://hub/app.js", "*"})
    CHECK(status(w.get(path)) == 404);
  CHECK(status(w.get("/app.js")) == 200);  // control
  // Files are read once: a later one is not served.
  w.write("later.js", "");
  CHECK(status(w.get("/later.js")) == 404);
}

TEST_CASE("nothing of the hub's page answers to phones") {
  SiteWorld w;
  for (const char* path : {"/api/state", "/api/recordings", "/metrics", "/ws", "/open?code=x", "/live/a.ts",
                           "/snapshot/a.jpg", "/main.js", "/link", "/link/", "/link/1", "/link/1/", "/link/2/00"})
    CHECK(status(w.get(path, "Cookie: sealcam-8420=x\r\nAuthorization: Bearer x\r\n")) == 404);
}

TEST_CASE("wrong methods, bodies, hosts, sites and types are rejected") {
  SiteWorld w;
  CHECK(status(w.send("POST", "/", some)) == 405);
  CHECK(status(w.send("GET", "/", some)) == 405);
  CHECK(status(w.request("GET / HTTP/1.1\r\n\r\n")) == 400);
  CHECK(status(w.request("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")) == 400);
  CHECK(status(w.request("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17U << 10, 'x') + "\r\n\r\n")) == 431);
  CHECK(status(w.request("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8193\r\n\r\n")) == 413);
  const auto path = "/link/1/" + to_hex(slot_of(1));
  const auto opening = w.opening(1, w.owner);
  CHECK(status(w.send("POST", path, opening)) == 405);
  CHECK(status(w.send("PUT", path, opening, "Content-Type: text/plain\r\n")) == 415);
  CHECK(status(w.send("PUT", path, opening, "Content-Type: application/cbor\r\nSec-Fetch-Site: cross-site\r\n")) ==
        403);
  CHECK(status(w.send("PUT", path + "/x", opening)) == 404);
  CHECK(status(w.send("PUT", path, opening)) == 204);  // control
  CHECK(status(w.send("PUT", path + "/descriptor", some)) == 405);
  CHECK(status(w.send("POST", path + "/enrollment", some)) == 405);
  CHECK(status(w.get(path)) == 405);
}

TEST_CASE("each request that opens a slot counts as one, however its address is written") {
  const auto opens = [](std::string_view method, std::string_view path) {
    transport::HttpReader reader(Site::limits);
    const auto text = sealcam::format("{} {} HTTP/1.1\r\nHost: hub\r\n\r\n", method, path);
    REQUIRE_FALSE(reader.receive(as_bytes(text)));
    return Site::opens_slot(reader);
  };
  const auto path = "/link/1/" + to_hex(slot_of(1));
  for (const char* query : {"", "?", "?/", "?a=/b"}) CHECK(opens("PUT", path + query));
  CHECK_FALSE(opens("PUT", path + "/enrollment"));
  CHECK_FALSE(opens("GET", path));
  SiteWorld w;
  CHECK(status(w.send("PUT", path + "?/", w.opening(1, w.owner))) == 204);  // control: this address opens the slot
}

TEST_CASE("the hub verifies no signature of a stranger") {
  World w;
  const auto forged = [&](const test::Actor& signer) {
    auto message = w.opening(1, signer);
    message.back() ^= std::byte{1};
    return protocol::decode_link_opening(message, &w.owner.identity()).error().code;
  };
  CHECK(forged(w.stranger) == Errc::wrong_key);
  CHECK(forged(w.owner) == Errc::bad_signature);  // control
}

TEST_CASE("a link travels through the listener") {
  SiteWorld w;
  const auto path = "/link/1/" + to_hex(slot_of(7));
  CHECK(status(w.get(path + "/descriptor")) == 404);
  REQUIRE(status(w.send("PUT", path, w.opening(7, w.owner))) == 204);
  const auto nothing = w.get(path + "/descriptor");
  CHECK(status(nothing) == 204);
  CHECK_FALSE(nothing.contains("Content-Length"));
  CHECK(status(w.send("POST", path + "/descriptor", some)) == 204);
  const auto answer = w.get(path + "/descriptor");
  CHECK(answer.contains("Content-Type: application/cbor\r\n"));
  CHECK(answer.contains("Cache-Control: no-store\r\n"));
  CHECK(answer.ends_with(as_text(some)));
  CHECK(status(w.send("PUT", path + "/enrollment", other)) == 204);
  CHECK(w.get(path + "/enrollment").ends_with(as_text(other)));
  CHECK(status(w.send("PUT", path, w.opening(7, w.owner))) == 409);
}

TEST_CASE("a folder without a page, with strange names or too large is rejected") {
  const test::TemporaryFolder folder;
  const auto read = [&] { return AppFiles::read(folder.path(), "wss:"); };
  CHECK(read().error().code == Errc::not_found);
  CHECK(AppFiles::read(folder.path() / "none", "wss:").error().code == Errc::not_found);
  std::ofstream(folder.path() / "index.html") << "x";
  CHECK(read());  // control
  std::ofstream(folder.path() / "a b.js") << "x";
  CHECK(read().error().code == Errc::invalid_argument);
  std::filesystem::remove(folder.path() / "a b.js");
  std::ofstream(folder.path() / "large.js") << std::string(AppFiles::max_file + 1, 'x');
  CHECK(read().error().code == Errc::exhausted);
  std::filesystem::remove(folder.path() / "large.js");
  for (int i = 0; i < 9; ++i)
    std::ofstream(folder.path() / sealcam::format("{}.js", i)) << std::string(AppFiles::max_file, 'x');
  CHECK(read().error().code == Errc::exhausted);
}

TEST_CASE("the app may connect to the broker only") {
  CHECK(policy_source("broker.example", "") == "wss://broker.example:*");
  CHECK(policy_source("192.0.2.1", "8884") == "wss://192.0.2.1:8884");
  for (const char* host : {"::1", "", "a b", "a;script-src", "a\r\nX: y", "*"})
    CHECK(policy_source(host, "") == "wss:");
}

}  // namespace sealcam::hub::phone
