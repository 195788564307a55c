// SPDX-License-Identifier: Apache-2.0
#include "crypto/sha256.hpp"

#include <psa/crypto.h>

#include <new>

namespace sealcam::crypto {

namespace {

psa_hash_operation_t* operation(std::array<std::byte, 512>& room) noexcept {
  return std::launder(reinterpret_cast<psa_hash_operation_t*>(room.data()));
}

}  // namespace

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
  failed_ = true;  // a second finish() has nothing to give
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

}  // namespace sealcam::crypto
