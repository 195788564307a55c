// SPDX-License-Identifier: Apache-2.0
#include "crypto/passphrase.hpp"

#include <mbedtls/asn1.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/pkcs5.h>
#include <psa/crypto.h>

#include <array>
#include <cstring>
#include <memory>

#include "base/format.hpp"
#include "crypto/internal.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto {

Result<Passphrase> Passphrase::make(ByteView bytes) {
  if (bytes.empty()) return fail(Errc::invalid_argument, "the passphrase is empty");
  if (bytes.size() > max_size) return fail(Errc::invalid_argument, "the passphrase is longer than 256 bytes");
  Passphrase out;
  std::ranges::copy(bytes, out.bytes_.fill().begin());
  out.size_ = bytes.size();
  return out;
}

namespace {

constexpr std::size_t salt_size = 32;
constexpr std::size_t head_size = salt_size + gcm_nonce_size;

struct FreePem {
  void operator()(mbedtls_pem_context* pem) const noexcept {
    mbedtls_pem_free(pem);
    delete pem;
  }
};

std::string begin_line(std::string_view label) { return sealcam::format("-----BEGIN {}-----", label); }
std::string end_line(std::string_view label) { return sealcam::format("-----END {}-----", label); }

Result<VolatileKey> derive_key(std::string_view label, ByteView salt, const Secret<32>& secret, AeadUse use) {
  Secret<32> prk, key;
  if (auto r = hkdf_extract(HkdfHash::sha256, salt, ByteView(secret.reveal()), prk.fill()); !r)
    return std::unexpected(r.error());
  if (auto r = hkdf_expand(HkdfHash::sha256, ByteView(prk.reveal()), as_bytes(label), key.fill()); !r)
    return std::unexpected(r.error());
  return import_gcm_key(ByteView(key.reveal()), use);
}

Result<Bytes> decode_block(std::string_view label, std::string_view text) {
  const auto begin = begin_line(label), end = end_line(label);
  const auto at = text.find(begin);
  if (at == std::string_view::npos) return fail(Errc::not_found, "no sealed block with this label");
  const std::string zero_terminated(text.substr(at));
  const std::unique_ptr<mbedtls_pem_context, FreePem> pem(new mbedtls_pem_context);
  mbedtls_pem_init(pem.get());
  std::size_t size = 0;
  const int status =
      mbedtls_pem_read_buffer(pem.get(), begin.c_str(), end.c_str(),
                              reinterpret_cast<const unsigned char*>(zero_terminated.c_str()), nullptr, 0, &size);
  if (status != 0) return fail(Errc::malformed, "PEM of a sealed block", status);
  const auto* bytes = reinterpret_cast<const std::byte*>(mbedtls_pem_get_buffer(pem.get(), &size));
  if (size < head_size + gcm_tag_size) return fail(Errc::malformed, "a sealed block is too short");
  return Bytes(bytes, bytes + size);
}

}  // namespace

Result<std::string> write_sealed_pem(std::string_view label, ByteView plaintext, const Secret<32>& secret) {
  if (auto r = init(); !r) return std::unexpected(r.error());
  Bytes block(head_size + plaintext.size() + gcm_tag_size);
  const auto head = MutableBytes(block).first<head_size>();
  if (auto r = random(head); !r) return std::unexpected(r.error());
  const auto key = derive_key(label, head.first<salt_size>(), secret, AeadUse::seal);
  if (!key) return std::unexpected(key.error());
  if (auto r =
          gcm_seal(key->id(), head.last<gcm_nonce_size>(), {}, {}, plaintext, MutableBytes(block).subspan(head_size));
      !r)
    return std::unexpected(r.error());
  // Base64 needs four characters for three bytes; each line of 64 characters and both marker lines end with a newline.
  const auto begin = begin_line(label) + "\n", end = end_line(label) + "\n";
  std::vector<unsigned char> text((block.size() + 2) / 3 * 4 * 65 / 64 + begin.size() + end.size() + 8);
  std::size_t size = 0;
  if (const int s = mbedtls_pem_write_buffer(begin.c_str(), end.c_str(), c_bytes(ByteView(block)), block.size(),
                                             text.data(), text.size(), &size);
      s != 0)
    return fail(Errc::crypto, "writing a sealed block", s);
  return std::string(reinterpret_cast<const char*>(text.data()));
}

Result<Bytes> read_sealed_pem(std::string_view label, std::string_view text, const Secret<32>& secret) {
  const auto block = decode_block(label, text);
  if (!block) return std::unexpected(block.error());
  if (auto r = init(); !r) return std::unexpected(r.error());
  const auto head = ByteView(*block).first<head_size>();
  const auto key = derive_key(label, head.first<salt_size>(), secret, AeadUse::open);
  if (!key) return std::unexpected(key.error());
  Bytes out(block->size() - head_size - gcm_tag_size);
  if (auto r = gcm_open(key->id(), head.last<gcm_nonce_size>(), {}, {}, ByteView(*block).subspan(head_size), out); !r)
    return std::unexpected(r.error());
  return out;
}

namespace {

constexpr const char* key_begin_line = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
constexpr const char* key_end_line = "-----END ENCRYPTED PRIVATE KEY-----";
constexpr std::size_t max_text = 64U << 10;
constexpr std::size_t cipher_block = 16;

constexpr int sequence_tag = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;

/// The constant bytes in the PrivateKeyInfo of a key on P-256 (RFC 5958, RFC 5915): before the scalar, and between the
/// scalar and the public key.
constexpr std::array<unsigned char, 36> before_scalar = {
    0x30, 0x81, 0x87,                                            // PrivateKeyInfo
    0x02, 0x01, 0x00,                                            // version 0
    0x30, 0x13,                                                  // algorithm
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,        // id-ecPublicKey
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,  // prime256v1
    0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};       // ECPrivateKey, version 1, 32 bytes
constexpr std::array<unsigned char, 5> before_point = {0xa1, 0x44, 0x03, 0x42, 0x00};
constexpr std::size_t plain_size = before_scalar.size() + 32 + before_point.size() + PublicKey::size;
using Plain = Secret<plain_size>;

struct FreePk {
  void operator()(mbedtls_pk_context* key) const noexcept {
    mbedtls_pk_free(key);
    delete key;
  }
};
int psa_random(void*, unsigned char* out, std::size_t size) {
  return psa_generate_random(out, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ERROR_GENERIC_ERROR;
}

/// Writes DER from the end of a buffer to its start, like mbedTLS. Keeps the first failure.
class DerWriter {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end() - at_); }
  [[nodiscard]] ByteView view() const noexcept { return std::as_bytes(std::span(at_, size())); }
  [[nodiscard]] int status() const noexcept { return status_; }

  void number(int value) { note(mbedtls_asn1_write_int(&at_, buffer_.data(), value)); }
  void octets(ByteView bytes) {
    note(mbedtls_asn1_write_octet_string(&at_, buffer_.data(), c_bytes(bytes), bytes.size()));
  }
  void null() { note(mbedtls_asn1_write_null(&at_, buffer_.data())); }
  void oid(std::string_view oid) { note(mbedtls_asn1_write_oid(&at_, buffer_.data(), oid.data(), oid.size())); }
  /// Encloses the bytes that were written after `size()` was `before`.
  void sequence(std::size_t before) {
    note(mbedtls_asn1_write_len(&at_, buffer_.data(), size() - before));
    note(mbedtls_asn1_write_tag(&at_, buffer_.data(), sequence_tag));
  }

 private:
  void note(int written) {
    if (written < 0 && status_ == 0) status_ = written;
  }
  [[nodiscard]] const unsigned char* end() const noexcept { return buffer_.data() + buffer_.size(); }
  std::array<unsigned char, 512> buffer_{};
  unsigned char* at_ = buffer_.data() + buffer_.size();
  int status_ = 0;
};

/// Writes PBES2-params (RFC 8018 appendix A.4) before the content of `der`.
void write_parameters(DerWriter& der, ByteView salt, ByteView iv) {
  constexpr std::string_view aes_256_cbc(MBEDTLS_OID_AES_256_CBC);
  constexpr std::string_view hmac_sha256(MBEDTLS_OID_HMAC_SHA256);
  constexpr std::string_view kdf(MBEDTLS_OID_PKCS5_PBKDF2);
  const auto whole = der.size();
  der.octets(iv);
  der.oid(aes_256_cbc);
  der.sequence(whole);
  const auto derivation = der.size();
  der.null();
  der.oid(hmac_sha256);
  der.sequence(derivation);
  der.number(static_cast<int>(passphrase_iterations));
  der.octets(salt);
  der.sequence(derivation);
  der.oid(kdf);
  der.sequence(derivation);
  der.sequence(whole);
}

Result<Plain> private_key_info(const Secret<32>& scalar) {
  const auto key = import_signing_key(scalar);
  if (!key) return std::unexpected(key.error());
  Plain out;
  auto at = std::ranges::copy(std::as_bytes(std::span(before_scalar)), out.fill().begin()).out;
  at = std::ranges::copy(scalar.reveal(), at).out;
  at = std::ranges::copy(std::as_bytes(std::span(before_point)), at).out;
  std::ranges::copy(key->second.bytes(), at);
  return out;
}

/// AES-256-CBC with a key from the passphrase. `parameters` is the content of PBES2-params, `mode` a mode of mbedTLS.
int pbes2(ByteView parameters, int mode, const Passphrase& passphrase, ByteView in, MutableBytes out,
          std::size_t& size) {
  mbedtls_asn1_buf buffer{};
  buffer.tag = sequence_tag;
  buffer.p = const_cast<unsigned char*>(c_bytes(parameters));  // mbedTLS only reads it
  buffer.len = parameters.size();
  const auto word = passphrase.reveal();
  return mbedtls_pkcs5_pbes2_ext(&buffer, mode, c_bytes(word), word.size(), c_bytes(in), in.size(), c_bytes(out),
                                 out.size(), &size);
}

struct Encrypted {
  ByteView parameters;  ///< content of PBES2-params
  ByteView ciphertext;
};

ByteView view_of(const mbedtls_asn1_buf& buffer) { return std::as_bytes(std::span(buffer.p, buffer.len)); }

bool is_oid(const mbedtls_asn1_buf& buffer, std::string_view oid) { return as_text(view_of(buffer)) == oid; }

Result<> check_iterations(ByteView parameters) {
  auto* at = const_cast<unsigned char*>(c_bytes(parameters));
  const auto* end = at + parameters.size();
  mbedtls_asn1_buf algorithm{}, derivation{};
  if (const int s = mbedtls_asn1_get_alg(&at, end, &algorithm, &derivation); s != 0)
    return fail(Errc::malformed, "encrypted key's derivation", s);
  if (!is_oid(algorithm, MBEDTLS_OID_PKCS5_PBKDF2)) return fail(Errc::unsupported, "encrypted key's derivation");
  at = derivation.p;
  end = at + derivation.len;
  std::size_t size = 0;
  int iterations = 0;
  if (const int s = mbedtls_asn1_get_tag(&at, end, &size, MBEDTLS_ASN1_OCTET_STRING); s != 0)
    return fail(Errc::malformed, "encrypted key's salt", s);
  at += size;
  if (const int s = mbedtls_asn1_get_int(&at, end, &iterations); s != 0 || iterations <= 0)
    return fail(Errc::malformed, "encrypted key's iterations", s);
  if (const auto rounds = static_cast<std::uint32_t>(iterations); rounds < min_iterations || rounds > max_iterations)
    return fail(Errc::unsupported, "encrypted key's iterations are not between 1,000 and 10,000,000");
  return {};
}

Result<Encrypted> take_apart(ByteView der) {
  auto* at = const_cast<unsigned char*>(c_bytes(der));
  const auto* const end = at + der.size();
  std::size_t size = 0;
  if (const int s = mbedtls_asn1_get_tag(&at, end, &size, sequence_tag); s != 0 || at + size != end)
    return fail(Errc::malformed, "encrypted key", s);
  mbedtls_asn1_buf algorithm{}, parameters{};
  if (const int s = mbedtls_asn1_get_alg(&at, end, &algorithm, &parameters); s != 0)
    return fail(Errc::malformed, "encrypted key's algorithm", s);
  if (!is_oid(algorithm, MBEDTLS_OID_PKCS5_PBES2) || parameters.tag != sequence_tag)
    return fail(Errc::unsupported, "encrypted key's algorithm is not PBES2");
  if (const int s = mbedtls_asn1_get_tag(&at, end, &size, MBEDTLS_ASN1_OCTET_STRING); s != 0 || at + size != end)
    return fail(Errc::malformed, "encrypted key's ciphertext", s);
  const Encrypted out{view_of(parameters), std::as_bytes(std::span(at, size))};
  if (auto r = check_iterations(out.parameters); !r) return std::unexpected(r.error());
  return out;
}

Result<Secret<32>> scalar_of(ByteView private_key_info) {
  std::unique_ptr<mbedtls_pk_context, FreePk> key(new mbedtls_pk_context);
  mbedtls_pk_init(key.get());
  const int status = mbedtls_pk_parse_key(key.get(), c_bytes(private_key_info), private_key_info.size(), nullptr, 0,
                                          psa_random, nullptr);
  if (status == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || status == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE)
    return fail(Errc::unsupported, "the key is not on P-256", status);
  // With a wrong passphrase the padding is valid once in 256 times. The result is then not a key.
  if (status != 0) return fail(Errc::not_decryptable, "wrong passphrase, or the key was changed", status);
  if (mbedtls_pk_get_type(key.get()) != MBEDTLS_PK_ECKEY ||
      mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key)) != MBEDTLS_ECP_DP_SECP256R1)
    return fail(Errc::unsupported, "the key is not on P-256");
  Secret<32> scalar;
  std::size_t size = 0;
  if (const int s = mbedtls_ecp_write_key_ext(mbedtls_pk_ec(*key), &size, c_bytes(MutableBytes(scalar.fill())), 32);
      s != 0 || size != scalar.size())
    return fail(Errc::crypto, "reading the key's scalar", s);
  return scalar;
}

}  // namespace

Result<std::string> write_encrypted_key(const Secret<32>& scalar, const Passphrase& passphrase) {
  const auto plain = private_key_info(scalar);
  if (!plain) return std::unexpected(plain.error());
  std::array<std::byte, 16> salt{}, iv{};
  if (auto r = random(salt); !r) return std::unexpected(r.error());
  if (auto r = random(iv); !r) return std::unexpected(r.error());

  DerWriter parameters;
  write_parameters(parameters, salt, iv);
  auto content = parameters.view();
  // pbes2() takes the content of the sequence, after the tag and one byte of length.
  SC_ASSERT(parameters.status() == 0 && content.size() > 2 && content.size() < 130);
  std::array<std::byte, plain_size + 2 * cipher_block> sealed{};
  std::size_t size = 0;
  if (const int s =
          pbes2(content.subspan(2), MBEDTLS_PKCS5_ENCRYPT, passphrase, ByteView(plain->reveal()), sealed, size);
      s != 0)
    return fail(Errc::crypto, "sealing a private key", s);

  DerWriter der;
  der.octets(ByteView(sealed).first(size));
  const auto algorithm = der.size();
  write_parameters(der, salt, iv);
  der.oid(std::string_view(MBEDTLS_OID_PKCS5_PBES2));
  der.sequence(algorithm);
  der.sequence(0);
  SC_ASSERT(der.status() == 0);
  std::array<unsigned char, 1024> text{};
  const std::string head = sealcam::format("{}\n", key_begin_line), foot = sealcam::format("{}\n", key_end_line);
  if (const int s = mbedtls_pem_write_buffer(head.c_str(), foot.c_str(), c_bytes(der.view()), der.size(), text.data(),
                                             text.size(), &size);
      s != 0)
    return fail(Errc::crypto, "writing a private key", s);
  return std::string(reinterpret_cast<const char*>(text.data()));
}

Result<Secret<32>> read_encrypted_key(std::string_view text, const Passphrase& passphrase) {
  const auto begin = text.find(key_begin_line);
  if (begin == std::string_view::npos) return fail(Errc::not_found, "no encrypted private key in the file");
  const std::string zero_terminated(text.substr(begin, max_text));
  std::unique_ptr<mbedtls_pem_context, FreePem> pem(new mbedtls_pem_context);
  mbedtls_pem_init(pem.get());
  std::size_t used = 0;
  if (const int s =
          mbedtls_pem_read_buffer(pem.get(), key_begin_line, key_end_line,
                                  reinterpret_cast<const unsigned char*>(zero_terminated.c_str()), nullptr, 0, &used);
      s != 0)
    return fail(Errc::malformed, "encrypted key's PEM", s);
  std::size_t size = 0;
  const auto* der = mbedtls_pem_get_buffer(pem.get(), &size);
  const auto parts = take_apart(std::as_bytes(std::span(der, size)));
  if (!parts) return std::unexpected(parts.error());
  if (auto r = init(); !r) return std::unexpected(r.error());

  Bytes plain(parts->ciphertext.size() + cipher_block);
  const int status = pbes2(parts->parameters, MBEDTLS_PKCS5_DECRYPT, passphrase, parts->ciphertext, plain, size);
  if (status == MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE)
    return fail(Errc::unsupported, "encrypted key's cipher or hash", status);
  if (status != 0) return fail(Errc::not_decryptable, "wrong passphrase, or the key was changed", status);
  auto scalar = scalar_of(ByteView(plain).first(size));
  wipe(plain);
  return scalar;
}

// PSA of mbedTLS 3.6 in Debian 13 has no PBKDF2.
Result<PasswordHash> PasswordHash::make(ByteView password, const Salt& salt) {
  PasswordHash out{salt, {}};
  const int error =
      mbedtls_pkcs5_pbkdf2_hmac_ext(MBEDTLS_MD_SHA512, c_bytes(password), password.size(), c_bytes(ByteView(salt)),
                                    salt.size(), rounds, out.hash.size(), c_bytes(MutableBytes(out.hash)));
  if (error != 0) return fail(Errc::crypto, "hashing a password", error);
  return out;
}

Result<PasswordHash> PasswordHash::make(ByteView password) {
  Salt salt;
  if (auto r = random(salt); !r) return std::unexpected(r.error());
  return make(password, salt);
}

}  // namespace sealcam::crypto
