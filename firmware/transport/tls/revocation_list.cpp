// SPDX-License-Identifier: Apache-2.0
// mbedTLS parses revocation lists but does not make them. The list is written with mbedTLS's ASN.1 writer, which writes
// from the end of a buffer to its beginning.
#include "transport/tls/certificate.hpp"

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include <array>
#include <chrono>
#include <ranges>

#include "base/format.hpp"
#include "transport/tls/tls_internal.hpp"

namespace sealcam::transport {
namespace {

constexpr std::size_t max_serial = 20;  // RFC 5280 section 5.1.2.6
constexpr std::string_view last_moment = "99991231235959Z";
constexpr int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
constexpr int explicit_0 = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 0;

/// A buffer that is filled from its end. Keeps the first error of mbedTLS.
class Asn1Writer {
 public:
  explicit Asn1Writer(std::size_t capacity) : buffer_(capacity), at_(buffer_.data() + capacity) {}

  /// Calls an mbedtls_asn1_write_ function with the buffer and these arguments.
  template <class... Arguments>
  void write(auto function, Arguments... arguments) {
    if (error_ != 0) return;
    const int written = function(&at_, buffer_.data(), arguments...);
    if (written < 0) error_ = written;
  }
  /// A big-endian number that is not negative.
  void integer(ByteView bytes) {
    const bool pad = bytes.empty() || (std::to_integer<unsigned>(bytes.front()) & 0x80U) != 0;
    raw(bytes);
    if (pad) raw(std::array{std::byte{0}});
    header_of_last(bytes.size() + (pad ? 1 : 0), MBEDTLS_ASN1_INTEGER);
  }
  void raw(ByteView bytes) { write(mbedtls_asn1_write_raw_buffer, c_bytes(bytes), bytes.size()); }
  void text(int tag, std::string_view text) { write(mbedtls_asn1_write_tagged_string, tag, text.data(), text.size()); }
  /// Tag and length in front of the last `size` bytes.
  void header_of_last(std::size_t size, int tag) {
    write(mbedtls_asn1_write_len, size);
    write(mbedtls_asn1_write_tag, static_cast<unsigned char>(tag));
  }
  /// The same for everything since size() was `before`.
  void wrap(std::size_t before, int tag) { header_of_last(size() - before, tag); }

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(buffer_.data() + buffer_.size() - at_); }
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] ByteView view() const { return as_bytes(std::span<const unsigned char>(at_, size())); }

 private:
  static ByteView as_bytes(std::span<const unsigned char> bytes) { return std::as_bytes(bytes); }
  std::vector<unsigned char> buffer_;
  unsigned char* at_;
  int error_ = 0;
};

std::string utc_time(std::uint64_t number) {
  const auto at = std::chrono::sys_seconds(std::chrono::sys_days(std::chrono::year(2020) / 1 / 1)) +
                  std::chrono::seconds(static_cast<std::int64_t>(number));
  return sealcam::format("{:%y%m%d%H%M%S}Z", at);
}

/// AlgorithmIdentifier of ecdsa-with-SHA256, without parameters (RFC 5758 section 3.2).
void write_algorithm(Asn1Writer& writer) {
  writer.write(mbedtls_asn1_write_algorithm_identifier_ext, MBEDTLS_OID_ECDSA_SHA256,
               MBEDTLS_OID_SIZE(MBEDTLS_OID_ECDSA_SHA256), std::size_t{0}, 0);
}

/// One extension that is not critical. Its value was written last, since size() was `before`.
void write_extension_header(Asn1Writer& writer, std::size_t before, const char* oid, std::size_t oid_size) {
  writer.wrap(before, MBEDTLS_ASN1_OCTET_STRING);
  writer.write(mbedtls_asn1_write_oid, oid, oid_size);
  writer.wrap(before, sequence);
}

/// crlExtensions: the authorityKeyIdentifier and the cRLNumber, which RFC 5280 section 5.2 requires.
void write_extensions(Asn1Writer& writer, std::uint64_t number, ByteView authority_key_id) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number >> (8 * (7 - i)));
  const auto first = std::ranges::find_if(bytes, [](std::byte b) { return b != std::byte{0}; });
  const auto before = writer.size();
  writer.integer(ByteView(first, bytes.end()));
  write_extension_header(writer, before, MBEDTLS_OID_CRL_NUMBER, MBEDTLS_OID_SIZE(MBEDTLS_OID_CRL_NUMBER));
  const auto second = writer.size();
  writer.raw(authority_key_id);
  writer.header_of_last(authority_key_id.size(), MBEDTLS_ASN1_CONTEXT_SPECIFIC | 0);
  writer.wrap(second, sequence);
  write_extension_header(writer, second, MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER,
                         MBEDTLS_OID_SIZE(MBEDTLS_OID_AUTHORITY_KEY_IDENTIFIER));
  for (const int tag : {sequence, explicit_0}) writer.wrap(before, tag);
}

/// revokedCertificates, which RFC 5280 section 5.1.2.6 leaves out if it is empty.
void write_revoked(Asn1Writer& writer, std::span<const Bytes> serials, const std::string& time) {
  if (serials.empty()) return;
  const auto before = writer.size();
  for (const auto& serial : std::views::reverse(serials)) {
    const auto entry = writer.size();
    writer.text(MBEDTLS_ASN1_UTC_TIME, time);
    writer.integer(serial);
    writer.wrap(entry, sequence);
  }
  writer.wrap(before, sequence);
}

Result<std::string> to_pem(ByteView list) {
  std::vector<unsigned char> out(list.size() * 3 / 2 + 256);
  std::size_t size = 0;
  const int status = mbedtls_pem_write_buffer("-----BEGIN X509 CRL-----\n", "-----END X509 CRL-----\n", c_bytes(list),
                                              list.size(), out.data(), out.size(), &size);
  if (status != 0) return fail(Errc::crypto, "writing a revocation list", status);
  return std::string(reinterpret_cast<const char*>(out.data()), size - 1);  // without the terminating zero
}

}  // namespace

Result<> check_server_certificate(std::string_view certificate_pem, ByteView key_pem, const std::string& host) {
  if (auto r = start_psa(); !r) return r;
  CrtHandle certificate;
  const PemText chain(certificate_pem);
  // A positive status: mbedTLS cannot read some certificates, for example an authority with name constraints. The
  // server sends the chain with OpenSSL, and the first certificate must have the key.
  if (const int status = mbedtls_x509_crt_parse(certificate.get(), chain.data(), chain.size());
      status < 0 || certificate->version == 0)
    return fail(Errc::malformed, "certificate", status);
  PkHandle key;
  const PemText text(key_pem);
  if (const int status = mbedtls_pk_parse_key(key.get(), text.data(), text.size(), nullptr, 0, psa_random, nullptr);
      status != 0)
    return fail(Errc::malformed, "key of a certificate", status);
  if (const int status = mbedtls_pk_check_pair(&certificate->pk, key.get(), psa_random, nullptr); status != 0)
    return fail(Errc::wrong_key, "the key does not belong to the certificate", status);
  std::uint32_t flags = 0;
  // The result also depends on dates and authorities. Only the name counts here.
  (void)mbedtls_x509_crt_verify(certificate.get(), certificate.get(), nullptr, host.c_str(), &flags, nullptr, nullptr);
  if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) return fail(Errc::not_found, "certificate of another host");
  return {};
}

Result<Bytes> certificate_serial(std::string_view certificate_pem) {
  CrtHandle certificate;
  if (auto r = load_certificate(certificate_pem, certificate, "certificate"); !r) return std::unexpected(r.error());
  const auto bytes = std::as_bytes(std::span(certificate->serial.p, certificate->serial.len));
  return Bytes(bytes.begin(), bytes.end());
}

Result<std::string> make_revocation_list(std::string_view authority_pem, const TlsKey& authority_key,
                                         std::uint64_t number, std::span<const Bytes> serials) {
  if (number > 900'000'000) return fail(Errc::invalid_argument, "number of a revocation list");
  for (const auto& serial : serials)
    if (serial.empty() || serial.size() > max_serial)
      return fail(Errc::invalid_argument, "serial number in a revocation list");
  CrtHandle authority;
  if (auto r = load_certificate(authority_pem, authority, "authority's certificate"); !r)
    return std::unexpected(r.error());
  PkHandle key;
  if (auto r = load_key(authority_key, key); !r) return std::unexpected(r.error());
  if (mbedtls_pk_check_pair(&authority->pk, key.get(), psa_random, nullptr) != 0)
    return fail(Errc::wrong_key, "authority's key does not belong to its certificate");

  const auto time = utc_time(number);
  Asn1Writer content(1024 + authority->subject_raw.len + serials.size() * 48);
  const auto& key_id = authority->subject_key_id;
  write_extensions(content, number, std::as_bytes(std::span(key_id.p, key_id.len)));
  write_revoked(content, serials, time);
  content.text(MBEDTLS_ASN1_GENERALIZED_TIME, last_moment);
  content.text(MBEDTLS_ASN1_UTC_TIME, time);
  content.raw(std::as_bytes(std::span(authority->subject_raw.p, authority->subject_raw.len)));
  write_algorithm(content);
  content.write(mbedtls_asn1_write_int, 1);  // version 2
  content.wrap(0, sequence);
  if (content.error() != 0) return fail(Errc::crypto, "content of a revocation list", content.error());

  std::array<unsigned char, PSA_HASH_LENGTH(PSA_ALG_SHA_256)> hash{};
  std::size_t size = 0;
  if (const auto status = psa_hash_compute(PSA_ALG_SHA_256, c_bytes(content.view()), content.view().size(), hash.data(),
                                           hash.size(), &size);
      status != PSA_SUCCESS)
    return fail(Errc::crypto, "hash of a revocation list", status);
  std::array<unsigned char, MBEDTLS_PK_SIGNATURE_MAX_SIZE> signature{};
  if (const int status = mbedtls_pk_sign(key.get(), MBEDTLS_MD_SHA256, hash.data(), hash.size(), signature.data(),
                                         signature.size(), &size, psa_random, nullptr);
      status != 0)
    return fail(Errc::crypto, "signing a revocation list", status);

  Asn1Writer list(content.size() + 256);
  list.write(mbedtls_asn1_write_bitstring, signature.data(), size * 8);
  write_algorithm(list);
  list.raw(content.view());
  list.wrap(0, sequence);
  if (list.error() != 0) return fail(Errc::crypto, "writing a revocation list", list.error());
  return to_pem(list.view());
}

}  // namespace sealcam::transport
