// SPDX-License-Identifier: Apache-2.0
/// Mutual TLS 1.3 between TlsStream and a real Mosquitto, with all required rejections. Only the broker's CONNACK
/// proves that the broker accepted the client: in TLS 1.3 a client receives the rejection of its certificate when it
/// reads.
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>

#include "support/mosquitto.hpp"
#include "transport/tls/tls_stream.hpp"

namespace asio = boost::asio;
using boost::system::error_code;
using namespace sealcam;
using namespace sealcam::transport;
using namespace sealcam::test;

namespace {

struct Outcome {
  error_code handshake = asio::error::would_block;
  error_code answer = asio::error::would_block;
  bool connack = false;
  std::string failure, cipher;
  [[nodiscard]] bool authorized() const { return connack; }
};

/// MQTT 5 CONNECT with clean start, keep alive 30 s and an empty client id (section 3.1).
constexpr unsigned char connect_packet[] = {0x10, 0x0d, 0x00, 0x04, 'M',  'Q',  'T', 'T',
                                            0x05, 0x02, 0x00, 0x1e, 0x00, 0x00, 0x00};

Outcome connect(TlsConfig config, std::uint16_t port, const std::string& name = "localhost") {
  auto context = TlsContext::make(std::move(config));
  REQUIRE(context);
  asio::io_context io;
  TlsStream stream(io.get_executor(), *context);
  stream.set_server_name(name);
  stream.next_layer().connect({asio::ip::address_v4::loopback(), port});
  Outcome out;
  std::array<unsigned char, 4> answer{};
  stream.async_handshake(TlsStream::handshake_type::client, [&](error_code ec) {
    out.handshake = ec;
    if (ec) return;
    asio::async_write(stream, asio::buffer(connect_packet), [](error_code, std::size_t) {});
    asio::async_read(stream, asio::buffer(answer), [&](error_code read_ec, std::size_t) {
      out.answer = read_ec;
      // CONNACK, section 3.2: type 2, then length, session flags, reason code 0.
      out.connack = !read_ec && answer[0] == 0x20 && answer[3] == 0;
    });
  });
  io.run_for(std::chrono::seconds(10));
  out.failure = stream.failure();
  out.cipher = stream.cipher();
  return out;
}

#define NEED_MOSQUITTO() \
  if (!Mosquitto::installed()) SKIP("mosquitto is not installed")

}  // namespace

TEST_CASE("a device with the operator's certificate can connect over TLS 1.3") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  for (const char* name : {"localhost", "127.0.0.1"}) {
    const auto out = connect(op.client("camera"), broker.port(), name);
    INFO(out.failure << " / " << out.handshake.message() << " / " << out.answer.message() << '\n' << broker.log());
    CHECK(out.authorized());
  }
}

TEST_CASE("the cipher suite matches the device's processor") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  auto with_aes = op.client("camera");
  with_aes.prefer_aes = true;
  CHECK(connect(std::move(with_aes), broker.port()).cipher == "TLS1-3-AES-128-GCM-SHA256");
  auto without_aes = op.client("camera");
  without_aes.prefer_aes = false;
  CHECK(connect(std::move(without_aes), broker.port()).cipher == "TLS1-3-CHACHA20-POLY1305-SHA256");
}

TEST_CASE("a device with another operator's certificate is rejected by the broker") {
  NEED_MOSQUITTO();
  const TestOperator op, other("another operator");
  const Mosquitto broker(op);
  const auto out = connect(other.client("camera", op.authority()), broker.port());
  CHECK_FALSE(out.handshake);  // the client trusts the server; the server does not trust the client
  CHECK_FALSE(out.authorized());
  CHECK(out.failure.contains("does not accept this device's certificate"));
  CHECK(connect(op.client("camera"), broker.port()).authorized());  // control
}

TEST_CASE("a device without a usable certificate is rejected by the broker") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  // The certificate of a server is not valid for a client (extendedKeyUsage).
  auto server = op.server();
  const auto out = connect({.role = TlsRole::client,
                            .authority_pem = op.authority(),
                            .certificate_pem = server.certificate,
                            .key = std::move(server.key)},
                           broker.port());
  CHECK_FALSE(out.authorized());
}

TEST_CASE("a broker with another operator's certificate is rejected by the device") {
  NEED_MOSQUITTO();
  const TestOperator op, other("another operator");
  const Mosquitto broker(op, {.server_certificate_of = &other});
  const auto out = connect(op.client("camera"), broker.port());
  CHECK(out.handshake);
  CHECK_FALSE(out.authorized());
  CHECK(out.failure.contains("certificate is rejected"));
  CHECK(connect(op.client("camera", other.authority()), broker.port()).authorized());  // control
}

TEST_CASE("a broker with a certificate for another name is rejected by the device") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op, {.server_host = "broker.example"});
  CHECK(connect(op.client("camera"), broker.port(), "localhost").handshake);
  CHECK(connect(op.client("camera"), broker.port(), "127.0.0.1").handshake);
  CHECK(connect(op.client("camera"), broker.port(), "other.example").handshake);
  CHECK(connect(op.client("camera"), broker.port(), "broker.example").authorized());  // control
}

TEST_CASE("the handshake of a client without a server name fails") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  auto context = TlsContext::make(op.client("camera"));
  REQUIRE(context);
  asio::io_context io;
  TlsStream stream(io.get_executor(), *context);
  stream.next_layer().connect({asio::ip::address_v4::loopback(), broker.port()});
  error_code ec;
  stream.async_handshake(TlsStream::handshake_type::client, [&](error_code e) { ec = e; });
  io.run_for(std::chrono::seconds(10));
  CHECK(ec);
}

TEST_CASE("a broker that supports at most TLS 1.2 is rejected") {
  NEED_MOSQUITTO();
  const TestOperator op;
  {
    const Mosquitto broker(op, {.max_protocol = "TLSv1.2"});
    const auto out = connect(op.client("camera"), broker.port());
    INFO(broker.log());
    CHECK(out.handshake);
    CHECK_FALSE(out.authorized());
    CHECK(out.failure.contains("TLS 1.3"));
  }
  const Mosquitto broker(op, {.max_protocol = "TLSv1.3"});  // control: the same setup with TLS 1.3
  CHECK(connect(op.client("camera"), broker.port()).authorized());
}
