// SPDX-License-Identifier: Apache-2.0
#include "crypto/hpke.hpp"

#include <psa/crypto.h>

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "crypto/internal.hpp"

namespace sealcam::crypto::hpke {

static_assert(tag_size == gcm_tag_size);

namespace {

// RFC 9180 section 7: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256.
constexpr std::uint16_t kem_id = 0x0010;
constexpr std::uint16_t kdf_id = 0x0001;
constexpr std::byte mode_base{0x00};

/// Joined bytes, wiped by the destructor because they may hold a secret. One allocation, so that no copy remains.
class Joined {
 public:
  Joined(std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    bytes_.reserve(size);
    for (const auto part : parts) bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;
  ~Joined() { wipe(bytes_); }
  [[nodiscard]] ByteView view() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

template <class... Int>
Bytes labeled_ids(std::string_view name, Int... ids) {
  Bytes out(name.size() + 2 * sizeof...(ids));
  std::ranges::copy(as_bytes(name), out.begin());
  auto rest = MutableBytes(out).subspan(name.size());
  ((store_be(rest, ids), rest = rest.subspan(2)), ...);
  return out;
}

Bytes kem_suite() { return labeled_ids("KEM", kem_id); }

/// RFC 9180 section 4.
Result<> labeled_extract(ByteView suite, ByteView salt, std::string_view label, ByteView input, MutableBytes prk) {
  const Joined labeled{as_bytes("HPKE-v1"), suite, as_bytes(label), input};
  return hkdf_extract(HkdfHash::sha256, salt, labeled.view(), prk);
}

/// mode, psk_id_hash, info_hash (RFC 9180 section 5.1).
Result<Bytes> key_schedule_context(ByteView suite, ByteView info) {
  Bytes context(1 + 32 + 32);
  context[0] = mode_base;
  const MutableBytes out = context;
  if (auto r = labeled_extract(suite, {}, "psk_id_hash", {}, out.subspan(1, 32)); !r) return std::unexpected(r.error());
  if (auto r = labeled_extract(suite, {}, "info_hash", info, out.subspan(33, 32)); !r)
    return std::unexpected(r.error());
  return context;
}

}  // namespace

namespace detail {

Bytes suite_id(Aead aead) { return labeled_ids("HPKE", kem_id, kdf_id, static_cast<std::uint16_t>(aead)); }

Result<> labeled_expand(ByteView suite, ByteView prk, std::string_view label, ByteView info, MutableBytes out) {
  std::array<std::byte, 2> length;
  store_be(length, static_cast<std::uint16_t>(out.size()));
  const Joined labeled{length, as_bytes("HPKE-v1"), suite, as_bytes(label), info};
  return hkdf_expand(HkdfHash::sha256, prk, labeled.view(), out);
}

Result<Secret<32>> shared_secret(const AgreementKey& own, const PublicKey& peer, const Enc& enc,
                                 const PublicKey& recipient) {
  Secret<32> dh, prk, shared;
  std::size_t size = 0;
  const auto s = psa_raw_key_agreement(PSA_ALG_ECDH, own.key_id(), c_bytes(ByteView(peer.bytes())), PublicKey::size,
                                       c_bytes(MutableBytes(dh.fill())), dh.size(), &size);
  if (s != PSA_SUCCESS || size != dh.size()) return fail(Errc::crypto, "key agreement", s);
  const auto suite = kem_suite();
  if (auto r = labeled_extract(suite, {}, "eae_prk", dh.reveal(), prk.fill()); !r) return std::unexpected(r.error());
  const Joined context{enc, recipient.bytes()};
  if (auto r = labeled_expand(suite, prk.reveal(), "shared_secret", context.view(), shared.fill()); !r)
    return std::unexpected(r.error());
  return shared;
}

Result<KeySchedule> key_schedule(Aead aead, const Secret<32>& shared_secret, ByteView info) {
  const auto suite = suite_id(aead);
  auto context = key_schedule_context(suite, info);
  if (!context) return std::unexpected(context.error());
  KeySchedule out;
  out.context = std::move(*context);
  if (auto r = labeled_extract(suite, shared_secret.reveal(), "secret", {}, out.secret.fill()); !r)
    return std::unexpected(r.error());
  const auto key = MutableBytes(out.key.fill()).first(key_size(aead));
  if (auto r = labeled_expand(suite, out.secret.reveal(), "key", out.context, key); !r)
    return std::unexpected(r.error());
  if (auto r = labeled_expand(suite, out.secret.reveal(), "base_nonce", out.context, out.base_nonce.fill()); !r)
    return std::unexpected(r.error());
  return out;
}

}  // namespace detail

Result<Context> Context::open(Aead aead, bool sender, const Secret<32>& shared_secret, ByteView info) {
  auto schedule = detail::key_schedule(aead, shared_secret, info);
  if (!schedule) return std::unexpected(schedule.error());
  const auto key = ByteView(schedule->key.reveal()).first(detail::key_size(aead));
  auto handle = import_gcm_key(key, sender ? AeadUse::seal : AeadUse::open);
  if (!handle) return std::unexpected(handle.error());
  return Context(std::move(*handle), std::move(schedule->base_nonce));
}

Result<std::array<std::byte, 12>> Context::next_nonce() {
  if (sequence_ == std::numeric_limits<std::uint64_t>::max()) return fail(Errc::exhausted, "HPKE sequence number");
  std::array<std::byte, 12> nonce{};
  store_be(MutableBytes(nonce).last<8>(), sequence_);
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= base_nonce_.reveal()[i];
  return nonce;
}

Result<SenderContext> SenderContext::setup(Aead aead, const PublicKey& recipient, ByteView info) {
  const auto ephemeral = generate_agreement_key();
  if (!ephemeral) return std::unexpected(ephemeral.error());
  return setup(aead, recipient, info, AgreementKey(ephemeral->first.id(), ephemeral->second));
}

Result<SenderContext> SenderContext::setup(Aead aead, const PublicKey& recipient, ByteView info,
                                           const AgreementKey& ephemeral) {
  Enc enc;
  std::ranges::copy(ephemeral.public_key().bytes(), enc.begin());
  const auto shared = detail::shared_secret(ephemeral, recipient, enc, recipient);
  if (!shared) return std::unexpected(shared.error());
  auto context = open(aead, true, *shared, info);
  if (!context) return std::unexpected(context.error());
  return SenderContext(std::move(*context), enc);
}

Result<Bytes> SenderContext::seal(ByteView aad, ByteView plaintext) {
  const auto nonce = next_nonce();
  if (!nonce) return std::unexpected(nonce.error());
  ++sequence_;  // also if sealing fails, so that no nonce is used twice
  Bytes out(plaintext.size() + tag_size);
  if (auto r = gcm_seal(key_.id(), *nonce, aad, {}, plaintext, out); !r) return std::unexpected(r.error());
  return out;
}

Result<RecipientContext> RecipientContext::setup(Aead aead, const Enc& enc, const AgreementKey& own, ByteView info) {
  const auto ephemeral = PublicKey::parse(enc);
  if (!ephemeral) return std::unexpected(ephemeral.error());
  const auto shared = detail::shared_secret(own, *ephemeral, enc, own.public_key());
  if (!shared) return std::unexpected(shared.error());
  auto context = Context::open(aead, false, *shared, info);
  if (!context) return std::unexpected(context.error());
  return RecipientContext(std::move(*context));
}

Result<Bytes> RecipientContext::open(ByteView aad, ByteView ciphertext) {
  if (ciphertext.size() < tag_size) return fail(Errc::not_decryptable, "HPKE ciphertext is shorter than its tag");
  const auto nonce = next_nonce();
  if (!nonce) return std::unexpected(nonce.error());
  Bytes out(ciphertext.size() - tag_size);
  if (auto r = gcm_open(key_.id(), *nonce, aad, {}, ciphertext, out); !r) return std::unexpected(r.error());
  ++sequence_;  // RFC 9180 section 5.2: only a message that was opened counts
  return out;
}

Result<Sealed> seal(const PublicKey& recipient, ByteView info, ByteView plaintext) {
  auto context = SenderContext::setup(Aead::aes_128_gcm, recipient, info);
  if (!context) return std::unexpected(context.error());
  auto ciphertext = context->seal({}, plaintext);
  if (!ciphertext) return std::unexpected(ciphertext.error());
  return Sealed{context->enc(), std::move(*ciphertext)};
}

Result<Bytes> open(const AgreementKey& own, const Enc& enc, ByteView info, ByteView ciphertext) {
  auto context = RecipientContext::setup(Aead::aes_128_gcm, enc, own, info);
  if (!context) return std::unexpected(context.error());
  return context->open({}, ciphertext);
}

}  // namespace sealcam::crypto::hpke
