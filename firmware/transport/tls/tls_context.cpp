// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/tls_context.hpp"

#include <mbedtls/error.h>
#include <psa/crypto.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

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
  Result<TlsKey> key = fail(Errc::crypto, "writing a TLS key");
  if (const int status = mbedtls_pk_write_key_pem(pk.get(), c_bytes(MutableBytes(pem)), pem.size()); status != 0)
    key = fail(Errc::crypto, "writing a TLS key", status);
  else key = TlsKey::from_pem(ByteView(pem).first(::strnlen(reinterpret_cast<const char*>(pem.data()), pem.size())));
  wipe(pem);
  return key;
}

}  // namespace

Result<> start_psa() {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "starting PSA", status);
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
    return fail(Errc::crypto, "making a TLS key", status);
  PkHandle pk;
  if (const int status = mbedtls_pk_copy_from_psa(made.id, pk.get()); status != 0)
    return fail(Errc::crypto, "making a TLS key", status);
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
  if (status != 0 || size != out.size()) return fail(Errc::crypto, "reading a TLS key", status);
  return scalar;
}

namespace {

class TlsCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "mbedtls"; }
  std::string message(int code) const override {
    std::array<char, 160> text{};
    mbedtls_strerror(code, text.data(), text.size());
    return text.data();
  }
};

}  // namespace

boost::system::error_code tls_error(int status) {
  static const TlsCategory category;
  return std::error_code(status, category);
}

std::string verify_text(std::uint32_t flags) {
  std::array<char, 512> text{};
  mbedtls_x509_crt_verify_info(text.data(), text.size(), "", flags);
  std::string line(text.data());
  std::ranges::replace(line, '\n', ' ');
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}
namespace {

Result<> load_certificates(mbedtls_x509_crt* into, std::string_view pem, const char* what) {
  const PemText text(pem);
  // A positive number is the number of certificates that mbedTLS could not read. All must be readable.
  if (const int status = mbedtls_x509_crt_parse(into, text.data(), text.size()); status != 0)
    return fail(Errc::malformed, what, status);
  return {};
}

void set_preferences(TlsContext::State& state, bool prefer_aes) {
  // OpenSSL servers choose by their own order (AES-256, ChaCha20, AES-128). To enforce a preference, the client must
  // offer fewer suites. Every server supports AES-128-GCM (RFC 8446 section 9.1).
  if (prefer_aes) state.suites = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256, 0};
  else state.suites = {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS1_3_AES_128_GCM_SHA256, 0};
  state.groups = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                  MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
}

}  // namespace

bool has_aes_instructions() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (::getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;  // 32-bit ARM: Debian's mbedTLS has no AES instructions
#endif
}

TlsRole TlsContext::role() const noexcept { return state_->role; }

namespace {

Result<> set_own_certificate(TlsContext::State& state, std::string_view certificate_pem, ByteView key_pem) {
  if (auto r = load_certificates(state.certificate.get(), certificate_pem, "own certificate"); !r) return r;
  const PemText key(key_pem);
  if (const int status = mbedtls_pk_parse_key(state.key.get(), key.data(), key.size(), nullptr, 0, psa_random, nullptr);
      status != 0)
    return fail(Errc::malformed, "own TLS key", status);
  if (mbedtls_pk_check_pair(&state.certificate->pk, state.key.get(), psa_random, nullptr) != 0)
    return fail(Errc::wrong_key, "own TLS key does not match the certificate");
  if (const int status = mbedtls_ssl_conf_own_cert(state.config.get(), state.certificate.get(), state.key.get());
      status != 0)
    return fail(Errc::crypto, "own certificate", status);
  return {};
}

/// The settings of all connections, except the check of the peer's certificate.
Result<> set_defaults(TlsContext::State& state, TlsRole role, bool prefer_aes) {
  state.role = role;
  auto* const ssl = state.config.get();
  const int endpoint = role == TlsRole::client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER;
  if (const int status =
          mbedtls_ssl_config_defaults(ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
      status != 0)
    return fail(Errc::crypto, "TLS defaults", status);
  set_preferences(state, prefer_aes);
  mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_3);
  mbedtls_ssl_conf_max_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_3);
  mbedtls_ssl_conf_ciphersuites(ssl, state.suites.data());
  mbedtls_ssl_conf_groups(ssl, state.groups.data());
  mbedtls_ssl_conf_rng(ssl, psa_random, nullptr);
  // No resumption: every connection presents certificates and agrees on new keys.
  mbedtls_ssl_conf_tls13_key_exchange_modes(ssl, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
  if (role == TlsRole::client) mbedtls_ssl_conf_session_tickets(ssl, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  return {};
}

}  // namespace

Result<TlsContext> TlsContext::make(TlsConfig config) {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "starting PSA", status);
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, config.role, config.prefer_aes); !r) return std::unexpected(r.error());
  if (auto r = load_certificates(state->authorities.get(), config.authority_pem, "authority's certificate"); !r)
    return std::unexpected(r.error());
  if (auto r = set_own_certificate(*state, config.certificate_pem, config.key.reveal_pem()); !r)
    return std::unexpected(r.error());
  auto* const ssl = state->config.get();
  mbedtls_ssl_conf_authmode(ssl, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(ssl, state->authorities.get(), nullptr);
  mbedtls_ssl_conf_verify(ssl, ignore_dates, nullptr);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::make_pairing_server(const TlsKey& key, std::string_view common_name) {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "starting PSA", status);
  const auto certificate = make_self_signed(key, common_name);
  if (!certificate) return std::unexpected(certificate.error());
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, TlsRole::server, has_aes_instructions()); !r) return std::unexpected(r.error());
  if (auto r = set_own_certificate(*state, *certificate, key.reveal_pem()); !r) return std::unexpected(r.error());
  mbedtls_ssl_conf_authmode(state->config.get(), MBEDTLS_SSL_VERIFY_NONE);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::make_pairing_client_that_trusts_nobody() {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "starting PSA", status);
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, TlsRole::client, has_aes_instructions()); !r) return std::unexpected(r.error());
  mbedtls_ssl_conf_authmode(state->config.get(), MBEDTLS_SSL_VERIFY_NONE);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::make_web_server(std::string_view certificate_pem, ByteView key_pem) {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "start PSA", status);
  auto state = std::make_shared<State>();
  const bool aes = has_aes_instructions();
  if (auto r = set_defaults(*state, TlsRole::server, aes); !r) return std::unexpected(r.error());
  mbedtls_ssl_conf_min_tls_version(state->config.get(), MBEDTLS_SSL_VERSION_TLS1_2);
  // The server's order decides. In TLS 1.2 only suites with forward secrecy and AEAD.
  static constexpr std::array aes_suites{MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                         MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                         MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256};
  static constexpr std::array chacha_suites{MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                            MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                            MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
  const auto& first = aes ? aes_suites : chacha_suites;
  const auto& second = aes ? chacha_suites : aes_suites;
  std::ranges::copy(second, std::ranges::copy(first, state->suites.begin()).out);
  if (auto r = set_own_certificate(*state, certificate_pem, key_pem); !r) return std::unexpected(r.error());
  mbedtls_ssl_conf_authmode(state->config.get(), MBEDTLS_SSL_VERIFY_NONE);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::make_web_client(std::string_view authorities_pem) {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "start PSA", status);
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, TlsRole::client, has_aes_instructions()); !r) return std::unexpected(r.error());
  const PemText text(authorities_pem);
  // The list of a system can contain certificates with algorithms that Mbed TLS lacks. They are skipped.
  if (const int status = mbedtls_x509_crt_parse(state->authorities.get(), text.data(), text.size());
      status < 0 || state->authorities->raw.len == 0)
    return fail(Errc::malformed, "certificates of the authorities", status);
  mbedtls_ssl_conf_authmode(state->config.get(), MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(state->config.get(), state->authorities.get(), nullptr);
  return TlsContext(std::move(state));
}

}  // namespace sealcam::transport
