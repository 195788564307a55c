// SPDX-License-Identifier: Apache-2.0
// Pairs the real client with the real server over TLS on the loopback interface, with attackers. Each attack has a
// control: it shows that the attack could work, or that the device still answers.
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <list>
#include <thread>

#include "pairing/client.hpp"
#include "pairing/server.hpp"
#include "support/pairing_scene.hpp"
#include "transport/tls/tls_stream.hpp"

using namespace sealcam;
using namespace sealcam::pairing;
using namespace sealcam::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using protocol::HostPort;
using protocol::Role;
using transport::TlsContext;
using transport::TlsStream;
using Kind = ClientFailure::Kind;

namespace {

/// Runs the device's server, and a relay if there is one, in a network thread.
class Network {
 public:
  explicit Network(PairingDevice& device, const ServerLimits& limits = {}) : device_(device) {
    auto tls = must(TlsContext::make_pairing_server(device.tls, device.actor.id().to_string()));
    server_ = must(Server::open(
        io_, {{asio::ip::address_v4::loopback(), 0}}, std::move(tls), device.endpoint, [this] { paired_.set_value(); },
        limits));
    at_ = {"127.0.0.1", server_->addresses().front().port()};
  }
  void start() {
    thread_ = std::jthread([this] { io_.run(); });
  }
  /// Afterwards, the test may read the device.
  void stop() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      server_->stop();
      io_.stop();
    });
    thread_.join();
  }
  ~Network() { stop(); }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] asio::io_context& io() { return io_; }
  [[nodiscard]] const HostPort& at() const { return at_; }
  [[nodiscard]] bool wait_paired() { return done_.wait_for(30s) == std::future_status::ready; }
  [[nodiscard]] std::size_t ports() {
    std::promise<std::size_t> count;
    asio::post(io_, [&] { count.set_value(server_->addresses().size()); });
    return count.get_future().get();
  }
  [[nodiscard]] PairingDevice& device() { return device_; }

 private:
  PairingDevice& device_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<Server> server_;
  HostPort at_;
  std::promise<void> paired_;
  std::future<void> done_ = paired_.get_future();
  std::jthread thread_;
};

/// A relay between owner and device with a TLS connection to each. It reads all data.
class TlsRelay {
 public:
  TlsRelay(asio::io_context& io, const HostPort& device)
      : io_(io),
        acceptor_(io, {asio::ip::address_v4::loopback(), 0}),
        device_(asio::ip::make_address(device.host), device.port),
        server_(must(TlsContext::make_pairing_server(must(transport::TlsKey::generate()), "anybody"))),
        client_(must(TlsContext::make_pairing_client_that_trusts_nobody())) {
    acceptor_.async_accept([this](error_code ec, tcp::socket peer) {
      if (!ec) join(std::move(peer));
    });
  }
  [[nodiscard]] HostPort at() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }
  /// The data of both directions. Read it after the thread has ended.
  std::string seen;

 private:
  struct Half {
    std::array<char, 4096> block;
    std::string out;
  };
  void join(tcp::socket peer) {
    owner_.emplace(std::move(peer), server_);
    far_.emplace(io_.get_executor(), client_);
    owner_->async_handshake(TlsStream::handshake_type::server, [this](error_code ec) {
      if (ec) return;
      far_->next_layer().async_connect(device_, [this](error_code error) {
        if (error) return;
        far_->async_handshake(TlsStream::handshake_type::client, [this](error_code shaken) {
          if (shaken) return;
          forward(*owner_, *far_, halves_[0]);
          forward(*far_, *owner_, halves_[1]);
        });
      });
    });
  }
  void forward(TlsStream& from, TlsStream& to, Half& half) {
    from.async_read_some(asio::buffer(half.block), [this, &from, &to, &half](error_code ec, std::size_t n) {
      if (ec) return;
      half.out.assign(half.block.data(), n);
      seen += half.out;
      asio::async_write(to, asio::buffer(half.out), [this, &from, &to, &half](error_code error, std::size_t) {
        if (!error) forward(from, to, half);
      });
    });
  }

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  tcp::endpoint device_;
  TlsContext server_, client_;
  std::optional<TlsStream> owner_, far_;
  std::array<Half, 2> halves_;
};

/// A TLS client that sends arbitrary bytes.
class Raw {
 public:
  explicit Raw(const HostPort& at) {
    stream_.next_layer().connect({asio::ip::make_address(at.host), at.port});
    error_code ec = asio::error::would_block;
    stream_.async_handshake(TlsStream::handshake_type::client, [&](error_code error) { ec = error; });
    io_.run();
    if (ec) throw std::runtime_error("handshake: " + ec.message());
  }
  [[nodiscard]] protocol::ChannelBinding channel() const {
    return must(stream_.export_secret(protocol::pairing_exporter_label));
  }
  void send(std::string text) {
    text_ = std::move(text);
    io_.restart();
    asio::async_write(stream_, asio::buffer(text_), [](error_code, std::size_t) {});
    io_.run();
  }
  /// The first bytes of a reply; empty if the connection ended.
  std::string receive() {
    std::array<char, 4096> block{};
    std::size_t got = 0;
    io_.restart();
    stream_.async_read_some(asio::buffer(block), [&](error_code, std::size_t n) { got = n; });
    io_.run_for(60s);
    return {block.data(), got};
  }
  std::string post(const std::string& target, const std::string& body) {
    send("POST " + target + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return receive();
  }

 private:
  asio::io_context io_{1};
  TlsContext context_ = must(TlsContext::make_pairing_client_that_trusts_nobody());
  TlsStream stream_{io_.get_executor(), context_};
  std::string text_;
};

Client connect(const HostPort& at) {
  auto client = Client::connect(at, {60s, 60s});
  if (!client) throw std::runtime_error(client.error().text);
  return std::move(*client);
}

/// Pairs as the true owner, until the end or the first failure.
ClientResult<> pair(Client& client, PairingDevice& device, const OwnerDesk& desk) {
  if (const auto r = client.hello(device.actor.id(), device.role); !r) return std::unexpected(r.error());
  const auto request = client.claim(device.code, desk.owner.keys().identity);
  if (!request) return std::unexpected(request.error());
  return client.enroll(desk.enrollment(device.actor, device.role, *request), desk.owner.keys().identity);
}

}  // namespace

TEST_CASE("an owner pairs with a device over TLS, and the device closes its port") {
  PairingDevice device;
  const OwnerDesk desk;
  Network network(device);
  network.start();
  auto client = connect(network.at());
  REQUIRE(pair(client, device, desk));
  CHECK(network.wait_paired());
  CHECK(network.ports() == 0);
  CHECK(Client::connect(network.at(), {10s, 10s}).error().kind == Kind::unreachable);
  network.stop();
  CHECK(device.installer.installed->owner == desk.owner.identity());
}

TEST_CASE("both ends of a connection export the same secret, and other connections export others") {
  PairingDevice device;
  Network network(device);
  network.start();
  Raw first(network.at()), second(network.at());
  CHECK_FALSE(equal(first.channel().reveal(), second.channel().reveal()));
  // The device signs the secret of its end, and the proof is verified with the secret of this end.
  const auto answer = first.post("/pairing/1/hello", "{}");
  const auto body = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  const auto proof = must(from_base64url(body.at("proof").get<std::string>()));
  CHECK(protocol::check_pairing_proof(proof, first.channel(), device.actor.verifier()));
  CHECK_FALSE(protocol::check_pairing_proof(proof, second.channel(), device.actor.verifier()));
}

TEST_CASE("the client detects a TLS relay before it sends the code") {
  PairingDevice device;
  const OwnerDesk desk;
  Network network(device);
  TlsRelay relay(network.io(), network.at());
  const auto relay_at = relay.at();
  network.start();
  auto client = connect(relay_at);
  const auto rejected = pair(client, device, desk);
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().kind == Kind::in_between);
  auto direct = connect(network.at());
  CHECK(pair(direct, device, desk));  // control: it works without the relay
  network.stop();
  // Control: the relay forwarded the request and the device's reply.
  CHECK(relay.seen.contains("/pairing/1/hello"));
  CHECK(relay.seen.contains("\"proof\""));
  CHECK_FALSE(relay.seen.contains("claim"));
  CHECK(device.tries.number == 0);
}

TEST_CASE("the client rejects another device before it sends the code") {
  PairingDevice device, other;
  const OwnerDesk desk;
  Network network(other);
  network.start();
  auto client = connect(network.at());
  CHECK(client.hello(device.actor.id(), Role::camera).error().kind == Kind::other_device);
  auto again = connect(network.at());
  CHECK(again.hello(other.actor.id(), Role::hub).error().kind == Kind::other_role);
  auto control = connect(network.at());
  CHECK(control.hello(other.actor.id(), Role::camera));
}

TEST_CASE("the client replaces control characters in a device's model and limits its length") {
  PairingDevice device(Role::camera,
                       "\x1b]0;mine\a Board \xc2\x9b"
                       "2J" +
                           std::string(1000, 'x'));
  Network network(device);
  network.start();
  auto client = connect(network.at());
  const auto introduction = client.hello(device.actor.id(), Role::camera);
  REQUIRE(introduction);
  CHECK(introduction->model.starts_with("?]0;mine? Board ?2Jxxx"));
  CHECK(introduction->model.size() == 200);
}

TEST_CASE("a copied claim is rejected on another connection") {
  PairingDevice device;
  const OwnerDesk desk;
  Network network(device);
  network.start();
  Raw owner(network.at()), thief(network.at());
  (void)owner.post("/pairing/1/hello", "{}");
  (void)thief.post("/pairing/1/hello", "{}");
  const auto claim =
      must(protocol::encode_pairing_claim(device.code, owner.channel(), device.actor.id(), desk.owner.keys().identity));
  const auto stolen = thief.post("/pairing/1/claim", body_of("claim", claim));
  CHECK(stolen.starts_with("HTTP/1.1 403 "));
  CHECK(stolen.contains("\"channel\""));
  CHECK(owner.post("/pairing/1/claim", body_of("claim", claim)).starts_with("HTTP/1.1 200 "));  // control
}

TEST_CASE("a second owner can claim the device after the first connection ends") {
  PairingDevice device;
  const OwnerDesk first, second;
  Network network(device);
  network.start();
  {
    auto holder = connect(network.at());
    REQUIRE(holder.hello(device.actor.id(), Role::camera));
    REQUIRE(holder.claim(device.code, first.owner.keys().identity));
    auto other = connect(network.at());
    CHECK(pair(other, device, second).error().kind == Kind::busy);
  }
  // The device detects the end of the connection a moment later.
  for (;;) {
    auto other = connect(network.at());
    const auto done = pair(other, device, second);
    if (!done && done.error().kind == Kind::busy) continue;
    CHECK(done);
    break;
  }
  network.stop();
  CHECK(device.installer.installed->owner == second.owner.identity());
  CHECK(device.tries.number == 0);
}

TEST_CASE("the client reports how many tries are left, and pairing closes after five wrong codes") {
  PairingDevice device;
  const OwnerDesk desk;
  Network network(device);
  network.start();
  const auto wrong = must(protocol::PairingCode::parse("abcdefga"));
  for (unsigned left = 5; left-- > 0;) {
    auto client = connect(network.at());
    REQUIRE(client.hello(device.actor.id(), Role::camera));
    const auto rejected = client.claim(wrong, desk.owner.keys().identity);
    CHECK(rejected.error().kind == Kind::wrong_code);
    CHECK(rejected.error().tries_left == left);
  }
  auto client = connect(network.at());
  CHECK(pair(client, device, desk).error().kind == Kind::closed);
}

TEST_CASE("many connections do not end the one with the claim") {
  PairingDevice device;
  const OwnerDesk desk;
  Network network(device);
  network.start();
  auto owner = connect(network.at());
  REQUIRE(owner.hello(device.actor.id(), Role::camera));
  const auto request = owner.claim(device.code, desk.owner.keys().identity);
  REQUIRE(request);
  auto unclaimed = connect(network.at());
  std::list<Raw> many;
  for (int i = 0; i < 40; ++i) many.emplace_back(network.at());
  CHECK_FALSE(
      unclaimed.hello(device.actor.id(), Role::camera));  // control: the connections do end one without the claim
  CHECK(owner.enroll(desk.enrollment(device.actor, Role::camera, *request), desk.owner.keys().identity));
}

TEST_CASE("idle and slow connections end, and the one with the claim has a minute") {
  PairingDevice device;
  const OwnerDesk desk;
  Network network(device, {.connections = 8, .timeout = 5s});
  network.start();
  auto owner = connect(network.at());
  REQUIRE(owner.hello(device.actor.id(), Role::camera));
  const auto request = owner.claim(device.code, desk.owner.keys().identity);
  REQUIRE(request);
  Raw silent(network.at());
  CHECK(silent.receive().empty());
  Raw slow(network.at());
  slow.send("POST /pairing/1/hello HTTP/1.1\r\nContent-Length: 100\r\n\r\n{");
  CHECK(slow.receive().empty());
  CHECK(owner.enroll(desk.enrollment(device.actor, Role::camera, *request), desk.owner.keys().identity));
}
