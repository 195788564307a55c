// SPDX-License-Identifier: Apache-2.0
#include "crypto/psa.hpp"

#include <psa/crypto.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

// This header of mbedTLS 3.6 lacks extern "C".
extern "C" {
#include <mbedtls/constant_time.h>
}

#include "crypto/internal.hpp"

namespace sealcam::crypto {

namespace {

psa_hash_operation_t* operation(std::array<std::byte, 512>& room) noexcept {
  return std::launder(reinterpret_cast<psa_hash_operation_t*>(room.data()));
}

}  // namespace

static_assert(std::is_same_v<KeyId, psa_key_id_t>);

Result<> init() {
  static std::mutex mutex;
  static bool done = false;
  const std::scoped_lock lock(mutex);
  if (done) return {};
  if (const auto s = psa_crypto_init(); s != PSA_SUCCESS) return fail(Errc::crypto, "starting the crypto library", s);
  done = true;
  return {};
}

Result<> random(MutableBytes out) {
  if (const auto s = psa_generate_random(c_bytes(out), out.size()); s != PSA_SUCCESS)
    return fail(Errc::crypto, "random bytes", s);
  return {};
}

bool equal_secrets(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && mbedtls_ct_memcmp(a.data(), b.data(), a.size()) == 0;
}

Sha256::Sha256() noexcept {
  static_assert(sizeof(psa_hash_operation_t) <= sizeof(operation_));
  static_assert(alignof(psa_hash_operation_t) <= 16);
  ::new (operation_.data()) psa_hash_operation_t(psa_hash_operation_init());
  failed_ = psa_hash_setup(operation(operation_), PSA_ALG_SHA_256) != PSA_SUCCESS;
}

Sha256::~Sha256() { psa_hash_abort(operation(operation_)); }

Sha256& Sha256::update(ByteView part) noexcept {
  if (!failed_) failed_ = psa_hash_update(operation(operation_), c_bytes(part), part.size()) != PSA_SUCCESS;
  return *this;
}

Result<Digest> Sha256::finish() noexcept {
  if (failed_) return fail(Errc::crypto, "SHA-256");
  failed_ = true;  // a second finish() fails
  Digest digest;
  std::size_t size = 0;
  const auto s = psa_hash_finish(operation(operation_), c_bytes(MutableBytes(digest)), digest.size(), &size);
  if (s != PSA_SUCCESS || size != digest.size()) return fail(Errc::crypto, "SHA-256", s);
  return digest;
}

Result<Digest> sha256(ByteView message) noexcept {
  Digest digest;
  std::size_t size = 0;
  const auto s = psa_hash_compute(PSA_ALG_SHA_256, c_bytes(message), message.size(), c_bytes(MutableBytes(digest)),
                                  digest.size(), &size);
  if (s != PSA_SUCCESS || size != digest.size()) return fail(Errc::crypto, "SHA-256", s);
  return digest;
}

VolatileKey::VolatileKey(VolatileKey&& other) noexcept : id_(std::exchange(other.id_, 0)) {}

VolatileKey& VolatileKey::operator=(VolatileKey&& other) noexcept {
  if (this != &other) {
    psa_destroy_key(id_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

VolatileKey::~VolatileKey() { psa_destroy_key(id_); }  // PSA ignores 0

namespace {

// mbedTLS copies input and output through buffers from the heap. With pieces of this size the buffers fit into the
// processor's cache for frames of any size.
constexpr std::size_t piece_size = std::size_t{16} * 1024;

/// One GCM operation. The destructor wipes its copy of the key.
class Gcm {
 public:
  Gcm() = default;
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;
  ~Gcm() { psa_aead_abort(&operation_); }

  psa_status_t start(AeadUse use, KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2) {
    auto s = use == AeadUse::seal ? psa_aead_encrypt_setup(&operation_, key, PSA_ALG_GCM)
                                  : psa_aead_decrypt_setup(&operation_, key, PSA_ALG_GCM);
    if (s == PSA_SUCCESS) s = psa_aead_set_nonce(&operation_, c_bytes(nonce), nonce.size());
    if (s == PSA_SUCCESS) s = psa_aead_update_ad(&operation_, c_bytes(aad1), aad1.size());
    if (s == PSA_SUCCESS) s = psa_aead_update_ad(&operation_, c_bytes(aad2), aad2.size());
    return s;
  }

  /// Advances `out` past the bytes that it wrote.
  psa_status_t update(ByteView in, MutableBytes& out) {
    while (!in.empty()) {
      const auto piece = in.first(std::min(in.size(), piece_size));
      // A driver may hold back part of a block, so a piece may need more room than its own size.
      const auto room = std::min(out.size(), PSA_AEAD_UPDATE_OUTPUT_MAX_SIZE(piece_size));
      std::size_t written = 0;
      const auto s = psa_aead_update(&operation_, c_bytes(piece), piece.size(), c_bytes(out), room, &written);
      if (s != PSA_SUCCESS) return s;
      out = out.subspan(written);
      in = in.subspan(piece.size());
    }
    return PSA_SUCCESS;
  }

  psa_status_t finish(MutableBytes& out) {
    std::array<std::byte, gcm_tag_size> tag;
    std::size_t written = 0, tag_size = 0;
    const auto s = psa_aead_finish(&operation_, c_bytes(out), out.size() - gcm_tag_size, &written,
                                   c_bytes(MutableBytes(tag)), tag.size(), &tag_size);
    if (s != PSA_SUCCESS) return s;
    std::ranges::copy(tag, out.subspan(written).begin());
    out = out.subspan(written + tag_size);
    return s;
  }

  psa_status_t verify(ByteView tag, MutableBytes& out) {
    std::size_t written = 0;
    const auto s = psa_aead_verify(&operation_, c_bytes(out), out.size(), &written, c_bytes(tag), tag.size());
    if (s == PSA_SUCCESS) out = out.subspan(written);
    return s;
  }

 private:
  psa_aead_operation_t operation_ = PSA_AEAD_OPERATION_INIT;
};

/// One derivation. The destructor wipes the copy of the secret that PSA holds.
class Derivation {
 public:
  explicit Derivation(psa_algorithm_t algorithm) { status_ = psa_key_derivation_setup(&operation_, algorithm); }
  Derivation(const Derivation&) = delete;
  Derivation& operator=(const Derivation&) = delete;
  ~Derivation() { psa_key_derivation_abort(&operation_); }

  Derivation& input(psa_key_derivation_step_t step, ByteView value) {
    if (status_ == PSA_SUCCESS)
      status_ = psa_key_derivation_input_bytes(&operation_, step, c_bytes(value), value.size());
    return *this;
  }
  Result<> output(MutableBytes out) {
    if (status_ == PSA_SUCCESS) status_ = psa_key_derivation_output_bytes(&operation_, c_bytes(out), out.size());
    if (status_ == PSA_SUCCESS) return {};
    wipe(out);
    return fail(Errc::crypto, "HKDF", status_);
  }

 private:
  psa_key_derivation_operation_t operation_ = PSA_KEY_DERIVATION_OPERATION_INIT;
  psa_status_t status_;
};

psa_algorithm_t algorithm(HkdfHash hash) { return hash == HkdfHash::sha256 ? PSA_ALG_SHA_256 : PSA_ALG_SHA_512; }

}  // namespace

Result<VolatileKey> import_gcm_key(ByteView key, AeadUse use) {
  auto attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  psa_set_key_usage_flags(&attributes, use == AeadUse::seal ? PSA_KEY_USAGE_ENCRYPT : PSA_KEY_USAGE_DECRYPT);
  psa_key_id_t id = 0;
  if (const auto s = psa_import_key(&attributes, c_bytes(key), key.size(), &id); s != PSA_SUCCESS)
    return fail(Errc::crypto, "importing a content key", s);
  return VolatileKey(id);
}

Result<> gcm_seal(KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2, ByteView plaintext, MutableBytes out) {
  SC_ASSERT(out.size() == plaintext.size() + gcm_tag_size);
  Gcm gcm;
  auto rest = out;
  auto s = gcm.start(AeadUse::seal, key, nonce, aad1, aad2);
  if (s == PSA_SUCCESS) s = gcm.update(plaintext, rest);
  if (s == PSA_SUCCESS) s = gcm.finish(rest);
  if (s == PSA_SUCCESS && rest.empty()) return {};
  wipe(out);
  return fail(Errc::crypto, "sealing", s);
}

Result<> gcm_open(KeyId key, GcmNonce nonce, ByteView aad1, ByteView aad2, ByteView ciphertext, MutableBytes out) {
  if (ciphertext.size() < gcm_tag_size) return fail(Errc::not_decryptable, "ciphertext is shorter than its tag");
  const auto size = ciphertext.size() - gcm_tag_size;
  SC_ASSERT(out.size() == size);
  Gcm gcm;
  auto rest = out;
  auto s = gcm.start(AeadUse::open, key, nonce, aad1, aad2);
  if (s == PSA_SUCCESS) s = gcm.update(ciphertext.first(size), rest);
  if (s == PSA_SUCCESS) s = gcm.verify(ciphertext.subspan(size), rest);
  if (s == PSA_SUCCESS && rest.empty()) return {};
  wipe(out);
  if (s == PSA_ERROR_INVALID_SIGNATURE) return fail(Errc::not_decryptable, "tag does not match", s);
  return fail(Errc::crypto, "opening", s);
}

Result<> hkdf_extract(HkdfHash hash, ByteView salt, ByteView input, MutableBytes prk) {
  SC_ASSERT(prk.size() == PSA_HASH_LENGTH(algorithm(hash)));
  return Derivation(PSA_ALG_HKDF_EXTRACT(algorithm(hash)))
      .input(PSA_KEY_DERIVATION_INPUT_SALT, salt)
      .input(PSA_KEY_DERIVATION_INPUT_SECRET, input)
      .output(prk);
}

Result<> hkdf_expand(HkdfHash hash, ByteView prk, ByteView info, MutableBytes out) {
  return Derivation(PSA_ALG_HKDF_EXPAND(algorithm(hash)))
      .input(PSA_KEY_DERIVATION_INPUT_SECRET, prk)
      .input(PSA_KEY_DERIVATION_INPUT_INFO, info)
      .output(out);
}

Result<Digest> hmac_sha256(ByteView key, ByteView message) {
  auto attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
  psa_set_key_algorithm(&attributes, PSA_ALG_HMAC(PSA_ALG_SHA_256));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
  psa_key_id_t id = 0;
  if (const auto s = psa_import_key(&attributes, c_bytes(key), key.size(), &id); s != PSA_SUCCESS)
    return fail(Errc::crypto, "importing a MAC key", s);
  const VolatileKey handle(id);
  Digest mac{};
  std::size_t size = 0;
  const auto s = psa_mac_compute(id, PSA_ALG_HMAC(PSA_ALG_SHA_256), c_bytes(message), message.size(),
                                 c_bytes(MutableBytes(mac)), mac.size(), &size);
  if (s != PSA_SUCCESS || size != mac.size()) return fail(Errc::crypto, "HMAC", s);
  return mac;
}

}  // namespace sealcam::crypto
