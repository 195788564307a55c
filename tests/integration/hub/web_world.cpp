// SPDX-License-Identifier: Apache-2.0
#include "web_world.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace sealcam::hub::web::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

struct World::Network {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};  // keeps io running after stop()
};

World::World(hal::Media* other, recordings::Archive* archive) : network_(std::make_unique<Network>()) {
  REQUIRE(crypto::init());
  tokens.add("privacy", access::Rights::privacy, privacy_token);
  tokens.add("view", access::Rights::view, view_token);
  tokens.add("metrics", access::Rights::metrics, metrics_token);
  REQUIRE(access.load());
  auto opened =
      Server::open(network_->io, "127.0.0.1", 0, backend, access, other ? *other : media, clock, log, archive);
  REQUIRE(opened);
  server = std::move(*opened);
  const auto address = server->address();
  port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  thread_ = std::jthread([this] { network_->io.run(); });
}

World::~World() {
  if (server) stop();
}

void World::stop() {
  on_network([this] { server->stop(); });
  network_->io.stop();
  thread_.join();
  server.reset();
}

void World::post(std::function<void()> job) { asio::post(network_->io, std::move(job)); }

bool World::eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 500; ++i) {
    if (on_network(condition)) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

void World::advance(std::chrono::milliseconds time) {
  on_network([&] {
    clock.advance(time);
    server->tick();
  });
}

void World::show_live(protocol::FrameKind kind, std::uint32_t number, ByteView unit, std::chrono::milliseconds age) {
  on_network([&] {
    watch::PictureInfo picture;
    picture.kind = kind;
    picture.state = watch::CameraState::live;
    picture.age = age;
    picture.header.number = FrameNumber(number);
    picture.header.captured = CaptureTime{1'790'000'000s + 33ms * number};
    picture.received = picture.handed_out = clock.boot();
    backend.group.add(picture, unit);
    server->on_picture(DeviceId(), picture, unit);
  });
}

void World::show(protocol::FrameKind kind, std::uint32_t number, std::size_t size) {
  on_network([&] {
    watch::PictureInfo picture;
    picture.kind = kind;
    picture.header.number = FrameNumber(number);
    picture.handed_out = clock.boot();
    server->on_picture(DeviceId(), picture, Bytes(size, std::byte{0x42}));
  });
}

struct Client::Socket {
  asio::io_context io;
  beast::websocket::stream<tcp::socket> stream{io};
};

Client::Client(const World& world, ClientHeaders headers) : socket_(std::make_unique<Socket>()), port_(world.port) {
  beast::get_lowest_layer(socket_->stream).connect({asio::ip::address_v4::loopback(), port_});
  const auto origin = headers.origin.value_or("http://127.0.0.1:" + std::to_string(port_));
  socket_->stream.set_option(
      beast::websocket::stream_base::decorator([origin, headers](beast::websocket::request_type& r) {
        if (!origin.empty()) r.set(beast::http::field::origin, origin);
        if (!headers.token.empty()) r.set(beast::http::field::authorization, "Bearer " + headers.token);
        for (const auto& [name, value] : headers.more) r.insert(name, value);
      }));
}

Client::~Client() = default;

bool Client::handshake(const std::string& host) {
  beast::error_code ec;
  socket_->stream.handshake(host.empty() ? "127.0.0.1:" + std::to_string(port_) : host, "/ws", ec);
  return !ec;
}

void Client::send(const std::string& text) { socket_->stream.write(asio::buffer(text)); }

std::string Client::read() {
  beast::flat_buffer buffer;
  socket_->stream.read(buffer);
  return beast::buffers_to_string(buffer.cdata());
}

std::uint32_t Client::read_picture() {
  while (true) {
    const auto message = read();
    if (socket_->stream.got_binary()) return load_be<std::uint32_t>(as_bytes(message).subspan(24));
  }
}

std::uint16_t Client::read_close_code() {
  beast::error_code ec;
  while (!ec) {
    beast::flat_buffer buffer;
    socket_->stream.read(buffer, ec);
  }
  return ec == beast::websocket::error::closed ? socket_->stream.reason().code : 0;
}

RawClient::RawClient(const World& world, const std::string& request)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(world.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  send(request);
}

RawClient::~RawClient() = default;

void RawClient::send(const std::string& more) {
  REQUIRE(::send(socket_.get(), more.data(), more.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(more.size()));
}

bool RawClient::read_some() {
  std::array<char, 65536> part;
  const auto n = ::recv(socket_.get(), part.data(), part.size(), 0);
  if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
  return n > 0;
}

void RawClient::close() { socket_.reset(); }

std::string http(const World& world, const std::string& request) {
  RawClient client(world, request);
  while (client.read_some()) {
  }
  return client.text;
}

}  // namespace sealcam::hub::web::test
