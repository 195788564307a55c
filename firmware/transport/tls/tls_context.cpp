// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/tls_context.hpp"

#include <mbedtls/error.h>
#include <psa/crypto.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <system_error>

#include "transport/tls/tls_internal.hpp"

namespace sealcam::transport {

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

Result<> set_own_certificate(TlsContext::State& state, std::string_view certificate_pem, const TlsKey& own_key) {
  if (auto r = load_certificates(state.certificate.get(), certificate_pem, "own certificate"); !r) return r;
  const PemText key(own_key.reveal_pem());
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
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "start PSA", status);
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, config.role, config.prefer_aes); !r) return std::unexpected(r.error());
  if (auto r = load_certificates(state->authorities.get(), config.authority_pem, "authority's certificate"); !r)
    return std::unexpected(r.error());
  if (auto r = set_own_certificate(*state, config.certificate_pem, config.key); !r) return std::unexpected(r.error());
  auto* const ssl = state->config.get();
  mbedtls_ssl_conf_authmode(ssl, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(ssl, state->authorities.get(), nullptr);
  mbedtls_ssl_conf_verify(ssl, ignore_dates, nullptr);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::make_pairing_server(const TlsKey& key, std::string_view common_name) {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "start PSA", status);
  const auto certificate = make_self_signed(key, common_name);
  if (!certificate) return std::unexpected(certificate.error());
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, TlsRole::server, has_aes_instructions()); !r) return std::unexpected(r.error());
  if (auto r = set_own_certificate(*state, *certificate, key); !r) return std::unexpected(r.error());
  mbedtls_ssl_conf_authmode(state->config.get(), MBEDTLS_SSL_VERIFY_NONE);
  return TlsContext(std::move(state));
}

Result<TlsContext> TlsContext::make_pairing_client_that_trusts_nobody() {
  if (const auto status = psa_crypto_init(); status != PSA_SUCCESS) return fail(Errc::crypto, "start PSA", status);
  auto state = std::make_shared<State>();
  if (auto r = set_defaults(*state, TlsRole::client, has_aes_instructions()); !r) return std::unexpected(r.error());
  mbedtls_ssl_conf_authmode(state->config.get(), MBEDTLS_SSL_VERIFY_NONE);
  return TlsContext(std::move(state));
}

}  // namespace sealcam::transport
