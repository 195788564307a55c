// SPDX-License-Identifier: Apache-2.0
#include "crypto/keys.hpp"

#include <psa/crypto.h>

#include <algorithm>
#include <utility>

#include "crypto/internal.hpp"

namespace sealcam::crypto {

namespace {

using KeyPair = std::pair<VolatileKey, PublicKey>;

Result<VolatileKey> import_public(ByteView sec1) {
  auto attributes = policy::verification();
  psa_key_id_t id = 0;
  const auto s = psa_import_key(&attributes, c_bytes(sec1), sec1.size(), &id);
  if (s == PSA_ERROR_INVALID_ARGUMENT) return fail(Errc::malformed, "public key is not a point on P-256", s);
  if (s != PSA_SUCCESS) return fail(Errc::crypto, "importing a public key", s);
  return VolatileKey(id);
}

Result<KeyPair> with_public(VolatileKey key) {
  auto public_key = policy::public_key_of(key.id());
  if (!public_key) return std::unexpected(public_key.error());
  return KeyPair(std::move(key), *public_key);
}

Result<KeyPair> generate(psa_key_attributes_t attributes) {
  psa_key_id_t id = 0;
  if (const auto s = psa_generate_key(&attributes, &id); s != PSA_SUCCESS)
    return fail(Errc::crypto, "creating a key", s);
  return with_public(VolatileKey(id));
}

Result<KeyPair> import_scalar(psa_key_attributes_t attributes, const Secret<32>& scalar) {
  psa_key_id_t id = 0;
  const auto s = psa_import_key(&attributes, c_bytes(ByteView(scalar.reveal())), scalar.size(), &id);
  if (s == PSA_ERROR_INVALID_ARGUMENT) return fail(Errc::malformed, "private key is out of range", s);
  if (s != PSA_SUCCESS) return fail(Errc::crypto, "importing a private key", s);
  return with_public(VolatileKey(id));
}

}  // namespace

namespace policy {

namespace {

psa_key_attributes_t p256(psa_key_type_t type, psa_key_usage_t usage, psa_algorithm_t algorithm) {
  auto attributes = psa_key_attributes_init();
  psa_set_key_type(&attributes, type);
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, usage);
  psa_set_key_algorithm(&attributes, algorithm);
  return attributes;
}

}  // namespace

psa_key_attributes_t signing() {
  return p256(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_SIGN_HASH, es256_algorithm);
}
psa_key_attributes_t verification() {
  return p256(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_VERIFY_HASH, es256_algorithm);
}
psa_key_attributes_t agreement() {
  return p256(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH);
}

Result<PublicKey> public_key_of(KeyId id) {
  std::array<std::byte, PublicKey::size> sec1;
  std::size_t size = 0;
  const auto s = psa_export_public_key(id, c_bytes(MutableBytes(sec1)), sec1.size(), &size);
  if (s != PSA_SUCCESS) return fail(Errc::crypto, "reading a public key", s);
  return PublicKey::parse(ByteView(sec1).first(size));
}

}  // namespace policy

Result<PublicKey> PublicKey::parse(ByteView sec1) {
  if (sec1.size() != size || sec1[0] != std::byte{0x04})
    return fail(Errc::malformed, "public key is not an uncompressed point");
  if (const auto handle = import_public(sec1); !handle) return std::unexpected(handle.error());
  PublicKey key;
  std::ranges::copy(sec1, key.bytes_.begin());
  return key;
}

Digest PublicKey::thumbprint() const {
  // RFC 9679 section 4: only the required members, in the order of their encoded labels.
  static constexpr auto head = std::to_array<std::uint8_t>({
      0xa4,              // map(4)
      0x01, 0x02,        // 1 (kty): 2 (EC2)
      0x20, 0x01,        // -1 (crv): 1 (P-256)
      0x21, 0x58, 0x20,  // -2 (x): 32 bytes
  });
  static constexpr auto before_y = std::to_array<std::uint8_t>({0x22, 0x58, 0x20});  // -3 (y): 32 bytes
  const ByteView point = bytes_;
  const auto digest = Sha256()
                          .update(std::as_bytes(std::span(head)))
                          .update(point.subspan(1, 32))
                          .update(std::as_bytes(std::span(before_y)))
                          .update(point.subspan(33, 32))
                          .finish();
  SC_ASSERT(digest.has_value());  // SHA-256 of 75 bytes fails only if init() was not called
  return *digest;
}

DeviceId PublicKey::id() const {
  return DeviceId(std::span<const std::byte, 32>(thumbprint()).first<DeviceId::size>());
}

Result<Verifier> Verifier::open(const PublicKey& key) {
  auto handle = import_public(key.bytes());
  if (!handle) return std::unexpected(handle.error());
  return Verifier(std::move(*handle), key);
}

namespace {

/// The order n of P-256 (SEC 2 section 2.4.2), and n/2 rounded down. Big-endian.
constexpr auto order = std::to_array<std::uint8_t>({0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                                    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51});
constexpr auto half_order = std::to_array<std::uint8_t>(
    {0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8});

}  // namespace

bool has_low_s(std::span<const std::byte, 64> signature) noexcept {
  return !std::ranges::lexicographical_compare(std::as_bytes(std::span(half_order)), signature.last<32>());
}

void make_low_s(Signature& signature) noexcept {
  if (has_low_s(signature)) return;
  unsigned borrow = 0;
  for (std::size_t i = order.size(); i-- > 0;) {
    std::byte& digit = signature[32 + i];
    const unsigned difference = order[i] - std::to_integer<unsigned>(digit) - borrow;
    digit = static_cast<std::byte>(difference & 0xffU);
    borrow = difference >> 8 & 1U;
  }
}

Result<> Verifier::verify(const Digest& digest, std::span<const std::byte, 64> signature) const {
  if (!has_low_s(signature)) return fail(Errc::bad_signature, "signature has the greater of two possible values of s");
  const auto s = psa_verify_hash(handle_.id(), policy::es256_algorithm, c_bytes(ByteView(digest)), digest.size(),
                                 c_bytes(ByteView(signature)), signature.size());
  if (s == PSA_SUCCESS) return {};
  if (s == PSA_ERROR_INVALID_SIGNATURE) return fail(Errc::bad_signature, "signature does not match", s);
  return fail(Errc::crypto, "verifying a signature", s);
}

Result<Signature> SigningKey::sign(const Digest& digest) const {
  Signature signature;
  std::size_t size = 0;
  const auto s = psa_sign_hash(id_, policy::es256_algorithm, c_bytes(ByteView(digest)), digest.size(),
                               c_bytes(MutableBytes(signature)), signature.size(), &size);
  if (s != PSA_SUCCESS || size != signature.size()) return fail(Errc::crypto, "signing", s);
  make_low_s(signature);
  return signature;
}

Result<KeyPair> generate_signing_key() { return generate(policy::signing()); }
Result<KeyPair> generate_agreement_key() { return generate(policy::agreement()); }
Result<KeyPair> import_signing_key(const Secret<32>& scalar) { return import_scalar(policy::signing(), scalar); }
Result<KeyPair> import_agreement_key(const Secret<32>& scalar) { return import_scalar(policy::agreement(), scalar); }

Result<VolatileDevice> VolatileDevice::generate() {
  auto identity = generate_signing_key();
  if (!identity) return std::unexpected(identity.error());
  auto hpke = generate_agreement_key();
  if (!hpke) return std::unexpected(hpke.error());
  VolatileDevice device;
  device.identity_ = std::move(identity->first);
  device.identity_public_ = identity->second;
  device.hpke_ = std::move(hpke->first);
  device.hpke_public_ = hpke->second;
  return device;
}

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
