// SPDX-License-Identifier: Apache-2.0
#include "crypto/sframe.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "crypto/internal.hpp"

namespace sealcam::crypto::sframe {

static_assert(tag_size == gcm_tag_size && nonce_size == gcm_nonce_size);

namespace {

/// Number of bytes of a KID or CTR after the config byte; 0 for a value below 8.
std::size_t field_size(std::uint64_t value) noexcept {
  return value < 8 ? 0 : (static_cast<std::size_t>(std::bit_width(value)) + 7) / 8;
}

/// The four bits of the config byte: the value itself, or a flag and the number of bytes minus one.
unsigned field_bits(std::uint64_t value) noexcept {
  const auto size = field_size(value);
  return size == 0 ? static_cast<unsigned>(value) : 8U | static_cast<unsigned>(size - 1);
}

void write_field(std::uint64_t value, MutableBytes& out) noexcept {
  const auto size = field_size(value);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
  out = out.subspan(size);
}

Result<std::uint64_t> read_field(unsigned bits, ByteView& in) noexcept {
  if (bits < 8) return bits;
  const std::size_t size = (bits & 7U) + 1;
  if (in.size() < size) return fail(Errc::malformed, "SFrame header is truncated");
  std::uint64_t value = 0;
  for (const auto b : in.first(size)) value = value << 8 | std::to_integer<std::uint64_t>(b);
  if (field_size(value) != size) return fail(Errc::malformed, "SFrame header is not in its shortest form");
  in = in.subspan(size);
  return value;
}

template <std::size_t Size>
std::array<std::byte, Size> label(std::string_view text, CipherSuite suite, std::uint64_t kid) noexcept {
  std::array<std::byte, Size> out;
  SC_ASSERT(text.size() + 10 == Size);
  std::ranges::copy(as_bytes(text), out.begin());
  store_be(MutableBytes(out).subspan(text.size()), kid);
  store_be(MutableBytes(out).subspan(text.size() + 8), static_cast<std::uint16_t>(suite));
  return out;
}

bool overlap(ByteView a, ByteView b) noexcept {
  const std::less<> before;
  return !a.empty() && !b.empty() && before(a.data(), b.data() + b.size()) && before(b.data(), a.data() + a.size());
}

}  // namespace

std::size_t header_size(const Header& header) noexcept { return 1 + field_size(header.kid) + field_size(header.ctr); }

std::size_t write_header(const Header& header, MutableBytes out) noexcept {
  const auto size = header_size(header);
  SC_ASSERT(out.size() >= size);
  out[0] = static_cast<std::byte>(field_bits(header.kid) << 4 | field_bits(header.ctr));
  auto rest = out.subspan(1);
  write_field(header.kid, rest);
  write_field(header.ctr, rest);
  return size;
}

Result<ParsedHeader> parse_header(ByteView ciphertext) noexcept {
  if (ciphertext.empty()) return fail(Errc::malformed, "SFrame header is missing");
  const auto config = std::to_integer<unsigned>(ciphertext[0]);
  auto rest = ciphertext.subspan(1);
  const auto kid = read_field(config >> 4, rest);
  if (!kid) return std::unexpected(kid.error());
  const auto ctr = read_field(config & 15U, rest);
  if (!ctr) return std::unexpected(ctr.error());
  return ParsedHeader{{*kid, *ctr}, ciphertext.size() - rest.size()};
}

namespace detail {

std::array<std::byte, key_label_size> key_label(CipherSuite suite, std::uint64_t kid) noexcept {
  return label<key_label_size>("SFrame 1.0 Secret key ", suite, kid);
}
std::array<std::byte, salt_label_size> salt_label(CipherSuite suite, std::uint64_t kid) noexcept {
  return label<salt_label_size>("SFrame 1.0 Secret salt ", suite, kid);
}

Result<Raw> derive_raw(CipherSuite suite, std::uint64_t kid, ByteView base_key) {
  const auto size = key_size(suite);
  if (size == 0) return fail(Errc::unsupported, "SFrame cipher suite");
  const bool small = suite == CipherSuite::aes_128_gcm_sha256_128;
  const auto hash = small ? HkdfHash::sha256 : HkdfHash::sha512;
  Raw raw;
  const auto secret = MutableBytes(raw.secret.fill()).first(small ? 32 : 64);
  if (auto r = hkdf_extract(hash, {}, base_key, secret); !r) return std::unexpected(r.error());
  const auto key = MutableBytes(raw.key.fill()).first(size);
  if (auto r = hkdf_expand(hash, secret, key_label(suite, kid), key); !r) return std::unexpected(r.error());
  if (auto r = hkdf_expand(hash, secret, salt_label(suite, kid), raw.salt.fill()); !r)
    return std::unexpected(r.error());
  return raw;
}

Result<Derived> derive_from(CipherSuite suite, std::uint64_t kid, ByteView base_key, bool sealing) {
  auto raw = derive_raw(suite, kid, base_key);
  if (!raw) return std::unexpected(raw.error());
  auto key =
      import_gcm_key(ByteView(raw->key.reveal()).first(key_size(suite)), sealing ? AeadUse::seal : AeadUse::open);
  if (!key) return std::unexpected(key.error());
  return Derived{std::move(*key), std::move(raw->salt)};
}

std::array<std::byte, nonce_size> nonce(const Secret<nonce_size>& salt, std::uint64_t ctr) noexcept {
  std::array<std::byte, nonce_size> out{};
  store_be(MutableBytes(out).last<8>(), ctr);
  for (std::size_t i = 0; i < nonce_size; ++i) out[i] ^= salt.reveal()[i];
  return out;
}

Result<MutableBytes> seal(const Derived& derived, const Header& header, MutableBytes out, ByteView metadata,
                          ByteView plaintext) {
  const auto head = header_size(header);
  SC_ASSERT(out.size() >= head + plaintext.size() + tag_size);
  out = out.first(head + plaintext.size() + tag_size);
  SC_ASSERT(!overlap(out, plaintext) && !overlap(out, metadata));
  write_header(header, out);
  if (auto r = gcm_seal(derived.key.id(), nonce(derived.salt, header.ctr), out.first(head), metadata, plaintext,
                        out.subspan(head));
      !r)
    return std::unexpected(r.error());
  return out;
}

Result<MutableBytes> open(const Derived& derived, std::uint64_t kid, MutableBytes out, ByteView metadata,
                          ByteView ciphertext) {
  SC_ASSERT(out.size() >= ciphertext.size());
  out = out.first(ciphertext.size());
  SC_ASSERT(!overlap(out, ciphertext) && !overlap(out, metadata));
  const auto reject = [&](const Error& error) -> Result<MutableBytes> {
    wipe(out);
    return std::unexpected(error);
  };
  const auto header = parse_header(ciphertext);
  if (!header) return reject(header.error());
  if (header->header.kid != kid) return reject({Errc::wrong_key, 0, "SFrame KID of another key"});
  const auto body = ciphertext.subspan(header->size);
  if (body.size() < tag_size) return reject({Errc::malformed, 0, "SFrame ciphertext is shorter than its tag"});
  const auto plaintext = out.first(body.size() - tag_size);
  if (auto r = gcm_open(derived.key.id(), nonce(derived.salt, header->header.ctr), ciphertext.first(header->size),
                        metadata, body, plaintext);
      !r)
    return reject(r.error());
  return plaintext;
}

}  // namespace detail

Result<Derived> derive(CipherSuite suite, std::uint64_t kid, const BaseKey& base, bool sealing) {
  return detail::derive_from(suite, kid, ByteView(base.reveal()).first(key_size(suite)), sealing);
}

Result<SealingKey> SealingKey::open(CipherSuite suite, KeyId kid, const BaseKey& base, Counter limit) {
  if (limit.value() > std::uint64_t{1} << 32) return fail(Errc::invalid_argument, "SFrame counter limit");
  auto derived = derive(suite, kid.value(), base, true);
  if (!derived) return std::unexpected(derived.error());
  return SealingKey(std::move(*derived), kid, limit);
}

std::size_t SealingKey::sealed_size(std::size_t n) const noexcept {
  return header_size({kid_, counter_}) + n + tag_size;
}

Result<MutableBytes> SealingKey::seal(MutableBytes out, ByteView metadata, ByteView plaintext) {
  if (counter_ >= limit_) return fail(Errc::exhausted, "SFrame counter");
  const Header header{kid_, counter_++};
  return detail::seal(derived_, header, out, metadata, plaintext);
}

Result<OpeningKey> OpeningKey::open(CipherSuite suite, KeyId kid, const BaseKey& base) {
  auto derived = derive(suite, kid.value(), base, false);
  if (!derived) return std::unexpected(derived.error());
  return OpeningKey(std::move(*derived), kid);
}

Result<MutableBytes> OpeningKey::open(MutableBytes out, ByteView metadata, ByteView ciphertext) const {
  return detail::open(derived_, kid_, out, metadata, ciphertext);
}

}  // namespace sealcam::crypto::sframe
