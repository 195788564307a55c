// SPDX-License-Identifier: Apache-2.0
/// Keys, certificates (X.509, RFC 5280; requests, RFC 2986) and revocation lists for the TLS connection to the broker.
/// They only authorize a device to use the broker; the protection of pictures does not depend on them. All keys are
/// P-256, all signatures ECDSA with SHA-256. Certificates of devices have no end, so a broker needs a revocation list
/// from its first start. Reentrant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"

namespace sealcam::transport {

/// A TLS private key as PEM text. Move-only, wiped when moved from and when destroyed, not printable. It
/// signs TLS handshakes and certificate requests, never a Sealcam message.
class TlsKey {
 public:
  /// Errors: crypto.
  [[nodiscard]] static Result<TlsKey> generate();
  /// From the content of a file; the caller wipes its own copy. Errors: malformed (not an EC private key on P-256, or
  /// encrypted).
  [[nodiscard]] static Result<TlsKey> from_pem(ByteView pem);
  /// From the private scalar, for backups. Errors: malformed (not a scalar of P-256), crypto.
  [[nodiscard]] static Result<TlsKey> from_scalar(const Secret<32>& scalar);

  static constexpr std::size_t max_pem = 512;

  TlsKey(TlsKey&& other) noexcept;
  TlsKey& operator=(TlsKey&& other) noexcept;
  TlsKey(const TlsKey&) = delete;
  TlsKey& operator=(const TlsKey&) = delete;
  ~TlsKey();

  /// The PEM text without a terminating zero, for a private file.
  [[nodiscard]] ByteView reveal_pem() const noexcept { return ByteView(pem_).first(size_); }
  /// The private scalar, for backups. Errors: crypto.
  [[nodiscard]] Result<Secret<32>> reveal_scalar() const;
  /// A second object with the same key, for a second connection. There is no implicit copy.
  [[nodiscard]] TlsKey duplicate() const noexcept;

 private:
  TlsKey() noexcept = default;
  std::array<std::byte, max_pem> pem_{};
  std::size_t size_ = 0;
};

/// An authority's self-signed certificate (PEM): basicConstraints CA:TRUE, keyCertSign and cRLSign, valid from
/// 20200101 to 99991231 (boards may have no clock). `common_name` is 1 to 64 letters, digits and " .-_".
/// Errors: invalid_argument, crypto.
[[nodiscard]] Result<std::string> make_authority(const TlsKey& key, std::string_view common_name);

/// A self-signed certificate (PEM), which only carries its own key: CN = `common_name`, basicConstraints
/// CA:FALSE, the same validity. For pairing (tls_context.hpp). Errors: invalid_argument, crypto.
[[nodiscard]] Result<std::string> make_self_signed(const TlsKey& key, std::string_view common_name);

/// A certificate request (PEM, PKCS#10) for CN = `common_name`. Errors: invalid_argument, crypto.
[[nodiscard]] Result<std::string> make_request(const TlsKey& key, std::string_view common_name);

/// Verifies the signature of a request, which proves that the sender has the private key, and returns the requested
/// common name. The caller decides whether to grant it. Errors: malformed, bad_signature, unsupported (not P-256).
[[nodiscard]] Result<std::string> requested_name(std::string_view request_pem);

/// The public key of a request: a point on P-256 in SEC 1 uncompressed form. Errors: those of requested_name().
[[nodiscard]] Result<std::array<std::byte, 65>> requested_key(std::string_view request_pem);

enum class CertificateUse { client, server };

/// Signs a request as the authority: subject CN = `common_name`, the request's public key, serial of 16 random bytes,
/// basicConstraints CA:FALSE, keyUsage digitalSignature, one extendedKeyUsage, subject and authority key
/// identifiers. `names` become subjectAltName (addresses as iPAddress, other names as dNSName). A client has its
/// common name there too, because RabbitMQ reads the client id from it. Errors: those of requested_name(); wrong_key
/// (the request has another name, or the authority's key does not belong to its certificate), invalid_argument,
/// malformed (authority), crypto.
[[nodiscard]] Result<std::string> sign_request(std::string_view authority_pem, const TlsKey& authority_key,
                                               std::string_view request_pem, std::string_view common_name,
                                               CertificateUse use, const std::vector<std::string>& names);

/// The common name of a certificate (PEM; the first of a chain). Errors: malformed.
[[nodiscard]] Result<std::string> certificate_name(std::string_view certificate_pem);

/// The public key of a certificate (PEM; the first of a chain), like requested_key(). Errors: malformed, unsupported
/// (not P-256).
[[nodiscard]] Result<std::array<std::byte, 65>> certificate_key(std::string_view certificate_pem);

/// Checks that the first certificate leads to one of the authorities. Ignores dates, like every connection. Errors:
/// malformed (a PEM text), bad_signature (it does not).
[[nodiscard]] Result<> check_certificate(std::string_view authority_pem, std::string_view certificate_pem);

/// Checks that a server's certificate (PEM; the first of a chain) belongs to a key (PEM, not encrypted; EC or RSA), and
/// that it is for a host: a name, also through a wildcard, or an IP address. Checks neither dates nor authorities,
/// which are of another party. Errors: malformed (a PEM text), wrong_key (another key), not_found (another host).
[[nodiscard]] Result<> check_server_certificate(std::string_view certificate_pem, ByteView key_pem,
                                                const std::string& host);

/// The serial number of a certificate (PEM; the first of a chain), big-endian. Errors: malformed.
[[nodiscard]] Result<Bytes> certificate_serial(std::string_view certificate_pem);

/// A signed list (PEM, "X509 CRL") of revoked serial numbers. thisUpdate is `number` seconds after the beginning of
/// 2020, because clocks may be wrong: it increases with each list and is never in the future. nextUpdate is 99991231,
/// the cRLNumber is `number`. Errors: malformed (authority), wrong_key (the key does not belong to the authority),
/// invalid_argument (a serial number with 0 or more than 20 bytes, or a number from 2050 on), crypto.
[[nodiscard]] Result<std::string> make_revocation_list(std::string_view authority_pem, const TlsKey& authority_key,
                                                       std::uint64_t number, std::span<const Bytes> serials);

/// The times of a certificate that browsers check.
struct Period {
  CaptureTime from, until;
};

/// An authority's certificate (PEM) that people install in browsers: CN = `common_name`, basicConstraints CA:TRUE with
/// pathLenConstraint 0, keyCertSign, extendedKeyUsage serverAuth, and critical name constraints (RFC 5280 section
/// 4.2.1.10). These permit the names, the names below them, and the addresses; all other names and addresses are
/// excluded. `names`: 1 to 16 host names and addresses, without wildcards. Errors: invalid_argument, crypto.
[[nodiscard]] Result<std::string> make_web_authority(const TlsKey& key, std::string_view common_name,
                                                     const std::vector<std::string>& names, const Period& period);

/// A server's certificate (PEM) of that authority, with exactly the names of its constraints. Errors: malformed
/// (authority), wrong_key (the key does not belong to it), conflict (the authority permits other names, or none),
/// invalid_argument, crypto.
[[nodiscard]] Result<std::string> make_web_certificate(std::string_view authority_pem, const TlsKey& authority_key,
                                                       const TlsKey& key, const std::vector<std::string>& names,
                                                       const Period& period);

/// The last moment at which a certificate is valid (PEM; the first of a chain). Errors: malformed.
[[nodiscard]] Result<CaptureTime> certificate_end(std::string_view certificate_pem);

}  // namespace sealcam::transport
