// SPDX-License-Identifier: Apache-2.0
/// What all TLS connections of one role share: whom to trust, what to show, how to speak. TLS 1.3 (RFC 8446) only,
/// both sides show certificates. AES-128-GCM is used where the processor has AES instructions, ChaCha20-Poly1305 where
/// it has none and the peer allows it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "transport/certificate.hpp"

namespace sealcam::transport {

/// Whether this processor has instructions for AES that mbedTLS uses.
[[nodiscard]] bool has_aes_instructions() noexcept;

enum class TlsRole { client, server };

struct TlsConfig {
  TlsRole role = TlsRole::client;
  std::string authority_pem;    ///< certificates of the authorities that may vouch for the peer
  std::string certificate_pem;  ///< own certificate, then intermediates if there are any
  TlsKey key;                   ///< belongs to the first certificate
  bool prefer_aes = has_aes_instructions();
};

/// A shared handle, cheap to copy. Thread-bound together with the streams made from it.
/// The peer's chain must lead to one of the authorities and, for a client, name the server that was asked for.
/// EXPIRED and FUTURE alone are ignored: boards without a clock start in the past, and what may connect is decided by
/// the broker's access list, not by dates.
class TlsContext {
 public:
  /// Errors: malformed (a PEM text), wrong_key (key and certificate do not belong together), crypto.
  [[nodiscard]] static Result<TlsContext> make(TlsConfig config);

  /// Pairing only, never a broker: this end shows a self-signed certificate of `key` with CN = `common_name` and asks
  /// the peer for none. Such a connection is private and proves nothing about either end; what it exports
  /// (TlsStream::export_secret) is signed above it, and that is the proof. Errors: invalid_argument, crypto.
  [[nodiscard]] static Result<TlsContext> make_pairing_server(const TlsKey& key, std::string_view common_name);
  /// The other end: takes any certificate, shows none. Errors: crypto.
  [[nodiscard]] static Result<TlsContext> make_pairing_client_that_trusts_nobody();

  [[nodiscard]] TlsRole role() const noexcept;

  /// Seen by TlsStream only.
  struct State;
  [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  explicit TlsContext(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sealcam::transport
