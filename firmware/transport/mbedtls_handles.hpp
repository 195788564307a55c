// SPDX-License-Identifier: Apache-2.0
/// One deleter per mbedTLS type. Included by this module's .cpp files only.
#pragma once

#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <psa/crypto.h>

#include <algorithm>
#include <string_view>

#include "core/bytes.hpp"
#include "core/secret.hpp"

namespace sealcam::transport {

/// An mbedTLS context that is initialised by its constructor and freed by its destructor; neither copied nor moved,
/// since mbedTLS contexts may point into themselves.
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

/// Random numbers for functions older than PSA; its own declaration of this misses extern "C" in 3.6.
inline int psa_random(void*, unsigned char* out, std::size_t size) {
  return psa_generate_random(out, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

using PkHandle = Handle<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using CrtHandle = Handle<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using CsrHandle = Handle<mbedtls_x509_csr, mbedtls_x509_csr_init, mbedtls_x509_csr_free>;

/// What every check of a chain does with dates: boards without a clock start in the past.
inline int ignore_dates(void*, mbedtls_x509_crt*, int, std::uint32_t* flags) {
  *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  return 0;
}

/// PEM text with the terminating zero that mbedTLS wants to see counted; wiped, since it may hold a key.
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

}  // namespace sealcam::transport
