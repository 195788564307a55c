// SPDX-License-Identifier: Apache-2.0
#include "crypto/psa.hpp"

#include <psa/crypto.h>

#include <mutex>
#include <type_traits>
#include <utility>

// Misses extern "C" of its own in 3.6.
extern "C" {
#include <mbedtls/constant_time.h>
}

namespace sealcam::crypto {

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

VolatileKey::VolatileKey(VolatileKey&& other) noexcept : id_(std::exchange(other.id_, 0)) {}

VolatileKey& VolatileKey::operator=(VolatileKey&& other) noexcept {
  if (this != &other) {
    psa_destroy_key(id_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

VolatileKey::~VolatileKey() { psa_destroy_key(id_); }  // 0 is allowed and does nothing

}  // namespace sealcam::crypto
