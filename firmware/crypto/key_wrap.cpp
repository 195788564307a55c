// SPDX-License-Identifier: Apache-2.0
#include "crypto/key_wrap.hpp"

#include <algorithm>
#include <utility>

#include "crypto/symmetric.hpp"

namespace sealcam::crypto {

static_assert(WrappingKey::overhead == gcm_nonce_size + gcm_tag_size);

Result<WrappingKey> WrappingKey::open(const Secret<32>& key) {
  auto sealing = import_gcm_key(key.reveal(), AeadUse::seal);
  if (!sealing) return std::unexpected(sealing.error());
  auto opening = import_gcm_key(key.reveal(), AeadUse::open);
  if (!opening) return std::unexpected(opening.error());
  return WrappingKey(std::move(*sealing), std::move(*opening));
}

Result<Bytes> WrappingKey::wrap(ByteView context, ByteView secret) const {
  Bytes out(secret.size() + overhead);
  const auto nonce = std::span(out).first<gcm_nonce_size>();
  if (auto r = random(nonce); !r) return std::unexpected(r.error());
  if (auto r = gcm_seal(sealing_.id(), nonce, context, {}, secret, MutableBytes(out).subspan(gcm_nonce_size)); !r)
    return std::unexpected(r.error());
  return out;
}

Result<> WrappingKey::unwrap(ByteView context, ByteView wrapped, MutableBytes out) const {
  if (wrapped.size() < overhead || out.size() != wrapped.size() - overhead)
    return fail(Errc::malformed, "size of a wrapped key");
  return gcm_open(opening_.id(), wrapped.first<gcm_nonce_size>(), context, {}, wrapped.subspan(gcm_nonce_size), out);
}

}  // namespace sealcam::crypto
