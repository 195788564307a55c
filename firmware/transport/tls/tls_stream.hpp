// SPDX-License-Identifier: Apache-2.0
/// A TLS 1.3 connection as an Asio AsyncReadStream and AsyncWriteStream over a TCP socket, with the interface of
/// boost::asio::ssl::stream.
#pragma once

#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::transport {

/// Thread-bound. One read, one write and one handshake or shutdown may run at the same time, on the thread of the
/// executor. Canceling an operation closes the connection, because a partly sent record cannot be withdrawn; the other
/// operations then end with operation_aborted. A stream holds about 33 KiB of mbedTLS's record buffers and 32 KiB of
/// received bytes, for any amount of data.
class TlsStream {
 public:
  using next_layer_type = boost::asio::ip::tcp::socket;
  using executor_type = next_layer_type::executor_type;
  using error_code = boost::system::error_code;
  enum class handshake_type { client, server };

  TlsStream(const executor_type& executor, const TlsContext& context);
  /// Takes the socket of an accepted connection.
  TlsStream(next_layer_type socket, const TlsContext& context);
  TlsStream(TlsStream&&) noexcept = default;
  TlsStream& operator=(TlsStream&&) = delete;
  ~TlsStream();

  [[nodiscard]] executor_type get_executor() const noexcept;
  [[nodiscard]] next_layer_type& next_layer() noexcept;
  [[nodiscard]] const next_layer_type& next_layer() const noexcept;

  /// The host name or address that the certificate of the server must have (subjectAltName, else common name). Also
  /// sent as SNI. Without it, the handshake of a client fails.
  void set_server_name(std::string_view name);

  /// void(error_code). Tunes the connected socket (tcp.hpp), then runs the handshake and checks the peer.
  /// Errors: of mbedTLS (its negative numbers; failure() has the text), of the socket, eof, operation_aborted.
  template <class Token>
  auto async_handshake(handshake_type type, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [this](auto handler, handshake_type t) { start_handshake(t, Done(std::move(handler))); }, token, type);
  }

  /// void(error_code, size_t). Completes with the available bytes, at least one. Errors: eof (the peer sent
  /// close_notify), connection_reset (it did not), of mbedTLS (forged or damaged record), of the socket,
  /// operation_aborted.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, boost::asio::mutable_buffer into) { start_read(into, IoDone(std::move(handler))); }, token,
        first_of(buffers));
  }

  /// void(error_code, size_t). Takes the first buffer, or as many small ones as fill a record, and completes when the
  /// operating system has them. The buffers stay valid until then. Errors: like async_read_some.
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    Gather gather;
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != boost::asio::buffer_sequence_end(buffers) && gather.count < gather.parts.size(); ++it)
      if (it->size() != 0) gather.parts[gather.count++] = *it;
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Gather& from) { start_write(from, IoDone(std::move(handler))); }, token, gather);
  }

  /// void(error_code). Sends close_notify, then waits at most half a second for the end of the peer, so that a reset
  /// does not discard sent data. Does not close the socket. Errors: of the socket, operation_aborted.
  template <class Token>
  auto async_shutdown(Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [this](auto handler) { start_shutdown(Done(std::move(handler))); }, token);
  }

  /// The reason of a failure, for the log; empty if there is none.
  [[nodiscard]] std::string failure() const;
  /// True if TLS ended the connection, on this side or by an alert of the peer; false if the network did.
  [[nodiscard]] bool rejected() const noexcept;
  /// Keying material that only the two ends of this connection share (RFC 8446 section 7.5), without a context. Errors:
  /// crypto (also before the handshake).
  [[nodiscard]] Result<Secret<32>> export_secret(std::string_view label) const;
  /// mbedTLS's name of the agreed cipher suite; empty before the handshake.
  [[nodiscard]] std::string cipher() const;

 private:
  using Done = boost::asio::any_completion_handler<void(error_code)>;
  using IoDone = boost::asio::any_completion_handler<void(error_code, std::size_t)>;
  struct Gather {
    std::array<boost::asio::const_buffer, 16> parts{};
    std::size_t count = 0;
  };
  struct State;

  template <class Buffers>
  static boost::asio::mutable_buffer first_of(const Buffers& buffers) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it)
      if (it->size() != 0) return *it;
    return {};
  }
  void start_handshake(handshake_type type, Done done);
  void start_read(boost::asio::mutable_buffer into, IoDone done);
  void start_write(const Gather& from, IoDone done);
  void start_shutdown(Done done);

  std::shared_ptr<State> state_;
};

/// Boost.MQTT5 calls this by ADL when it ends a connection.
template <class Handler>
void async_shutdown(TlsStream& stream, Handler&& handler) {
  stream.async_shutdown(std::forward<Handler>(handler));
}

}  // namespace sealcam::transport
