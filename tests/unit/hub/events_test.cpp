// SPDX-License-Identifier: Apache-2.0
// Events while they happen, and their way to another program.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "hub/events/event_post.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"
#include "transport/tls/tls_stream.hpp"

namespace sealcam::hub::events {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using test::must;
using transport::TlsStream;
using namespace std::chrono_literals;

const test::Actor camera, other;
constexpr CaptureTime noon{1'790'000'000s};
PostSettings settings_of(const PostUrl& url, const std::filesystem::path& authority) {
  PostSettings settings;
  settings.url = url;
  settings.authority = authority;
  return settings;
}

BootTime boot(std::chrono::seconds s) { return BootTime{s}; }

TEST_CASE("an event begins with motion after a pause, for each camera") {
  EventTracker tracker;
  const auto first = tracker.on_motion(camera.id(), noon, boot(100s));
  REQUIRE(first);
  CHECK(first->camera == camera.id());
  CHECK(first->begin == noon);
  CHECK_FALSE(tracker.on_motion(camera.id(), noon, boot(105s)));
  CHECK_FALSE(tracker.on_motion(camera.id(), noon, boot(115s)));
  CHECK(tracker.on_motion(other.id(), noon, boot(115s)));
  CHECK(tracker.cameras(boot(125s)).size() == 2);
  for (const auto& c : tracker.cameras(boot(125s))) CHECK((c.motion && c.events == 1));
  for (const auto& c : tracker.cameras(boot(126s))) CHECK_FALSE(c.motion);
  CHECK(tracker.on_motion(camera.id(), noon, boot(126s)));
}

TEST_CASE("a step of the wall clock neither begins nor joins events") {
  EventTracker tracker;
  CHECK(tracker.on_motion(camera.id(), noon, boot(1s)));
  CHECK_FALSE(tracker.on_motion(camera.id(), CaptureTime{noon.since_epoch + 24h}, boot(2s)));
  CHECK(tracker.on_motion(camera.id(), CaptureTime{noon.since_epoch - 24h}, boot(13s)));
}

TEST_CASE("a camera that reports motion without end causes a bounded number of messages") {
  EventTracker tracker;
  int reports = 0;
  std::uint64_t suppressed = 0;
  for (auto t = 0s; t < 7200s; t += 11s)
    if (const auto event = tracker.on_motion(camera.id(), noon, boot(t))) {
      ++reports;
      suppressed += event->suppressed;
    }
  CHECK(reports == 120);
  CHECK(tracker.cameras(boot(7200s))[0].events == 655);
  CHECK(suppressed == 328 - 60);                            // those of the first hour
  CHECK(tracker.on_motion(other.id(), noon, boot(7200s)));  // the control: another camera is not limited
}

TEST_CASE("addresses are parsed strictly") {
  const auto url = must(parse_post_url("https://ntfy.sh"));
  CHECK(url.tls);
  CHECK(url.host == "ntfy.sh");
  CHECK(url.port == 443);
  CHECK(url.target == "/");
  CHECK(url.authority() == "ntfy.sh");
  CHECK(must(parse_post_url("http://192.168.1.5:8123/api/webhook/a?b=c")).target == "/api/webhook/a?b=c");
  CHECK(must(parse_post_url("http://[fd00::1]/x")).host == "fd00::1");
  CHECK(must(parse_post_url("http://[::1]:81")).authority() == "[::1]:81");
  CHECK(must(parse_post_url("http://localhost?x")).target == "/?x");
  for (const std::string wrong :
       {"", "ntfy.sh", "ftp://a/", "http://", "http:///x", "https://a:0/", "https://a:99999", "https://user@host/",
        "https://a/b c", "https://a/\r\nX: y", "https://a/#part", "https://a\\b/", "https://a b/", "http://[::1/"})
    CHECK_FALSE(parse_post_url(wrong));
  CHECK_FALSE(parse_post_url("https://a/" + std::string(2048, 'x')));
}

TEST_CASE("a message has no picture, and a name only if the owner allows it") {
  const EventBegin event{camera.id(), noon, 3};
  auto json = nlohmann::json::parse(event_message(event, "", ""));
  CHECK(json["camera"] == camera.id().to_string());
  CHECK(json["begin_us"] == 1'790'000'000'000'000);
  CHECK(json["suppressed"] == 3);
  CHECK(json["message"] == "Motion");
  CHECK_FALSE(json.contains("name"));
  CHECK_FALSE(json.contains("topic"));
  json = nlohmann::json::parse(event_message(event, "Door \"\xff\"", "sealcam-x"));
  CHECK(json["topic"] == "sealcam-x");
  CHECK(json["message"].get<std::string>().starts_with("Motion: Door"));
}

TEST_CASE("private networks are those of RFC 1918, RFC 4193 and link-local addresses") {
  for (const auto* address : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.9", "169.254.1.1",
                              "::1", "fd12::1", "fe80::1", "::ffff:192.168.1.1"})
    CHECK(is_private(asio::ip::make_address(address)));
  for (const auto* address : {"8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "0.0.0.0", "2001:db8::1",
                              "::", "::ffff:8.8.8.8", "100.64.0.1"})
    CHECK_FALSE(is_private(asio::ip::make_address(address)));
}

TEST_CASE("the first line of an answer is parsed strictly") {
  CHECK(answer_status("HTTP/1.1 200 OK\r\n") == 200);
  CHECK(answer_status("HTTP/1.0 404\r\n") == 404);
  for (const auto* wrong :
       {"", "HTTP/1.1", "HTTP/1.1 2", "HTTP/1.1 20x OK\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 099 x\r\n",
        "HTTP/1.1 600 x\r\n", "HTTP/2.0 200 OK\r\n", "ICY 200 OK\r\n", "HTTP/1.1\t200 OK\r\n"})
    CHECK_FALSE(answer_status(wrong));
}

/// Accepts connections on the loopback address, keeps what arrives, and answers with the same bytes each time.
struct Receiver {
  asio::io_context io;
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  std::vector<std::string> requests;
  std::optional<transport::TlsContext> tls;
  MemoryLog log;
  std::unique_ptr<EventPoster> poster;

  [[nodiscard]] std::string port() const { return std::to_string(acceptor.local_endpoint().port()); }
  void open(const std::string& url, const std::filesystem::path& authority = {}) {
    poster = must(EventPoster::open(io, settings_of(must(parse_post_url(url)), authority), log));
  }
  template <class Stream>
  void serve(std::shared_ptr<Stream> stream) {
    auto input = std::make_shared<std::string>();
    asio::async_read_until(*stream, asio::dynamic_buffer(*input), "}",
                           [this, stream, input](error_code ec, std::size_t) {
                             if (ec) return;
                             requests.push_back(*input);
                             asio::async_write(*stream, asio::buffer(answer), [stream](error_code, std::size_t) {});
                           });
  }
  void accept() {
    acceptor.async_accept([this](error_code ec, tcp::socket socket) {
      if (ec) return;
      accept();
      if (!tls) return serve(std::make_shared<tcp::socket>(std::move(socket)));
      auto stream = std::make_shared<TlsStream>(std::move(socket), *tls);
      stream->async_handshake(TlsStream::handshake_type::server, [this, stream](error_code failed) {
        if (!failed) serve(stream);
      });
    });
  }
  /// Until `done`.
  template <class Done>
  bool run(Done done) {
    const auto until = std::chrono::steady_clock::now() + 8s;
    while (!done() && std::chrono::steady_clock::now() < until) io.run_one_for(100ms);
    return done();
  }
  [[nodiscard]] const PostCounts& counts() const { return poster->counts(); }
};

TEST_CASE("an event is one HTTP POST with JSON") {
  Receiver receiver;
  receiver.accept();
  receiver.open("http://127.0.0.1:" + receiver.port() + "/api/webhook/secret");
  receiver.poster->post(R"({"a":1})");
  receiver.poster->post(R"({"b":2})");
  REQUIRE(receiver.run([&] { return receiver.counts().sent == 2; }));
  REQUIRE(receiver.requests.size() == 2);
  const auto& request = receiver.requests[0];
  CHECK(request.starts_with("POST /api/webhook/secret HTTP/1.1\r\nHost: 127.0.0.1:" + receiver.port() + "\r\n"));
  CHECK(request.contains("Content-Type: application/json\r\nContent-Length: 7\r\n"));
  CHECK(request.ends_with("\r\n\r\n{\"a\":1}"));
  CHECK(receiver.poster->fault().empty());
}

TEST_CASE("rejections and answers that are not HTTP are failures, and the log has no secret part of the address") {
  Receiver receiver;
  receiver.accept();
  receiver.open("http://127.0.0.1:" + receiver.port() + "/secret");
  bool repeated = false;
  SECTION("rejected") { receiver.answer = "HTTP/1.1 403 Forbidden\r\n\r\n"; }
  SECTION("moved") {
    receiver.answer = "HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\n\r\n";
    repeated = true;
  }
  SECTION("not HTTP") {
    receiver.answer = std::string("\x01\x1b[31mevil\r\n");
    repeated = true;
  }
  SECTION("a line without end") {
    receiver.answer = std::string(20'000, 'x');
    repeated = true;
  }
  receiver.poster->post("{}");
  REQUIRE(receiver.run([&] { return !receiver.poster->fault().empty(); }));
  CHECK(receiver.counts().failed == (repeated ? 0 : 1));
  CHECK(receiver.counts().sent == 0);
  for (const auto& line : receiver.log.lines()) {
    CHECK_FALSE(line.contains("secret"));
    CHECK_FALSE(line.contains("\x1b"));
  }
  // The next attempt is the 5 s after.
  if (!repeated) return;
  receiver.answer = "HTTP/1.1 204 No Content\r\n\r\n";
  CHECK(receiver.run([&] { return receiver.counts().sent == 1; }));
  CHECK(receiver.poster->fault().empty());
}

TEST_CASE("the queue is bounded, and a stopped poster sends nothing") {
  Receiver receiver;  // accepts nothing
  receiver.open("http://127.0.0.1:" + receiver.port() + "/");
  for (std::size_t i = 0; i < EventPoster::max_waiting + 5; ++i) receiver.poster->post("{}");
  CHECK(receiver.counts().dropped == 5);
  receiver.poster->stop();
  receiver.poster->post("{}");
  receiver.io.run_for(200ms);
  CHECK(receiver.requests.empty());
}

TEST_CASE("without TLS, events stay in private networks") {
  Receiver receiver;
  receiver.open("http://203.0.113.1:9/");
  receiver.poster->post("{}");
  REQUIRE(receiver.run([&] { return receiver.counts().failed == 1; }));
  CHECK(receiver.poster->fault().contains("use https://"));
}

// tests/recordings/events_test.py has the receiver with the right certificate.
TEST_CASE("https sends nothing to a receiver whose certificate no authority signed") {
  Receiver receiver;
  receiver.accept();
  const auto key = must(transport::TlsKey::generate());
  receiver.tls = must(transport::TlsContext::make_pairing_server(key, "localhost"));
  const test::TemporaryFolder folder;
  const auto authority = must(transport::make_authority(must(transport::TlsKey::generate()), "authority"));
  must(write_file_durably(folder.path() / "ca.pem", as_bytes(authority)));
  receiver.open("https://localhost:" + receiver.port() + "/x", folder.path() / "ca.pem");
  receiver.poster->post("{}");
  REQUIRE(receiver.run([&] { return !receiver.poster->fault().empty(); }));
  CHECK(receiver.requests.empty());
  CHECK(receiver.counts().sent == 0);
}

TEST_CASE("missing or wrong certificates are an error at the start") {
  asio::io_context io;
  MemoryLog log;
  const test::TemporaryFolder folder;
  const auto url = must(parse_post_url("https://ntfy.sh"));
  CHECK(EventPoster::open(io, settings_of(url, folder.path() / "none"), log).error().code == Errc::not_found);
  must(write_file_durably(folder.path() / "ca.pem", as_bytes("no certificate")));
  CHECK(EventPoster::open(io, settings_of(url, folder.path() / "ca.pem"), log).error().code == Errc::malformed);
}

}  // namespace
}  // namespace sealcam::hub::events
