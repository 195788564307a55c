// SPDX-License-Identifier: Apache-2.0
/// A TLS 1.3 connection as an Asio AsyncReadStream and AsyncWriteStream over a TCP socket, with the shape of
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

#include "core/secret.hpp"
#include "transport/tls_context.hpp"

namespace sealcam::transport {

/// Thread-bound: one read, one write and one handshake or shutdown may be under way at the same time, all started and
/// completed on the executor's thread. A cancelled operation closes the connection, since half a record cannot be
/// taken back; the others then end with operation_aborted. Holds about 33 KiB of mbedTLS's record buffers and 32 KiB
/// of received bytes, and no more however much is sent or comes.
class TlsStream {
 public:
  using next_layer_type = boost::asio::ip::tcp::socket;
  using executor_type = next_layer_type::executor_type;
  using error_code = boost::system::error_code;
  enum class handshake_type { client, server };

  TlsStream(const executor_type& executor, const TlsContext& context);
  /// Over a connection that was accepted.
  TlsStream(next_layer_type socket, const TlsContext& context);
  TlsStream(TlsStream&&) noexcept = default;
  TlsStream& operator=(TlsStream&&) = delete;
  ~TlsStream();

  [[nodiscard]] executor_type get_executor() const noexcept;
  [[nodiscard]] next_layer_type& next_layer() noexcept;
  [[nodiscard]] const next_layer_type& next_layer() const noexcept;

  /// The host name or address that the server's certificate must carry (subjectAltName, else common name), also sent
  /// as SNI. A client without one is refused by its own handshake.
  void set_server_name(std::string_view name);

  /// void(error_code). Tunes the connected socket (tcp_options.hpp), then agrees on keys and checks the peer.
  /// Errors: of mbedTLS (its negative numbers; failure() says more), of the socket, eof, operation_aborted.
  template <class Token>
  auto async_handshake(handshake_type type, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [this](auto handler, handshake_type t) { start_handshake(t, Done(std::move(handler))); }, token, type);
  }

  /// void(error_code, size_t). Completes with what is there, at least one byte. Errors: eof (the peer said goodbye),
  /// connection_reset (it did not), of mbedTLS (forged or broken record), of the socket, operation_aborted.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, boost::asio::mutable_buffer into) { start_read(into, IoDone(std::move(handler))); }, token,
        first_of(buffers));
  }

  /// void(error_code, size_t). Completes when what it took was handed to the operating system: the first buffer, or
  /// as many small ones as fill a record. The buffers stay valid until then. Errors: as async_read_some.
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    Gather gather;
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != boost::asio::buffer_sequence_end(buffers) && gather.count < gather.parts.size(); ++it)
      if (it->size() != 0) gather.parts[gather.count++] = *it;
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Gather& from) { start_write(from, IoDone(std::move(handler))); }, token, gather);
  }

  /// void(error_code). Says goodbye (close_notify), then waits at most half a second for the peer's end, so that what
  /// was sent before is not lost to a reset. Does not close the socket. Errors: of the socket, operation_aborted.
  template <class Token>
  auto async_shutdown(Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [this](auto handler) { start_shutdown(Done(std::move(handler))); }, token);
  }

  /// Why the handshake or the connection failed, in words for the log; empty when it did not.
  [[nodiscard]] std::string failure() const;
  /// Whether it was TLS that ended the connection, on this side or by the peer's alert, and not the network.
  [[nodiscard]] bool refused() const noexcept;
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

/// Found by ADL where Boost.MQTT5 ends a connection.
template <class Handler>
void async_shutdown(TlsStream& stream, Handler&& handler) {
  stream.async_shutdown(std::forward<Handler>(handler));
}

}  // namespace sealcam::transport
