// SPDX-License-Identifier: Apache-2.0
/// The configuration that all TLS connections of one role share. TLS 1.3 (RFC 8446) only, except for browsers; both
/// ends present certificates. A processor with AES instructions uses AES-128-GCM. Others use ChaCha20-Poly1305 if the
/// peer allows it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::transport {

/// True if this processor has AES instructions that mbedTLS uses.
[[nodiscard]] bool has_aes_instructions() noexcept;

enum class TlsRole { client, server };

struct TlsConfig {
  TlsRole role = TlsRole::client;
  std::string authority_pem;    ///< certificates of the authorities that may sign the peer's certificate
  std::string certificate_pem;  ///< own certificate, then intermediates if there are any
  TlsKey key;                   ///< belongs to the first certificate
  bool prefer_aes = has_aes_instructions();
};

/// A shared handle, cheap to copy. Thread-bound together with the streams made from it.
/// The chain of the peer must lead to one of the authorities. The certificate of a server must have the requested name.
/// Dates are ignored: boards without a clock start in the past, and the access list of the broker decides who may
/// connect.
class TlsContext {
 public:
  /// Errors: malformed (a PEM text), wrong_key (the key does not match the certificate), crypto.
  [[nodiscard]] static Result<TlsContext> make(TlsConfig config);

  /// For pairing only. This end presents a self-signed certificate of `key` with CN = `common_name` and requests none
  /// from the peer. The connection is encrypted but not authenticated. The messages of pairing authenticate it: they
  /// sign the exported secret (TlsStream::export_secret). Errors: invalid_argument, crypto.
  [[nodiscard]] static Result<TlsContext> make_pairing_server(const TlsKey& key, std::string_view common_name);
  /// The other end: accepts any certificate, presents none. Errors: crypto.
  [[nodiscard]] static Result<TlsContext> make_pairing_client_that_trusts_nobody();

  /// For a server of another party, such as a receiver of events. This end presents no certificate. The certificate of
  /// the server must be valid now, so the machine needs a clock. `authorities_pem`: at least one certificate that
  /// mbedTLS can read; others are skipped. Errors: malformed, crypto.
  [[nodiscard]] static Result<TlsContext> make_web_client(std::string_view authorities_pem);

  /// For browsers: TLS 1.3 and 1.2, no certificate of the peer, no resumption. `certificate_pem`: own certificate, then
  /// intermediates. `key_pem`: its key, P-256, P-384 or RSA; the caller wipes its copy. Errors: malformed (a PEM text),
  /// wrong_key (the key does not match the certificate), crypto.
  [[nodiscard]] static Result<TlsContext> make_web_server(std::string_view certificate_pem, ByteView key_pem);

  [[nodiscard]] TlsRole role() const noexcept;

  /// For TlsStream only.
  struct State;
  [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  explicit TlsContext(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace sealcam::transport
