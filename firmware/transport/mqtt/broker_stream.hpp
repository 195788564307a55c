// SPDX-License-Identifier: Apache-2.0
/// For broker_session.cpp only: the stream for Boost.MQTT5. It observes the reads and writes of a TlsStream, so
/// that the session receives the end of a connection and its reason at once.
#pragma once

#include <boost/asio/associator.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>

#include "transport/mqtt/publish_parser.hpp"
#include "transport/tls/tls_stream.hpp"

namespace sealcam::transport {

/// Receives the events of a BrokerStream. Thread-bound.
class StreamObserver {
 public:
  /// The connection failed, or a timer canceled it (operation_aborted).
  virtual void stream_failed(const boost::system::error_code& ec, const TlsStream& stream) = 0;
  /// A read starts on the connection with this socket.
  virtual void stream_reads(int socket) = 0;
  virtual void stream_received(ByteView bytes) = 0;

 protected:
  ~StreamObserver() = default;
};

/// Boost.MQTT5 creates each stream from a copy of this.
struct BrokerTls {
  TlsContext context;
  std::weak_ptr<StreamObserver> observer;
  std::string host;  ///< the broker's certificate must contain it
  /// The broker's address if the host is an IPv6 literal, which Boost.MQTT5 cannot parse. It then has another host.
  std::optional<boost::asio::ip::tcp::endpoint> address = {};
};

/// The socket of a BrokerStream for Boost.MQTT5. Connects to `address` instead of the endpoint that Boost.MQTT5 found.
class BrokerSocket {
 public:
  using executor_type = TlsStream::executor_type;
  using tcp = boost::asio::ip::tcp;
  using error_code = boost::system::error_code;

  BrokerSocket(TlsStream& stream, std::optional<tcp::endpoint> address)
      : socket_(stream.next_layer()), address_(address) {}
  [[nodiscard]] executor_type get_executor() const noexcept { return socket_.get_executor(); }
  [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
  void open(const tcp& protocol, error_code& ec) { socket_.open(address_ ? address_->protocol() : protocol, ec); }
  template <class Option>
  void set_option(const Option& option, error_code& ec) {
    socket_.set_option(option, ec);
  }
  void close(error_code& ec) { socket_.close(ec); }
  tcp::endpoint remote_endpoint(error_code& ec) const { return socket_.remote_endpoint(ec); }
  template <class Token>
  auto async_connect(const tcp::endpoint& endpoint, Token&& token) {
    return socket_.async_connect(address_.value_or(endpoint), std::forward<Token>(token));
  }

 private:
  TlsStream::next_layer_type& socket_;
  std::optional<tcp::endpoint> address_;
};

/// Calls `before`, then the handler. Keeps executor, allocator and cancellation slot of the handler.
template <class Handler, class Before>
struct Observed {
  Handler handler;
  Before before;
  void operator()(boost::system::error_code ec) { std::move(handler)(before(ec)); }
  void operator()(boost::system::error_code ec, std::size_t size) { std::move(handler)(before(ec, size), size); }
};

class BrokerStream {
 public:
  using next_layer_type = BrokerSocket;
  using executor_type = TlsStream::executor_type;
  using error_code = boost::system::error_code;

  BrokerStream(const executor_type& executor, const BrokerTls& tls)
      : tls_(executor, tls.context), socket_(tls_, tls.address), observer_(tls.observer) {
    tls_.set_server_name(tls.host);
  }
  BrokerStream(const BrokerStream&) = delete;
  BrokerStream& operator=(const BrokerStream&) = delete;
  ~BrokerStream() = default;
  [[nodiscard]] executor_type get_executor() const noexcept { return tls_.get_executor(); }
  [[nodiscard]] BrokerSocket& next_layer() noexcept { return socket_; }
  [[nodiscard]] const BrokerSocket& next_layer() const noexcept { return socket_; }
  [[nodiscard]] TlsStream& tls() noexcept { return tls_; }

  using handshake_type = TlsStream::handshake_type;
  template <class Token>
  auto async_handshake(handshake_type type, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [this](auto handler, handshake_type t) {
          auto before = [this](error_code ec) { return after_handshake(ec); };
          tls_.async_handshake(t, Observed<decltype(handler), decltype(before)>{std::move(handler), before});
        },
        token, type);
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const auto& into) {
          if (auto observer = observer_.lock()) observer->stream_reads(tls_.next_layer().native_handle());
          const auto* const data = static_cast<const std::byte*>(boost::asio::buffer_sequence_begin(into)->data());
          auto before = [this, data](error_code ec, std::size_t size) { return after_read(ec, {data, size}); };
          tls_.async_read_some(into, Observed<decltype(handler), decltype(before)>{std::move(handler), before});
        },
        token, buffers);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const auto& from) {
          auto before = [this](error_code ec, std::size_t) { return after_write(ec); };
          tls_.async_write_some(from, Observed<decltype(handler), decltype(before)>{std::move(handler), before});
        },
        token, buffers);
  }

 private:
  /// Boost.MQTT5 reconnects after these codes only and stops after any other.
  static error_code plain(error_code ec) {
    if (!ec || ec == boost::asio::error::eof || ec == boost::asio::error::operation_aborted) return ec;
    return boost::asio::error::connection_reset;
  }
  error_code after_handshake(error_code ec) {
    if (auto observer = observer_.lock(); ec && observer) observer->stream_failed(ec, tls_);
    return ec;
  }
  error_code after_read(error_code ec, ByteView bytes) {
    if (auto observer = observer_.lock()) {
      if (!bytes.empty()) observer->stream_received(bytes);
      if (ec) observer->stream_failed(ec, tls_);
    }
    return plain(ec);
  }
  error_code after_write(error_code ec) {
    if (auto observer = observer_.lock(); ec && observer) observer->stream_failed(ec, tls_);
    return plain(ec);
  }

  TlsStream tls_;
  BrokerSocket socket_;
  std::weak_ptr<StreamObserver> observer_;
};

/// Boost.MQTT5 calls this by ADL when it ends a connection.
template <class Handler>
void async_shutdown(BrokerStream& stream, Handler&& handler) {
  stream.tls().async_shutdown(std::forward<Handler>(handler));
}

}  // namespace sealcam::transport

template <template <class, class> class Associator, class Handler, class Before, class Default>
struct boost::asio::associator<Associator, sealcam::transport::Observed<Handler, Before>, Default>
    : Associator<Handler, Default> {
  using Observed = sealcam::transport::Observed<Handler, Before>;
  static auto get(const Observed& observed) noexcept { return Associator<Handler, Default>::get(observed.handler); }
  static auto get(const Observed& observed, const Default& fallback) noexcept {
    return Associator<Handler, Default>::get(observed.handler, fallback);
  }
};
