// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/tls_stream.hpp"

#include <mbedtls/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prepend.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <tuple>
#include <vector>

#include "base/result.hpp"
#include "transport/tcp.hpp"
#include "transport/tls/tls_internal.hpp"

namespace sealcam::transport {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t staging_size = std::size_t{32} * 1024;
constexpr std::size_t record_payload = std::size_t{16} * 1024;
/// Smaller buffers share a record with the next ones.
constexpr std::size_t worth_a_record = std::size_t{2} * 1024;
constexpr auto close_timeout = std::chrono::milliseconds(500);

using SslHandle = Handle<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;

}  // namespace

/// The pending waits share it, so that it outlives them.
struct TlsStream::State : std::enable_shared_from_this<State> {
  State(asio::ip::tcp::socket s, const TlsContext& c)
      : context(c.state()), socket(std::move(s)), close_timer(socket.get_executor()), staging(staging_size) {
    if (const int status = mbedtls_ssl_setup(ssl.get(), context->config.get()); status != 0) failed = tls_error(status);
    mbedtls_ssl_set_bio(ssl.get(), this, bio_send, bio_receive, nullptr);
  }

  // The input and output of mbedTLS. mbedTLS reads the header of a record, then its body. The staging buffer turns both
  // reads, and those of several small records, into one system call.
  // A flight of the handshake leaves in one piece. Otherwise a server that rejects the certificate would reset the
  // connection before the client reads the alert with the reason.
  static int bio_send(void* self, const unsigned char* data, std::size_t size) {
    auto& s = *static_cast<State*>(self);
    if (!s.handshake) return s.send_some(data, size);
    s.flight.insert(s.flight.end(), data, data + size);
    return static_cast<int>(size);
  }
  int send_some(const unsigned char* data, std::size_t size) {
    const auto n = ::send(socket.native_handle(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<int>(n);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return MBEDTLS_ERR_SSL_WANT_WRITE;
    socket_error = error_code(errno, boost::system::system_category());
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  }
  /// Returns 0 if the complete flight was sent.
  int send_flight() {
    std::size_t sent = 0;
    int status = 1;
    while (sent < flight.size() && status > 0) {
      status = send_some(flight.data() + sent, flight.size() - sent);
      if (status > 0) sent += static_cast<std::size_t>(status);
    }
    flight.erase(flight.begin(), flight.begin() + static_cast<std::ptrdiff_t>(sent));
    return flight.empty() ? 0 : status;
  }
  static int bio_receive(void* self, unsigned char* into, std::size_t size) {
    auto& s = *static_cast<State*>(self);
    if (s.staged_begin == s.staged_end) {
      const auto n = ::recv(s.socket.native_handle(), s.staging.data(), s.staging.size(), MSG_DONTWAIT);
      if (n < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return MBEDTLS_ERR_SSL_WANT_READ;
        s.socket_error = error_code(errno, boost::system::system_category());
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
      }
      if (n == 0) return 0;
      s.staged_begin = 0;
      s.staged_end = static_cast<std::size_t>(n);
    }
    const auto n = std::min(size, s.staged_end - s.staged_begin);
    std::memcpy(into, s.staging.data() + s.staged_begin, n);
    s.staged_begin += n;
    return static_cast<int>(n);
  }

  [[nodiscard]] error_code to_error(int status) const {
    if (socket_error) return socket_error;
    switch (status) {
      case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return asio::error::eof;
      case 0:
      case MBEDTLS_ERR_SSL_CONN_EOF: return asio::error::connection_reset;
      default: return tls_error(status);
    }
  }

  template <class Handler, class... Args>
  void complete(Handler& handler, bool inside_start, Args... args) {
    auto taken = std::move(handler);
    handler = nullptr;
    asio::get_associated_cancellation_slot(taken).clear();
    if (inside_start) asio::post(socket.get_executor(), asio::prepend(std::move(taken), args...));
    else asio::dispatch(socket.get_executor(), asio::prepend(std::move(taken), args...));
  }

  template <class Handler>
  void watch_cancellation(Handler& handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected())
      slot.assign([weak = weak_from_this()](asio::cancellation_type) {
        if (auto self = weak.lock()) self->close();
      });
  }

  void close() {
    if (!failed) failed = asio::error::operation_aborted;
    error_code ignored;
    close_timer.cancel();
    socket.close(ignored);
  }

  /// Ends every operation with `why`. Pending waits end by themselves.
  void end_all(error_code why, bool inside_start) {
    if (!failed) failed = why;
    if (handshake) complete(handshake, inside_start, failed);
    if (read) complete(read, inside_start, failed, std::size_t{0});
    if (write) complete(write, inside_start, failed, std::size_t{0});
    if (shutdown) complete(shutdown, inside_start, failed);
  }

  /// A wait for the socket. Destruction without a call means that the io_context is destroyed. The operations are then
  /// destroyed too, because their handlers may own this stream.
  struct Wait {
    std::shared_ptr<State> state;
    bool State::* waiting;
    Wait(std::shared_ptr<State> s, bool State::* w) : state(std::move(s)), waiting(w) {}
    Wait(Wait&&) noexcept = default;
    ~Wait() {
      if (state) state->destroy_operations();
    }
    void operator()(error_code ec) {
      const auto self = std::move(state);
      (*self).*waiting = false;
      self->on_ready(ec);
    }
  };
  void destroy_operations() {
    const std::tuple dropped(std::move(handshake), std::move(shutdown), std::move(read), std::move(write));
  }
  void wait(asio::socket_base::wait_type type, bool State::* waiting) {  // at most one per direction
    if (!std::exchange(this->*waiting, true)) socket.async_wait(type, Wait(shared_from_this(), waiting));
  }
  void wait_readable() { wait(asio::socket_base::wait_read, &State::waiting_readable); }
  void wait_writable() { wait(asio::socket_base::wait_write, &State::waiting_writable); }
  void on_ready(error_code ec) {
    if (ec) return end_all(ec, false);
    drain_handshake(false);
    drain_write(false);
    drain_shutdown(false);
    drain_read(false);
  }

  /// True if mbedTLS must wait for the socket.
  bool waits(int status) {
    if (status == MBEDTLS_ERR_SSL_WANT_READ) return wait_readable(), true;
    if (status == MBEDTLS_ERR_SSL_WANT_WRITE) return wait_writable(), true;
    return false;
  }

  void drain_handshake(bool inside_start) {
    if (!handshake) return;
    if (failed) return complete(handshake, inside_start, failed);
    socket_error.clear();
    int status = mbedtls_ssl_handshake(ssl.get());
    if (const int sent = send_flight(); sent != 0 && (status == 0 || sent != MBEDTLS_ERR_SSL_WANT_WRITE)) status = sent;
    if (status == 0) return complete(handshake, inside_start, error_code{});
    if (!flight.empty()) wait_writable();
    if (waits(status)) return;
    failed_status = status;
    failed = to_error(status);
    complete(handshake, inside_start, failed);
  }

  void drain_read(bool inside_start) {
    if (!read) return;
    if (failed) return complete(read, inside_start, failed, std::size_t{0});
    auto* const out = static_cast<unsigned char*>(into.data());
    std::size_t total = 0;
    int status = 0;
    socket_error.clear();
    while (total < into.size()) {
      status = mbedtls_ssl_read(ssl.get(), out + total, into.size() - total);
      if (status > 0) total += static_cast<std::size_t>(status);
      else if (status != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) break;
    }
    if (total == into.size()) return complete(read, inside_start, error_code{}, total);
    const bool only_waits = status == MBEDTLS_ERR_SSL_WANT_READ || status == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (!only_waits) {
      failed_status = status;
      failed = to_error(status);
    }
    if (total > 0) return complete(read, inside_start, error_code{}, total);  // the next read reports an error
    if (!only_waits) return complete(read, inside_start, failed, total);
    waits(status);
  }

  /// A failed write does not stop the reader, which may still receive the alert of the peer.
  void drain_write(bool inside_start) {
    if (!write) return;
    if (failed) return complete(write, inside_start, failed, std::size_t{0});
    if (write_failed) return complete(write, inside_start, write_failed, std::size_t{0});
    socket_error.clear();
    while (written < from.size()) {
      // A partly written record stays in mbedTLS, which requires the same arguments again.
      const int status =
          mbedtls_ssl_write(ssl.get(), static_cast<const unsigned char*>(from.data()) + written, from.size() - written);
      if (status > 0) {
        written += static_cast<std::size_t>(status);
        continue;
      }
      if (waits(status)) return;
      write_failed = to_error(status);
      look_for_alert();
      return complete(write, inside_start, write_failed, written);
    }
    complete(write, inside_start, error_code{}, written);
  }

  /// The reason of a failed write is often in an earlier alert. An empty read processes the alert and no content.
  void look_for_alert() {
    socket_error.clear();
    unsigned char nothing = 0;
    const int status = mbedtls_ssl_read(ssl.get(), &nothing, 0);
    if (status >= 0 || status == MBEDTLS_ERR_SSL_WANT_READ || status == MBEDTLS_ERR_SSL_WANT_WRITE || socket_error)
      return;
    failed_status = status;
    failed = write_failed = to_error(status);
  }

  void drain_shutdown(bool inside_start) {
    if (!shutdown || write) return;  // first finish the current record
    if (failed) return complete(shutdown, inside_start, failed == asio::error::eof ? error_code{} : failed);
    if (!close_notified) {
      if (!write_failed && waits(mbedtls_ssl_close_notify(ssl.get()))) return;
      close_notified = true;
      error_code ignored;
      socket.shutdown(asio::socket_base::shutdown_send, ignored);
      close_timer.expires_after(close_timeout);
      close_timer.async_wait([self = shared_from_this()](error_code ec) {
        if (!ec && self->shutdown) self->complete(self->shutdown, false, error_code{});
      });
    }
    if (read) return wait_readable();  // the pending read continues until the end
    for (int i = 0; i < 64; ++i) {
      const auto n = ::recv(socket.native_handle(), staging.data(), staging.size(), MSG_DONTWAIT);
      if (n > 0) continue;
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return wait_readable();
      close_timer.cancel();
      return complete(shutdown, inside_start, error_code{});
    }
    wait_readable();
  }

  std::shared_ptr<TlsContext::State> context;
  asio::ip::tcp::socket socket;
  asio::steady_timer close_timer;
  SslHandle ssl;

  std::vector<unsigned char> staging;
  std::size_t staged_begin = 0, staged_end = 0;
  std::vector<unsigned char> gathered;
  std::vector<unsigned char> flight;

  Done handshake, shutdown;
  IoDone read, write;
  asio::mutable_buffer into;
  asio::const_buffer from;
  std::size_t written = 0;

  error_code failed;        ///< the result of every later operation
  error_code write_failed;  ///< the result of every later write
  error_code socket_error;  ///< the cause of a failed BIO function
  int failed_status = 0;
  bool waiting_readable = false, waiting_writable = false, close_notified = false;
};

TlsStream::TlsStream(const executor_type& executor, const TlsContext& context)
    : TlsStream(next_layer_type(executor), context) {}
TlsStream::TlsStream(next_layer_type socket, const TlsContext& context)
    : state_(std::make_shared<State>(std::move(socket), context)) {}
TlsStream::~TlsStream() {
  if (state_) state_->close();
}

TlsStream::executor_type TlsStream::get_executor() const noexcept { return state_->socket.get_executor(); }
TlsStream::next_layer_type& TlsStream::next_layer() noexcept { return state_->socket; }
const TlsStream::next_layer_type& TlsStream::next_layer() const noexcept { return state_->socket; }

void TlsStream::set_server_name(std::string_view name) {
  if (const int status = mbedtls_ssl_set_hostname(state_->ssl.get(), std::string(name).c_str()); status != 0)
    state_->failed = tls_error(status);
}

void TlsStream::start_handshake(handshake_type type, Done done) {
  auto& s = *state_;
  SC_ASSERT(!s.handshake);
  SC_ASSERT((type == handshake_type::client) == (s.context->role == TlsRole::client));
  s.handshake = std::move(done);
  s.watch_cancellation(s.handshake);
  if (auto r = tune_connection(s.socket.native_handle()); !r && !s.failed)
    s.failed = error_code(r.error().native, boost::system::system_category());
  s.drain_handshake(true);
}

void TlsStream::start_read(asio::mutable_buffer into, IoDone done) {
  auto& s = *state_;
  SC_ASSERT(!s.read);
  s.read = std::move(done);
  s.into = into;
  s.watch_cancellation(s.read);
  if (!s.socket.is_open() && !s.failed) s.failed = asio::error::operation_aborted;
  s.drain_read(true);
}

void TlsStream::start_write(const Gather& from, IoDone done) {
  auto& s = *state_;
  SC_ASSERT(!s.write);
  s.write = std::move(done);
  s.written = 0;
  s.from = from.parts[0];
  s.watch_cancellation(s.write);
  if (!s.socket.is_open() && !s.failed) s.failed = asio::error::operation_aborted;
  if (from.count > 1 && s.from.size() < worth_a_record) {
    s.gathered.resize(record_payload);
    std::size_t used = 0;
    for (std::size_t i = 0; i < from.count && used < record_payload; ++i) {
      const auto n = std::min(from.parts[i].size(), record_payload - used);
      std::memcpy(s.gathered.data() + used, from.parts[i].data(), n);
      used += n;
    }
    s.from = asio::buffer(s.gathered.data(), used);
  }
  s.drain_write(true);
}

void TlsStream::start_shutdown(Done done) {
  auto& s = *state_;
  SC_ASSERT(!s.shutdown);
  s.shutdown = std::move(done);
  s.watch_cancellation(s.shutdown);
  if (!s.socket.is_open() && !s.failed) s.failed = asio::error::operation_aborted;
  s.drain_shutdown(true);
}

std::string TlsStream::failure() const {
  const auto& s = *state_;
  if (!s.failed) return {};
  if (s.failed_status == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
    return "the peer rejected the connection (TLS alert); it does not accept this device's certificate or does not "
           "support TLS 1.3";
  const auto flags = mbedtls_ssl_get_verify_result(s.ssl.get());
  if (s.failed_status == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags != 0xffffffffU)
    return "the peer's certificate is rejected: " + verify_text(flags);
  if (s.failed_status == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION) return "the peer does not support TLS 1.3";
  return s.failed.message();
}

bool TlsStream::rejected() const noexcept {
  const auto& s = *state_;
  return s.failed_status != 0 && !s.socket_error && s.failed_status != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY &&
         s.failed_status != MBEDTLS_ERR_SSL_CONN_EOF;
}

Result<Secret<32>> TlsStream::export_secret(std::string_view label) const {
  Secret<32> secret;
  if (const int status = mbedtls_ssl_export_keying_material(state_->ssl.get(), c_bytes(MutableBytes(secret.fill())),
                                                            secret.size(), label.data(), label.size(), nullptr, 0, 0);
      status != 0)
    return fail(Errc::crypto, "exporting keying material of a TLS connection", status);
  return secret;
}

std::string TlsStream::cipher() const {
  const char* const suite = mbedtls_ssl_get_ciphersuite(state_->ssl.get());
  return suite == nullptr ? "" : suite;
}

}  // namespace sealcam::transport
