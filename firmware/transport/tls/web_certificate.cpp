// SPDX-License-Identifier: Apache-2.0
// Certificates for browsers: an authority that can sign for a few names only.
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>

#include <algorithm>

#include "base/format.hpp"
#include "transport/tls/tls_internal.hpp"

namespace sealcam::transport {
namespace {

using Der = std::vector<unsigned char>;

constexpr std::size_t max_names = 16;
constexpr unsigned char sequence_tag = 0x30, permitted = 0xa0, excluded = 0xa1;
constexpr unsigned char dns_name = 0x82, ip_address = 0x87;  // GeneralName, RFC 5280 section 4.2.1.6

/// Tag, length and content (X.690 section 8.1). The constraints have less than 64 KiB.
void append(Der& to, unsigned char tag, const Der& content) {
  const auto size = content.size();
  to.push_back(tag);
  if (size >= 0x100) to.insert(to.end(), {0x82, static_cast<unsigned char>(size >> 8)});
  else if (size >= 0x80) to.push_back(0x81);
  to.push_back(static_cast<unsigned char>(size));
  for (const auto byte : content) to.push_back(byte);
}

/// GeneralSubtree with the default minimum.
void append_subtree(Der& to, unsigned char tag, const Der& base) {
  Der name;
  append(name, tag, base);
  append(to, sequence_tag, name);
}

bool is_host_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'; };
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' && name.back() != '.' &&
         std::ranges::all_of(name, allowed);
}

/// A form of name without any constraint would be permitted (RFC 5280 section 4.2.1.10). So a form that does not occur
/// is excluded as a whole.
Result<Der> name_constraints(const std::vector<std::string>& names) {
  if (names.empty() || names.size() > max_names)
    return fail(Errc::invalid_argument, "a local authority has 1 to 16 names");
  Der allowed, denied;
  bool has_name = false, has_ipv4 = false, has_ipv6 = false;
  for (const auto& name : names) {
    auto address = address_bytes(name);
    if (address.empty()) {
      if (!is_host_name(name))
        return fail(Errc::invalid_argument, "a name is lower-case letters, digits, '.' and '-', or an address");
      has_name = true;
      append_subtree(allowed, dns_name, {name.begin(), name.end()});
      continue;
    }
    (address.size() == 4 ? has_ipv4 : has_ipv6) = true;
    address.resize(2 * address.size(), 0xff);  // the mask of one address
    append_subtree(allowed, ip_address, address);
  }
  if (!has_name) append_subtree(denied, dns_name, {});
  if (!has_ipv4) append_subtree(denied, ip_address, Der(8));
  if (!has_ipv6) append_subtree(denied, ip_address, Der(32));
  Der both, all;
  append(both, permitted, allowed);
  if (!denied.empty()) append(both, excluded, denied);
  append(all, sequence_tag, both);
  return all;
}

Result<std::string> time_text(CaptureTime time) {
  using namespace std::chrono;
  const auto seconds_since = floor<seconds>(time.since_epoch);
  const auto day = floor<days>(seconds_since);
  const year_month_day date{sys_days(day)};
  const hh_mm_ss clock(seconds_since - day);
  if (date.year() < year(2000) || date.year() > year(2099))
    return fail(Errc::invalid_argument, "the time of a certificate is out of range: set the clock");
  return sealcam::format("{:04}{:02}{:02}{:02}{:02}{:02}", static_cast<int>(date.year()),
                         static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                         clock.minutes().count(), clock.seconds().count());
}

Result<std::string> finish(CrtWriter& writer, const Period& period) {
  const auto from = time_text(period.from), until = time_text(period.until);
  if (!from) return std::unexpected(from.error());
  if (!until) return std::unexpected(until.error());
  if (auto r = set_serial_and_validity(writer, {from->c_str(), until->c_str()}); !r) return std::unexpected(r.error());
  return write_pem(writer);
}

/// An authority with its constraints, which mbedTLS does not know and rejects as critical.
struct Issuer {
  CrtHandle certificate;
  Der constraints;
};

int take_constraints(void* into, const mbedtls_x509_crt*, const mbedtls_x509_buf* oid, int critical,
                     const unsigned char* from, const unsigned char* end) {
  if (MBEDTLS_OID_CMP(MBEDTLS_OID_NAME_CONSTRAINTS, oid) != 0)
    return critical != 0 ? MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE : 0;
  static_cast<Issuer*>(into)->constraints.assign(from, end);
  return 0;
}

Result<> load_issuer(std::string_view pem, Issuer& into) {
  const PemText text(pem);
  Handle<mbedtls_pem_context, mbedtls_pem_init, mbedtls_pem_free> block;
  std::size_t used = 0;
  int status = mbedtls_pem_read_buffer(block.get(), "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
                                       text.data(), nullptr, 0, &used);
  std::size_t size = 0;
  if (status == 0) {
    const auto* const der = mbedtls_pem_get_buffer(block.get(), &size);
    status = mbedtls_x509_crt_parse_der_with_ext_cb(into.certificate.get(), der, size, 1, take_constraints, &into);
  }
  if (status != 0) return fail(Errc::malformed, "cannot parse a certificate", status);
  return {};
}

}  // namespace

Result<std::string> make_web_authority(const TlsKey& key, std::string_view common_name,
                                       const std::vector<std::string>& names, const Period& period) {
  const auto name = distinguished_name(common_name);
  if (!name) return std::unexpected(name.error());
  const auto constraints = name_constraints(names);
  if (!constraints) return std::unexpected(constraints.error());
  PkHandle pk;
  if (auto r = load_key(key, pk); !r) return std::unexpected(r.error());
  CrtWriter writer;
  set_keys(writer, pk.get(), pk.get());
  std::array<unsigned char, sizeof MBEDTLS_OID_SERVER_AUTH> oid{};
  std::ranges::copy(std::string_view(MBEDTLS_OID_SERVER_AUTH), oid.begin());
  mbedtls_asn1_sequence purpose{};
  purpose.buf = {MBEDTLS_ASN1_OID, oid.size() - 1, oid.data()};
  int status = mbedtls_x509write_crt_set_subject_name(writer.get(), name->c_str());
  if (status == 0) status = mbedtls_x509write_crt_set_issuer_name(writer.get(), name->c_str());
  if (status == 0) status = mbedtls_x509write_crt_set_basic_constraints(writer.get(), 1, 0);
  if (status == 0) status = mbedtls_x509write_crt_set_key_usage(writer.get(), MBEDTLS_X509_KU_KEY_CERT_SIGN);
  if (status == 0) status = mbedtls_x509write_crt_set_ext_key_usage(writer.get(), &purpose);
  if (status == 0) status = mbedtls_x509write_crt_set_subject_key_identifier(writer.get());
  if (status == 0) status = mbedtls_x509write_crt_set_authority_key_identifier(writer.get());
  if (status == 0)
    status = mbedtls_x509write_crt_set_extension(writer.get(), MBEDTLS_OID_NAME_CONSTRAINTS,
                                                 MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS), 1, constraints->data(),
                                                 constraints->size());
  if (status != 0) return fail(Errc::crypto, "fields of a local authority", status);
  return finish(writer, period);
}

Result<std::string> make_web_certificate(std::string_view authority_pem, const TlsKey& authority_key, const TlsKey& key,
                                         const std::vector<std::string>& names, const Period& period) {
  const auto constraints = name_constraints(names);
  if (!constraints) return std::unexpected(constraints.error());
  PkHandle pk, issuer_key;
  if (auto r = load_key(key, pk); !r) return std::unexpected(r.error());
  if (auto r = load_key(authority_key, issuer_key); !r) return std::unexpected(r.error());
  Issuer issuer;
  if (auto r = load_issuer(authority_pem, issuer); !r) return std::unexpected(r.error());
  if (mbedtls_pk_check_pair(&issuer.certificate->pk, issuer_key.get(), psa_random, nullptr) != 0)
    return fail(Errc::wrong_key, "the key of the local authority does not belong to its certificate");
  if (issuer.constraints != *constraints) return fail(Errc::conflict, "the local authority permits other names");
  std::array<char, 512> issuer_name{};
  if (mbedtls_x509_dn_gets(issuer_name.data(), issuer_name.size(), &issuer.certificate->subject) < 0)
    return fail(Errc::malformed, "cannot read the name of the local authority");
  CrtWriter writer;
  set_keys(writer, pk.get(), issuer_key.get());
  // Browsers read the names in subjectAltName only.
  int status = mbedtls_x509write_crt_set_subject_name(writer.get(), "CN=Sealcam web server");
  if (status == 0) status = mbedtls_x509write_crt_set_issuer_name(writer.get(), issuer_name.data());
  if (status != 0) return fail(Errc::crypto, "names of a certificate", status);
  if (auto r = set_leaf_extensions(writer, CertificateUse::server, names); !r) return std::unexpected(r.error());
  return finish(writer, period);
}

Result<CaptureTime> certificate_end(std::string_view certificate_pem) {
  using namespace std::chrono;
  if (auto r = start_psa(); !r) return std::unexpected(r.error());
  Issuer any;  // a local authority, too
  if (auto r = load_issuer(certificate_pem, any); !r) return std::unexpected(r.error());
  const auto& end = any.certificate->valid_to;
  const year_month_day date{year(end.year), month(static_cast<unsigned>(end.mon)), day(static_cast<unsigned>(end.day))};
  if (!date.ok()) return fail(Errc::malformed, "end of a certificate");
  return CaptureTime{sys_days(date).time_since_epoch() + hours(end.hour) + minutes(end.min) + seconds(end.sec)};
}

}  // namespace sealcam::transport
