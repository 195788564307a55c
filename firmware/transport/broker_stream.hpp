// SPDX-License-Identifier: Apache-2.0
/// The stream that Boost.MQTT5 runs on: a TlsStream whose reads and writes are watched, so that the end of a
/// connection is known at once and with its reason. Included by broker_session.cpp only.
#pragma once

#include <boost/asio/associator.hpp>
#include <boost/asio/error.hpp>
#include <memory>
#include <string>

#include "transport/publish_tap.hpp"
#include "transport/tls_stream.hpp"

namespace sealcam::transport {

/// What a BrokerStream tells. Thread-bound.
class StreamObserver {
 public:
  /// The connection failed, while it was made or later, or was given up by a timer (operation_aborted).
  virtual void stream_failed(const boost::system::error_code& ec, const TlsStream& stream) = 0;
  /// A read begins on the connection with this socket.
  virtual void stream_reads(int socket) = 0;
  virtual void stream_received(ByteView bytes) = 0;

 protected:
  ~StreamObserver() = default;
};

/// What Boost.MQTT5 makes each new stream from.
struct BrokerTls {
  TlsContext context;
  std::weak_ptr<StreamObserver> observer;
};

/// A handler with something done before it; keeps the handler's executor, allocator and cancellation slot.
template <class Handler, class Before>
struct Observed {
  Handler handler;
  Before before;
  void operator()(boost::system::error_code ec) { std::move(handler)(before(ec)); }
  void operator()(boost::system::error_code ec, std::size_t size) { std::move(handler)(before(ec, size), size); }
};

class BrokerStream {
 public:
  using next_layer_type = TlsStream;
  using executor_type = TlsStream::executor_type;
  using error_code = boost::system::error_code;

  BrokerStream(const executor_type& executor, const BrokerTls& tls)
      : tls_(executor, tls.context), observer_(tls.observer) {}
  [[nodiscard]] executor_type get_executor() const noexcept { return tls_.get_executor(); }
  [[nodiscard]] TlsStream& next_layer() noexcept { return tls_; }
  [[nodiscard]] const TlsStream& next_layer() const noexcept { return tls_; }

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
  /// Boost.MQTT5 goes on after a few codes only and gives up for good after any other.
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
  std::weak_ptr<StreamObserver> observer_;
};

/// Found by ADL where Boost.MQTT5 ends a connection.
template <class Handler>
void async_shutdown(BrokerStream& stream, Handler&& handler) {
  stream.next_layer().async_shutdown(std::forward<Handler>(handler));
}

}  // namespace sealcam::transport

template <template <class, class> class Associator, class Handler, class Before, class Default>
struct boost::asio::associator<Associator, sealcam::transport::Observed<Handler, Before>, Default>
    : Associator<Handler, Default> {
  using Observed = sealcam::transport::Observed<Handler, Before>;
  static auto get(const Observed& observed) noexcept { return Associator<Handler, Default>::get(observed.handler); }
  static auto get(const Observed& observed, const Default& otherwise) noexcept {
    return Associator<Handler, Default>::get(observed.handler, otherwise);
  }
};
