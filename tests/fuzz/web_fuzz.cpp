// SPDX-License-Identifier: Apache-2.0
// A connection of the hub's web server over a pair of local sockets. The first byte selects the meaning of the rest: 0
// is data of an HTTP connection, 1 is data of a WebSocket after the upgrade, 2 is text messages of a WebSocket, each
// after its length (one byte).
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "hub/access/testing/memory_tokens.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/server.hpp"
#include "hub/web/snapshots.hpp"
#include "hub/web/web_session.hpp"
#include "input.hpp"
#include "web_backend.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
namespace asio = boost::asio;

namespace {

constexpr std::string_view upgrade =
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Authorization: Bearer ttttttttttttttttttttttttttttttttttttttttttt\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const std::string token(43, 't');

// A media module that is not installed. Each request for a snapshot or stream ends with an error.
class NoMedia final : public hal::Media {
  Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::not_found, "no module"); }
  Result<std::unique_ptr<hal::Mp4Muxer>> do_open_mp4_muxer(hal::Size) override {
    return fail(Errc::not_found, "no module");
  }
  Result<std::unique_ptr<hal::StillBuilder>> do_open_still_builder() override {
    return fail(Errc::not_found, "no module");
  }
};

class Session {
 public:
  Session() {
    SC_ASSERT(crypto::init().has_value());
    tokens_.add("fuzzer", hub::access::Rights::privacy, token);
    std::array<int, 2> ends{};
    SC_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours_ = UniqueFd(ends[0]);
    // Asio does not check the address family of the socket.
    asio::ip::tcp::socket theirs(io_);
    theirs.assign(asio::ip::tcp::v4(), ends[1]);
    start_connection(std::move(theirs), shared_);
    settle();
  }
  ~Session() {
    ::shutdown(ours_.get(), SHUT_RDWR);
    ours_.reset();
    settle();
    // Ends the snapshots that wait for a picture.
    clock_.advance(std::chrono::seconds(10));
    shared_->snapshots->tick();
    shared_->snapshots->stop();
    finish_jobs();
    settle();
    // The server keeps no state of a connection that ended.
    SC_ASSERT(shared_->connections == 0 && shared_->sessions.empty() && !backend_.interest());
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void send(ByteView bytes) {
    (void)::send(ours_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    settle();
  }
  /// RFC 6455 section 5.2: final text frame, masked with zeros.
  void send_text(ByteView text) {
    std::array<std::byte, 6> head{std::byte{0x81}, static_cast<std::byte>(0x80U | text.size())};
    SC_ASSERT(text.size() < 126);
    Bytes frame(head.begin(), head.end());
    frame.insert(frame.end(), text.begin(), text.end());
    send(frame);
  }
  [[nodiscard]] std::string_view received() const noexcept { return received_; }
  [[nodiscard]] std::size_t sockets() const noexcept { return shared_->sessions.size(); }
  [[nodiscard]] bool interest() const { return backend_.interest(); }

 private:
  /// Runs all handlers that are ready. Does not wait for timers.
  void settle() {
    for (bool again = true; again;) {
      again = io_.poll() > 0;
      io_.restart();
      std::array<char, 4096> block{};
      while (ours_) {
        const auto n = ::recv(ours_.get(), block.data(), block.size(), 0);
        if (n <= 0) break;
        received_.append(block.data(), static_cast<std::size_t>(n));
        again = true;
      }
    }
  }

  /// Waits for the worker. The backend's camera and new streams have one turn, so the jobs run in order.
  void finish_jobs() {
    std::promise<void> done;
    while (!worker_.submit_stream([&done] { done.set_value(); })) std::this_thread::yield();
    done.get_future().wait();
  }

  std::shared_ptr<ServerShared> make_shared() {
    auto shared = std::make_shared<ServerShared>(
        ServerShared{.backend = &backend_,
                     .access = &access_,
                     .clock = &clock_,
                     .media = &media_,
                     .worker = &worker_,
                     .post = [executor = io_.get_executor()](auto job) { asio::post(executor, std::move(job)); },
                     .snapshots = {},
                     .sessions = {}});
    shared->snapshots = std::make_shared<Snapshots>(shared->post, backend_, clock_, worker_, media_,
                                                    [raw = shared.get()] { raw->update_interest(); });
    return shared;
  }

  asio::io_context io_{1};
  FakeClock clock_;
  MemoryLog log_;
  hub::access::MemoryTokens tokens_;
  hub::access::Access access_{tokens_, clock_, log_};
  fuzz::WebBackend backend_;
  NoMedia media_;
  Worker worker_;
  std::shared_ptr<ServerShared> shared_ = make_shared();
  UniqueFd ours_;
  std::string received_;
};

void check_plain(ByteView bytes) {
  Session session;
  session.send(bytes);
  const auto received = session.received();
  SC_ASSERT(received.empty() || received.starts_with("HTTP/1."));
  // Only a WebSocket receives the hello message, and its data begins with the response to the upgrade.
  if (received.contains(fuzz::hello_text)) SC_ASSERT(received.contains("101 Switching Protocols"));
  // Only a client with the token receives anything of the hub.
  const auto sent = as_text(bytes);
  const bool has_token = sent.contains(token) || sent.contains("dHR0dHR0dHR0");  // Basic: in base64
  for (const auto mark : {fuzz::hello_text, fuzz::state_text, fuzz::metrics_text})
    SC_ASSERT(has_token || !received.contains(mark));
  SC_ASSERT(has_token || !session.interest());
}

void check_socket(fuzz::Input in, bool framed) {
  Session session;
  session.send(as_bytes(upgrade));
  SC_ASSERT(session.received().starts_with("HTTP/1.1 101 ") && session.sockets() == 1);
  SC_ASSERT(session.received().contains(fuzz::hello_text));
  if (!framed) return session.send(in.rest());
  for (int i = 0; i < 16 && !in.empty() && session.sockets() == 1; ++i) {
    const auto text = in.take(std::min<std::size_t>(in.byte(), 125));
    const auto before = session.received().size();
    session.send_text(text);
    const auto answer = session.received().substr(before);
    const auto request = parse_client_request(as_text(text));
    // Beast closes the WebSocket after a message that is not UTF-8.
    if (!request) return SC_ASSERT(answer.starts_with('\x88'));
    SC_ASSERT(session.sockets() == 1 && !answer.starts_with('\x88'));
    if (const auto* watch = std::get_if<WatchRequest>(&*request))
      SC_ASSERT(session.interest() == (watch->all || !watch->cameras.empty()));
    else SC_ASSERT(answer.contains("privacy_rejected"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto choice = in.byte() % 3;
  if (choice == 0) check_plain(in.rest());
  else check_socket(in, choice == 2);
  return 0;
}
