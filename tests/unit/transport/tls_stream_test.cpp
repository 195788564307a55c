// SPDX-License-Identifier: Apache-2.0
/// Both ends of a TlsStream in one process, over the loopback interface.
#include "transport/tls/tls_stream.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <random>

#include "transport/tcp.hpp"

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace sealcam;
using namespace sealcam::transport;
using namespace std::chrono_literals;

namespace {

struct Pair {
  Pair() {
    const auto ca_key = TlsKey::generate().value();
    const auto ca = make_authority(ca_key, "operator").value();
    const auto context = [&](TlsRole role) {
      auto key = TlsKey::generate().value();
      const auto use = role == TlsRole::client ? CertificateUse::client : CertificateUse::server;
      auto certificate =
          sign_request(ca, ca_key, make_request(key, "peer").value(), "peer", use,
                       role == TlsRole::client ? std::vector<std::string>{} : std::vector<std::string>{"localhost"});
      return TlsContext::make(
                 {.role = role, .authority_pem = ca, .certificate_pem = certificate.value(), .key = std::move(key)})
          .value();
    };
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    client.emplace(io.get_executor(), context(TlsRole::client));
    client->set_server_name("localhost");
    client->next_layer().connect(acceptor.local_endpoint());
    server.emplace(acceptor.accept(), context(TlsRole::server));
  }
  void handshake() {
    error_code client_ec = asio::error::would_block, server_ec = asio::error::would_block;
    client->async_handshake(TlsStream::handshake_type::client, [&](error_code ec) { client_ec = ec; });
    server->async_handshake(TlsStream::handshake_type::server, [&](error_code ec) { server_ec = ec; });
    run();
    REQUIRE_FALSE(client_ec);
    REQUIRE_FALSE(server_ec);
  }
  void run(std::chrono::seconds limit = 10s) {
    io.restart();
    io.run_for(limit);
  }
  asio::io_context io;
  std::optional<TlsStream> client, server;
};

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>(random());
  return text;
}

}  // namespace

TEST_CASE("3 MiB can flow in both directions at the same time") {
  Pair pair;
  pair.handshake();
  const auto up = noise(3 << 20, 1), down = noise(3 << 20, 2);
  std::string up_got(up.size(), '\0'), down_got(down.size(), '\0');
  int finished = 0;
  const auto done = [&](error_code ec, std::size_t) {
    CHECK_FALSE(ec);
    ++finished;
  };
  asio::async_write(*pair.client, asio::buffer(up), done);
  asio::async_write(*pair.server, asio::buffer(down), done);
  asio::async_read(*pair.client, asio::buffer(down_got), done);
  asio::async_read(*pair.server, asio::buffer(up_got), done);
  pair.run(30s);
  CHECK(finished == 4);
  CHECK(up_got == up);
  CHECK(down_got == down);
}

TEST_CASE("buffers of every size arrive as one stream") {
  Pair pair;
  pair.handshake();
  std::vector<std::string> parts;
  std::vector<asio::const_buffer> buffers;
  std::string whole;
  for (const std::size_t size :
       {1U, 0U, 5U, 2000U, 0U, 3000U, 16384U, 1U, 16385U, 7U, 70000U, 1U, 1U, 1U, 1U, 1U, 1U, 1U, 1U, 1U, 9U})
    parts.push_back(noise(size, static_cast<unsigned>(size)));
  for (const auto& part : parts) {
    buffers.push_back(asio::buffer(part));
    whole += part;
  }
  std::string got(whole.size(), '\0');
  bool written = false, read = false;
  asio::async_write(*pair.client, buffers, [&](error_code ec, std::size_t n) { written = !ec && n == whole.size(); });
  asio::async_read(*pair.server, asio::buffer(got), [&](error_code ec, std::size_t) { read = !ec; });
  pair.run();
  CHECK(written);
  CHECK(read);
  CHECK(got == whole);
}

TEST_CASE("a close_notify ends the stream with eof, a cut with a reset") {
  Pair pair;
  pair.handshake();
  error_code read_ec;
  char byte = 0;
  pair.server->async_read_some(asio::buffer(&byte, 1), [&](error_code ec, std::size_t) { read_ec = ec; });
  SECTION("close_notify") {
    bool sent_notify = false;
    pair.client->async_shutdown([&](error_code ec) { sent_notify = !ec; });
    pair.run(1s);
    CHECK(sent_notify);
    CHECK(read_ec == asio::error::eof);
  }
  SECTION("cut") {
    pair.client->next_layer().shutdown(tcp::socket::shutdown_both);
    pair.run(2s);
    CHECK(read_ec == asio::error::connection_reset);
  }
}

TEST_CASE("a changed byte ends the connection and is never delivered") {
  Pair pair;
  pair.handshake();
  error_code read_ec;
  std::array<char, 64> into{};
  std::size_t got = 0;
  pair.server->async_read_some(asio::buffer(into), [&](error_code ec, std::size_t n) {
    read_ec = ec;
    got = n;
  });
  // A well-formed record (RFC 8446 section 5.2) with forged content.
  std::string record("\x17\x03\x03\x00\x20", 5);
  record += std::string(32, 'x');
  asio::write(pair.client->next_layer(), asio::buffer(record));
  pair.run(2s);
  CHECK(read_ec);
  CHECK(got == 0);
  CHECK(pair.server->rejected());
}

TEST_CASE("a write without a reader waits without work, and its cancellation closes the connection") {
  Pair pair;
  pair.handshake();
  const std::string lots(32 << 20, 'x');
  asio::cancellation_signal stop;
  std::optional<error_code> write_ec, read_ec;
  char byte = 0;
  asio::async_write(*pair.client, asio::buffer(lots),
                    asio::bind_cancellation_slot(stop.slot(), [&](error_code ec, std::size_t) { write_ec = ec; }));
  pair.client->async_read_some(asio::buffer(&byte, 1), [&](error_code ec, std::size_t) { read_ec = ec; });
  pair.io.restart();
  pair.io.run_for(200ms);
  CHECK_FALSE(write_ec);
  CHECK(send_progress(pair.client->next_layer().native_handle()).unsent <=
        4 * unsent_limit_bytes);       // at most a record above the limit, rounded
  CHECK(pair.io.run_for(100ms) <= 2);  // no busy loop
  stop.emit(asio::cancellation_type::terminal);
  pair.run(1s);
  CHECK(write_ec == asio::error::operation_aborted);
  CHECK(read_ec == asio::error::operation_aborted);
  CHECK_FALSE(pair.client->next_layer().is_open());
}

TEST_CASE("a stream can be destroyed during any operation") {
  Pair pair;
  int ended = 0;
  SECTION("with its io_context, before completion") {
    // The handler owns the stream, like composed operations. The leak sanitizer would detect a cycle.
    auto owned = std::make_shared<TlsStream>(std::move(*pair.client));
    owned->async_handshake(TlsStream::handshake_type::client, [owned](error_code) {});
    owned.reset();
  }
  SECTION("during the handshake") {
    pair.client->async_handshake(TlsStream::handshake_type::client, [&](error_code ec) { ended += ec ? 1 : 100; });
    pair.client.reset();
    pair.run(1s);
    CHECK(ended == 1);
  }
  SECTION("connected") {
    pair.handshake();
    const std::string lots(8 << 20, 'x');
    char byte = 0;
    asio::async_write(*pair.server, asio::buffer(lots), [&](error_code ec, std::size_t) { ended += ec ? 1 : 100; });
    pair.server->async_read_some(asio::buffer(&byte, 1), [&](error_code ec, std::size_t) { ended += ec ? 1 : 100; });
    pair.io.restart();
    pair.io.run_for(50ms);
    pair.server->next_layer().close();
    pair.run(1s);
    CHECK(ended == 2);
  }
}
