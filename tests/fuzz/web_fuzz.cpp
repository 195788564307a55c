// SPDX-License-Identifier: Apache-2.0
// A whole conversation with the hub's page: the shipped connection and WebSocket, over a pair of local sockets. The
// first byte: 0 sends the rest as it comes; 1 makes a WebSocket first and sends the rest as frames as they come; 2
// frames it as text messages, each with its length (one byte) before it.
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "core/file.hpp"
#include "hub/web/connection.hpp"
#include "hub/web/messages.hpp"
#include "hub/web/snapshots.hpp"
#include "hub/web/viewer.hpp"
#include "input.hpp"
#include "web_host.hpp"

using namespace sealcam;
using namespace sealcam::hub::web;
namespace asio = boost::asio;

namespace {

constexpr std::string_view upgrade =
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// A hub whose module for snapshots and streams is missing: every request for them ends in an error.
class NoMedia final : public hal::Media {
  Result<std::unique_ptr<hal::StreamMuxer>> do_open_muxer() override { return fail(Errc::not_found, "no module"); }
  Result<std::unique_ptr<hal::StillMaker>> do_open_still_maker() override { return fail(Errc::not_found, "no module"); }
};

class Conversation {
 public:
  Conversation() {
    std::array<int, 2> ends{};
    SC_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours_ = UniqueFd(ends[0]);
    // Asio asks a socket nothing about its family: reads and writes are all that is done with it.
    asio::ip::tcp::socket theirs(io_);
    theirs.assign(asio::ip::tcp::v4(), ends[1]);
    start_connection(std::move(theirs), shared_);
    settle();
  }
  ~Conversation() {
    ::shutdown(ours_.get(), SHUT_RDWR);
    ours_.reset();
    settle();
    // Snapshots that wait for a picture get none, and nobody asks again.
    clock_.advance(std::chrono::seconds(10));
    shared_->snapshots->tick();
    shared_->snapshots->stop();
    finish_jobs();
    settle();
    // Whatever was said, nothing is left of a connection that ended.
    SC_ASSERT(shared_->connections == 0 && shared_->viewers.empty() && !host_.interest());
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

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
  [[nodiscard]] std::string_view heard() const noexcept { return heard_; }
  [[nodiscard]] std::size_t sockets() const noexcept { return shared_->viewers.size(); }
  [[nodiscard]] bool interest() const { return host_.interest(); }

 private:
  /// Everything that is due happens; timers are not waited for.
  void settle() {
    for (bool again = true; again;) {
      again = io_.poll() > 0;
      io_.restart();
      std::array<char, 4096> block{};
      while (ours_) {
        const auto n = ::recv(ours_.get(), block.data(), block.size(), 0);
        if (n <= 0) break;
        heard_.append(block.data(), static_cast<std::size_t>(n));
        again = true;
      }
    }
  }

  /// The worker's jobs run in order: once the last one ran, all did.
  void finish_jobs() {
    std::promise<void> done;
    while (!worker_.submit([&done] { done.set_value(); })) std::this_thread::yield();
    done.get_future().wait();
  }

  std::shared_ptr<ServerShared> make_shared() {
    auto shared = std::make_shared<ServerShared>(ServerShared{.host = &host_,
                                                              .clock = &clock_,
                                                              .media = &media_,
                                                              .worker = &worker_,
                                                              .network = io_.get_executor(),
                                                              .snapshots = {},
                                                              .viewers = {}});
    shared->snapshots = std::make_shared<Snapshots>(io_.get_executor(), host_, clock_, worker_, media_,
                                                    [raw = shared.get()] { raw->update_interest(); });
    return shared;
  }

  asio::io_context io_{1};
  FakeClock clock_;
  fuzz::WebHost host_;
  NoMedia media_;
  Worker worker_;
  std::shared_ptr<ServerShared> shared_ = make_shared();
  UniqueFd ours_;
  std::string heard_;
};

void check_plain(ByteView bytes) {
  Conversation conversation;
  conversation.send(bytes);
  const auto heard = conversation.heard();
  SC_ASSERT(heard.empty() || heard.starts_with("HTTP/1."));
  // Pictures and the greeting go to WebSockets only, and these begin with the answer to the handshake.
  if (heard.contains(fuzz::hello_text)) SC_ASSERT(heard.contains("101 Switching Protocols"));
}

void check_socket(fuzz::Input in, bool framed) {
  Conversation conversation;
  conversation.send(as_bytes(upgrade));
  SC_ASSERT(conversation.heard().starts_with("HTTP/1.1 101 ") && conversation.sockets() == 1);
  SC_ASSERT(conversation.heard().contains(fuzz::hello_text));
  if (!framed) return conversation.send(in.rest());
  for (int i = 0; i < 16 && !in.empty() && conversation.sockets() == 1; ++i) {
    const auto text = in.take(std::min<std::size_t>(in.byte(), 125));
    const auto before = conversation.heard().size();
    conversation.send_text(text);
    const auto answer = conversation.heard().substr(before);
    const auto request = parse_client_request(as_text(text));
    // Beast ends what is not UTF-8 by itself, and forgets the socket when the other side has ended too.
    if (!request) return SC_ASSERT(answer.starts_with('\x88'));
    SC_ASSERT(conversation.sockets() == 1 && !answer.starts_with('\x88'));
    if (const auto* watch = std::get_if<WatchRequest>(&*request))
      SC_ASSERT(conversation.interest() == (watch->all || !watch->cameras.empty()));
    else SC_ASSERT(answer.contains("privacy_refused"));
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
