// SPDX-License-Identifier: Apache-2.0
/// For this folder's source files only: mbedTLS types with destructors, and mbedTLS errors.
#pragma once

#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <psa/crypto.h>

#include <algorithm>
#include <array>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::transport {

/// An mbedTLS context. The constructor initializes it, the destructor frees it. It cannot be copied or moved, because
/// mbedTLS contexts may point into themselves.
template <class Context, void (*init)(Context*), void (*free)(Context*)>
class Handle {
 public:
  Handle() noexcept { init(&context_); }
  ~Handle() { free(&context_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  [[nodiscard]] Context* get() noexcept { return &context_; }
  [[nodiscard]] const Context* get() const noexcept { return &context_; }
  [[nodiscard]] Context* operator->() noexcept { return &context_; }
  [[nodiscard]] const Context* operator->() const noexcept { return &context_; }

 private:
  Context context_;
};

/// Random numbers for functions that are older than PSA. The declaration in mbedTLS 3.6 lacks extern "C".
inline int psa_random(void*, unsigned char* out, std::size_t size) {
  return psa_generate_random(out, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

using PkHandle = Handle<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using CrtHandle = Handle<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using CsrHandle = Handle<mbedtls_x509_csr, mbedtls_x509_csr_init, mbedtls_x509_csr_free>;

/// Every check of a chain ignores dates, because boards without a clock start in the past.
inline int ignore_dates(void*, mbedtls_x509_crt*, int, std::uint32_t* flags) {
  *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  return 0;
}

/// PEM text with the terminating zero that mbedTLS requires. Wiped, because it may hold a key.
class PemText {
 public:
  explicit PemText(ByteView text) : text_(text.size() + 1) { std::ranges::copy(text, text_.begin()); }
  explicit PemText(std::string_view text) : PemText(as_bytes(text)) {}
  PemText(const PemText&) = delete;
  PemText& operator=(const PemText&) = delete;
  ~PemText() { wipe(text_); }
  [[nodiscard]] const unsigned char* data() const noexcept { return c_bytes(text_); }
  [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }

 private:
  Bytes text_;
};

/// Errors: crypto.
[[nodiscard]] Result<> start_psa();
[[nodiscard]] bool is_p256(const mbedtls_pk_context* key);
/// Errors: malformed.
[[nodiscard]] Result<> load_key(const TlsKey& key, PkHandle& into);
[[nodiscard]] Result<> load_certificate(std::string_view pem, CrtHandle& into, const char* what);

using CrtWriter = Handle<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

/// The keys must live until write_pem().
inline void set_keys(CrtWriter& writer, mbedtls_pk_context* subject, mbedtls_pk_context* issuer) {
  mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(writer.get(), subject);
  mbedtls_x509write_crt_set_issuer_key(writer.get(), issuer);
}

/// Times as mbedTLS takes them: "20200101000000", UTC.
struct Validity {
  const char* from;
  const char* until;
};
/// mbedTLS takes names as comma-separated text, so a name must not contain a separator. Errors: invalid_argument.
[[nodiscard]] Result<std::string> distinguished_name(std::string_view common_name);
/// The 4 or 16 bytes of an IP address; empty for another name.
[[nodiscard]] std::vector<unsigned char> address_bytes(const std::string& name);
/// Errors of the next three: crypto.
[[nodiscard]] Result<> set_serial_and_validity(CrtWriter& writer, const Validity& validity);
/// The extensions of a certificate that is no authority's. Errors: also invalid_argument (a name).
[[nodiscard]] Result<> set_leaf_extensions(CrtWriter& writer, CertificateUse use,
                                           const std::vector<std::string>& names);
[[nodiscard]] Result<std::string> write_pem(CrtWriter& writer);

struct TlsContext::State {
  TlsRole role = TlsRole::client;
  CrtHandle authorities;
  CrtHandle certificate;
  PkHandle key;
  std::array<int, 10> suites{};  ///< zero-terminated, in order of preference
  std::array<std::uint16_t, 4> groups{};
  Handle<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free> config;
};

/// A negative status of mbedTLS as an error code with the message of mbedTLS. Reentrant.
[[nodiscard]] boost::system::error_code tls_error(int status);

/// The faults of a certificate in one line. `flags` come from mbedtls_ssl_get_verify_result(). Reentrant.
[[nodiscard]] std::string verify_text(std::uint32_t flags);

}  // namespace sealcam::transport
