// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/certificate.hpp"

#include <arpa/inet.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <psa/crypto.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "base/bytes.hpp"
#include "transport/tls/tls_internal.hpp"

namespace sealcam::transport {
namespace {

constexpr Validity no_end{"20200101000000", "99991231235959"};  // RFC 5280 section 4.1.2.5: no well-defined end
constexpr std::size_t pem_limit = 4096;

using CsrWriter = Handle<mbedtls_x509write_csr, mbedtls_x509write_csr_init, mbedtls_x509write_csr_free>;

Result<std::string> common_name_of(const mbedtls_x509_name& subject) {
  for (const auto* part = &subject; part != nullptr; part = part->next)
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0)
      return std::string(reinterpret_cast<const char*>(part->val.p), part->val.len);
  return fail(Errc::malformed, "the subject of a certificate has no common name");
}

Result<> load_request(std::string_view pem, CsrHandle& into) {
  if (auto r = start_psa(); !r) return r;
  const PemText text(pem);
  if (const int status = mbedtls_x509_csr_parse(into.get(), text.data(), text.size()); status != 0)
    return fail(Errc::malformed, "cannot parse a certificate request", status);
  if (!is_p256(&into->pk)) return fail(Errc::unsupported, "the key of a certificate request is not on P-256");
  // mbedTLS parses requests but leaves the proof of possession (RFC 2986 section 4.2) to the caller.
  if (into->MBEDTLS_PRIVATE(sig_md) != MBEDTLS_MD_SHA256 || into->MBEDTLS_PRIVATE(sig_pk) != MBEDTLS_PK_ECDSA)
    return fail(Errc::unsupported, "certificate request is not signed with ECDSA and SHA-256");
  std::array<unsigned char, PSA_HASH_LENGTH(PSA_ALG_SHA_256)> hash{};
  std::size_t size = 0;
  if (const auto status =
          psa_hash_compute(PSA_ALG_SHA_256, into->cri.p, into->cri.len, hash.data(), hash.size(), &size);
      status != PSA_SUCCESS)
    return fail(Errc::crypto, "hash of a certificate request", status);
  const auto& signature = into->MBEDTLS_PRIVATE(sig);
  if (const int status =
          mbedtls_pk_verify(&into->pk, MBEDTLS_MD_SHA256, hash.data(), hash.size(), signature.p, signature.len);
      status != 0)
    return fail(Errc::bad_signature, "signature of a certificate request does not match", status);
  return {};
}

/// subjectAltName entries and the storage that they point to. A deque does not move its elements.
class AlternativeNames {
 public:
  Result<> add(const std::string& name) {
    auto bytes = address_bytes(name);
    int type = MBEDTLS_X509_SAN_IP_ADDRESS;
    if (bytes.empty()) {
      const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '*' || c == '_';
      };
      if (name.empty() || name.size() > 253 || !std::ranges::all_of(name, allowed))
        return fail(Errc::invalid_argument, "invalid host name for a certificate");
      bytes.assign(name.begin(), name.end());
      type = MBEDTLS_X509_SAN_DNS_NAME;
    }
    auto& node = nodes_.emplace_back();
    node.node.type = type;
    auto& stored = storage_.emplace_back(std::move(bytes));
    node.node.san.unstructured_name = {0, stored.size(), stored.data()};
    if (nodes_.size() > 1) nodes_[nodes_.size() - 2].next = &node;
    return {};
  }
  [[nodiscard]] const mbedtls_x509_san_list* get() const { return nodes_.empty() ? nullptr : &nodes_.front(); }

 private:
  std::deque<std::vector<unsigned char>> storage_;
  std::deque<mbedtls_x509_san_list> nodes_;
};

}  // namespace

std::vector<unsigned char> address_bytes(const std::string& name) {
  std::array<unsigned char, 16> address{};
  if (name.contains('\0')) return {};  // inet_pton() reads up to a NUL byte
  if (::inet_pton(AF_INET, name.c_str(), address.data()) == 1) return {address.begin(), address.begin() + 4};
  if (::inet_pton(AF_INET6, name.c_str(), address.data()) == 1) return {address.begin(), address.end()};
  return {};
}

Result<std::string> distinguished_name(std::string_view common_name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '.' ||
           c == '-' || c == '_';
  };
  if (common_name.empty() || common_name.size() > 64 || common_name.front() == ' ' || common_name.back() == ' ' ||
      !std::ranges::all_of(common_name, allowed))
    return fail(Errc::invalid_argument, "invalid common name for a certificate");
  return "CN=" + std::string(common_name);
}

Result<> set_serial_and_validity(CrtWriter& writer, const Validity& validity) {
  std::array<unsigned char, 16> serial{};
  if (const auto status = psa_generate_random(serial.data(), serial.size()); status != PSA_SUCCESS)
    return fail(Errc::crypto, "serial number", status);
  serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);  // positive and always 16 bytes long
  if (const int status = mbedtls_x509write_crt_set_serial_raw(writer.get(), serial.data(), serial.size()); status != 0)
    return fail(Errc::crypto, "serial number", status);
  if (const int status = mbedtls_x509write_crt_set_validity(writer.get(), validity.from, validity.until); status != 0)
    return fail(Errc::crypto, "validity", status);
  return {};
}

Result<std::string> write_pem(CrtWriter& writer) {
  std::array<unsigned char, pem_limit> out{};
  const int status = mbedtls_x509write_crt_pem(writer.get(), out.data(), out.size(), psa_random, nullptr);
  if (status != 0) return fail(Errc::crypto, "writing a certificate", status);
  return std::string(reinterpret_cast<const char*>(out.data()));
}

Result<> set_leaf_extensions(CrtWriter& writer, CertificateUse use, const std::vector<std::string>& names) {
  AlternativeNames alternatives;
  for (const auto& each : names)
    if (auto r = alternatives.add(each); !r) return r;
  mbedtls_asn1_sequence purpose{};
  static constexpr char client_oid[] = MBEDTLS_OID_CLIENT_AUTH;
  static constexpr char server_oid[] = MBEDTLS_OID_SERVER_AUTH;
  static_assert(sizeof client_oid == sizeof server_oid);
  std::array<unsigned char, sizeof client_oid> oid{};
  std::memcpy(oid.data(), use == CertificateUse::client ? client_oid : server_oid, oid.size());
  purpose.buf = {MBEDTLS_ASN1_OID, oid.size() - 1, oid.data()};
  int status = mbedtls_x509write_crt_set_basic_constraints(writer.get(), 0, -1);
  if (status == 0) status = mbedtls_x509write_crt_set_key_usage(writer.get(), MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
  if (status == 0) status = mbedtls_x509write_crt_set_ext_key_usage(writer.get(), &purpose);
  if (status == 0) status = mbedtls_x509write_crt_set_subject_key_identifier(writer.get());
  if (status == 0) status = mbedtls_x509write_crt_set_authority_key_identifier(writer.get());
  if (status == 0 && alternatives.get() != nullptr)
    status = mbedtls_x509write_crt_set_subject_alternative_name(writer.get(), alternatives.get());
  if (status != 0) return fail(Errc::crypto, "extensions of a certificate", status);
  return {};
}

Result<> load_certificate(std::string_view pem, CrtHandle& into, const char* what) {
  if (auto r = start_psa(); !r) return r;
  const PemText text(pem);
  if (const int status = mbedtls_x509_crt_parse(into.get(), text.data(), text.size()); status != 0)
    return fail(Errc::malformed, what, status);
  return {};
}

namespace {

enum class SelfSigned { authority, leaf };

Result<std::string> self_sign(const TlsKey& key, std::string_view common_name, SelfSigned kind) {
  const bool is_authority = kind == SelfSigned::authority;
  const auto name = distinguished_name(common_name);
  if (!name) return std::unexpected(name.error());
  PkHandle pk;
  if (auto r = load_key(key, pk); !r) return std::unexpected(r.error());
  CrtWriter writer;
  set_keys(writer, pk.get(), pk.get());
  int status = mbedtls_x509write_crt_set_subject_name(writer.get(), name->c_str());
  if (status == 0) status = mbedtls_x509write_crt_set_issuer_name(writer.get(), name->c_str());
  if (status == 0)
    status = mbedtls_x509write_crt_set_basic_constraints(writer.get(), is_authority ? 1 : 0, is_authority ? 0 : -1);
  if (status == 0)
    status = mbedtls_x509write_crt_set_key_usage(
        writer.get(), is_authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                   : static_cast<unsigned>(MBEDTLS_X509_KU_DIGITAL_SIGNATURE));
  if (status == 0) status = mbedtls_x509write_crt_set_subject_key_identifier(writer.get());
  if (status == 0) status = mbedtls_x509write_crt_set_authority_key_identifier(writer.get());
  if (status != 0) return fail(Errc::crypto, "fields of a self-signed certificate", status);
  if (auto r = set_serial_and_validity(writer, no_end); !r) return std::unexpected(r.error());
  return write_pem(writer);
}

Result<std::array<std::byte, 65>> point_of(const mbedtls_pk_context& key) {
  std::array<std::byte, 65> point{};
  std::size_t size = 0;
  const int status = mbedtls_ecp_write_public_key(mbedtls_pk_ec(key), MBEDTLS_ECP_PF_UNCOMPRESSED, &size,
                                                  c_bytes(MutableBytes(point)), point.size());
  if (status != 0 || size != point.size()) return fail(Errc::malformed, "key of a certificate or request", status);
  return point;
}

}  // namespace

Result<std::string> make_authority(const TlsKey& key, std::string_view common_name) {
  return self_sign(key, common_name, SelfSigned::authority);
}

Result<std::string> make_self_signed(const TlsKey& key, std::string_view common_name) {
  return self_sign(key, common_name, SelfSigned::leaf);
}

Result<std::string> make_request(const TlsKey& key, std::string_view common_name) {
  const auto name = distinguished_name(common_name);
  if (!name) return std::unexpected(name.error());
  PkHandle pk;
  if (auto r = load_key(key, pk); !r) return std::unexpected(r.error());
  CsrWriter writer;
  mbedtls_x509write_csr_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(writer.get(), pk.get());
  if (const int status = mbedtls_x509write_csr_set_subject_name(writer.get(), name->c_str()); status != 0)
    return fail(Errc::crypto, "subject of a certificate request", status);
  std::array<unsigned char, pem_limit> out{};
  if (const int status = mbedtls_x509write_csr_pem(writer.get(), out.data(), out.size(), psa_random, nullptr);
      status != 0)
    return fail(Errc::crypto, "writing a certificate request", status);
  return std::string(reinterpret_cast<const char*>(out.data()));
}

Result<std::string> requested_name(std::string_view request_pem) {
  CsrHandle request;
  if (auto r = load_request(request_pem, request); !r) return std::unexpected(r.error());
  return common_name_of(request->subject);
}

Result<std::array<std::byte, 65>> requested_key(std::string_view request_pem) {
  CsrHandle request;
  if (auto r = load_request(request_pem, request); !r) return std::unexpected(r.error());
  return point_of(request->pk);
}

Result<std::string> sign_request(std::string_view authority_pem, const TlsKey& authority_key,
                                 std::string_view request_pem, std::string_view common_name, CertificateUse use,
                                 const std::vector<std::string>& names) {
  const auto name = distinguished_name(common_name);
  if (!name) return std::unexpected(name.error());
  CsrHandle request;
  if (auto r = load_request(request_pem, request); !r) return std::unexpected(r.error());
  const auto requested = common_name_of(request->subject);
  if (!requested) return std::unexpected(requested.error());
  if (*requested != common_name) return fail(Errc::wrong_key, "certificate request has another name");

  PkHandle issuer_key;
  if (auto r = load_key(authority_key, issuer_key); !r) return std::unexpected(r.error());
  CrtHandle issuer;
  const PemText issuer_text(authority_pem);
  if (const int status = mbedtls_x509_crt_parse(issuer.get(), issuer_text.data(), issuer_text.size()); status != 0)
    return fail(Errc::malformed, "authority's certificate", status);
  if (mbedtls_pk_check_pair(&issuer->pk, issuer_key.get(), psa_random, nullptr) != 0)
    return fail(Errc::wrong_key, "authority's key does not belong to its certificate");
  std::array<char, 512> issuer_name{};
  if (mbedtls_x509_dn_gets(issuer_name.data(), issuer_name.size(), &issuer->subject) < 0)
    return fail(Errc::malformed, "cannot read the name of the authority");

  CrtWriter writer;
  set_keys(writer, &request->pk, issuer_key.get());
  int status = mbedtls_x509write_crt_set_subject_name(writer.get(), name->c_str());
  if (status == 0) status = mbedtls_x509write_crt_set_issuer_name(writer.get(), issuer_name.data());
  if (status != 0) return fail(Errc::crypto, "names of a certificate", status);
  if (auto r = set_leaf_extensions(writer, use, names); !r) return std::unexpected(r.error());
  if (auto r = set_serial_and_validity(writer, no_end); !r) return std::unexpected(r.error());
  return write_pem(writer);
}

Result<std::string> certificate_name(std::string_view certificate_pem) {
  CrtHandle certificate;
  if (auto r = load_certificate(certificate_pem, certificate, "certificate"); !r) return std::unexpected(r.error());
  return common_name_of(certificate->subject);
}

Result<std::array<std::byte, 65>> certificate_key(std::string_view certificate_pem) {
  CrtHandle certificate;
  if (auto r = load_certificate(certificate_pem, certificate, "certificate"); !r) return std::unexpected(r.error());
  if (!is_p256(&certificate->pk)) return fail(Errc::unsupported, "the key of a certificate is not on P-256");
  return point_of(certificate->pk);
}

Result<> check_certificate(std::string_view authority_pem, std::string_view certificate_pem) {
  CrtHandle authority, certificate;
  if (auto r = load_certificate(authority_pem, authority, "authority's certificate"); !r) return r;
  if (auto r = load_certificate(certificate_pem, certificate, "certificate"); !r) return r;
  std::uint32_t flags = 0;
  const int status =
      mbedtls_x509_crt_verify(certificate.get(), authority.get(), nullptr, nullptr, &flags, ignore_dates, nullptr);
  if (status != 0) return fail(Errc::bad_signature, "certificate is not signed by the authority", status);
  return {};
}

}  // namespace sealcam::transport
