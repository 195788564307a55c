// SPDX-License-Identifier: Apache-2.0
#include "crypto/psa.hpp"

#include <psa/crypto.h>

#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

// This header of mbedTLS 3.6 lacks extern "C".
extern "C" {
#include <mbedtls/constant_time.h>
}

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

}  // namespace sealcam::crypto
