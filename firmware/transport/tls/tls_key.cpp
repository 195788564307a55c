// SPDX-License-Identifier: Apache-2.0
#include <psa/crypto.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "transport/tls/certificate.hpp"
#include "transport/tls/tls_internal.hpp"

namespace sealcam::transport {
namespace {

struct PsaKey {
  psa_key_id_t id = PSA_KEY_ID_NULL;
  ~PsaKey() { psa_destroy_key(id); }
};

Result<TlsKey> to_pem(const PkHandle& pk) {
  std::array<std::byte, TlsKey::max_pem> pem{};
  Result<TlsKey> key = fail(Errc::crypto, "write a TLS key");
  if (const int status = mbedtls_pk_write_key_pem(pk.get(), c_bytes(MutableBytes(pem)), pem.size()); status != 0)
    key = fail(Errc::crypto, "write a TLS key", status);
  else key = TlsKey::from_pem(ByteView(pem).first(::strnlen(reinterpret_cast<const char*>(pem.data()), pem.size())));
  wipe(pem);
  return key;
}

}  // namespace

Result<> start_psa() {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "start PSA", status);
  return {};
}

bool is_p256(const mbedtls_pk_context* key) {
  return mbedtls_pk_get_type(key) == MBEDTLS_PK_ECKEY &&
         mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key)) == MBEDTLS_ECP_DP_SECP256R1;
}

Result<> load_key(const TlsKey& key, PkHandle& into) {
  if (auto r = start_psa(); !r) return r;
  const PemText text(key.reveal_pem());
  const int status = mbedtls_pk_parse_key(into.get(), text.data(), text.size(), nullptr, 0, psa_random, nullptr);
  if (status != 0) return fail(Errc::malformed, "cannot parse a TLS key", status);
  return {};
}

TlsKey::TlsKey(TlsKey&& other) noexcept : pem_(other.pem_), size_(std::exchange(other.size_, 0)) { wipe(other.pem_); }
TlsKey& TlsKey::operator=(TlsKey&& other) noexcept {
  if (this != &other) {
    pem_ = other.pem_;
    size_ = std::exchange(other.size_, 0);
    wipe(other.pem_);
  }
  return *this;
}
TlsKey::~TlsKey() { wipe(pem_); }

TlsKey TlsKey::duplicate() const noexcept {
  TlsKey copy;
  copy.pem_ = pem_;
  copy.size_ = size_;
  return copy;
}

Result<TlsKey> TlsKey::generate() {
  if (auto r = start_psa(); !r) return std::unexpected(r.error());
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT | PSA_KEY_USAGE_SIGN_HASH);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  PsaKey made;
  if (const auto status = psa_generate_key(&attributes, &made.id); status != PSA_SUCCESS)
    return fail(Errc::crypto, "make a TLS key", status);
  PkHandle pk;
  if (const int status = mbedtls_pk_copy_from_psa(made.id, pk.get()); status != 0)
    return fail(Errc::crypto, "make a TLS key", status);
  return to_pem(pk);
}

Result<TlsKey> TlsKey::from_pem(ByteView pem) {
  TlsKey key;
  if (pem.empty() || pem.size() > key.pem_.size()) return fail(Errc::malformed, "TLS key has a wrong size");
  std::ranges::copy(pem, key.pem_.begin());
  key.size_ = pem.size();
  PkHandle pk;
  if (auto r = load_key(key, pk); !r) return std::unexpected(r.error());
  if (!is_p256(pk.get())) return fail(Errc::malformed, "TLS key is not on P-256");
  return key;
}

Result<TlsKey> TlsKey::from_scalar(const Secret<32>& scalar) {
  if (auto r = start_psa(); !r) return std::unexpected(r.error());
  PkHandle pk;
  int status = mbedtls_pk_setup(pk.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (status == 0) {
    auto* const pair = mbedtls_pk_ec(*pk.get());
    status = mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, pair, c_bytes(scalar.reveal()), scalar.reveal().size());
    if (status == 0) status = mbedtls_ecp_keypair_calc_public(pair, psa_random, nullptr);
  }
  if (status != 0) return fail(Errc::malformed, "private key on P-256", status);
  return to_pem(pk);
}

Result<Secret<32>> TlsKey::reveal_scalar() const {
  PkHandle pk;
  if (auto r = load_key(*this, pk); !r) return std::unexpected(r.error());
  Secret<32> scalar;
  std::size_t size = 0;
  const auto out = scalar.fill();
  const int status = mbedtls_ecp_write_key_ext(mbedtls_pk_ec(*pk.get()), &size, c_bytes(MutableBytes(out)), out.size());
  if (status != 0 || size != out.size()) return fail(Errc::crypto, "read a TLS key", status);
  return scalar;
}

}  // namespace sealcam::transport
