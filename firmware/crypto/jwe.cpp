// SPDX-License-Identifier: Apache-2.0
#include "crypto/jwe.hpp"

#include <mbedtls/nist_kw.h>

#include <array>
#include <format>

#include "core/config.hpp"
#include "crypto/aead.hpp"

namespace sealcam::crypto {

namespace {

constexpr std::string_view algorithm = "PBES2-HS256+A128KW";
constexpr std::string_view encryption = "A128GCM";
constexpr std::size_t salt_size = 16;
constexpr std::size_t key_size = 16;
constexpr std::size_t wrapped_size = key_size + 8;  // RFC 3394 section 2.2.1
constexpr std::uint32_t fewest_iterations = 1000;   // RFC 7518 section 4.8.1.2

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// base64url without padding (RFC 7515 section 2).
std::string to_base64url(ByteView bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const auto byte : bytes) {
    bits = (bits << 8 | std::to_integer<std::uint32_t>(byte)) & 0xffff;
    for (waiting += 8; waiting >= 6; waiting -= 6) out += alphabet[bits >> (waiting - 6) & 0x3f];
  }
  if (waiting > 0) out += alphabet[bits << (6 - waiting) & 0x3f];
  return out;
}

/// One text for one content: bits that nobody reads are zero.
Result<Bytes> from_base64url(std::string_view text) {
  Bytes out;
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const char letter : text) {
    const auto value = alphabet.find(letter);
    if (value == std::string_view::npos) return fail(Errc::malformed, "base64url");
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffff;
    waiting += 6;
    if (waiting < 8) continue;
    waiting -= 8;
    out.push_back(static_cast<std::byte>(bits >> waiting & 0xff));
  }
  if (waiting >= 6 || (bits & ((1U << waiting) - 1)) != 0) return fail(Errc::malformed, "base64url");
  return out;
}

class KeyWrap {
 public:
  KeyWrap() { mbedtls_nist_kw_init(&context_); }
  KeyWrap(const KeyWrap&) = delete;
  KeyWrap& operator=(const KeyWrap&) = delete;
  ~KeyWrap() { mbedtls_nist_kw_free(&context_); }
  int set(const Secret<key_size>& key, bool wrap) {
    return mbedtls_nist_kw_setkey(&context_, MBEDTLS_CIPHER_ID_AES, c_bytes(ByteView(key.reveal())), 8 * key_size,
                                  wrap ? 1 : 0);
  }
  [[nodiscard]] mbedtls_nist_kw_context* get() noexcept { return &context_; }

 private:
  mbedtls_nist_kw_context context_{};
};

/// RFC 7518 section 4.8.1.1: the salt is the algorithm's name, a zero byte, and p2s.
Result<Secret<key_size>> wrapping_key(const Passphrase& passphrase, ByteView salt, std::uint32_t iterations) {
  const auto label = as_bytes(algorithm);
  Bytes whole(label.begin(), label.end());
  whole.push_back(std::byte{0});
  whole.insert(whole.end(), salt.begin(), salt.end());
  Secret<key_size> key;
  if (auto r = pbkdf2(passphrase, whole, iterations, key.fill()); !r) return std::unexpected(r.error());
  return key;
}

Result<std::array<std::byte, wrapped_size>> wrap(const Secret<key_size>& with, const Secret<key_size>& key) {
  KeyWrap kw;
  std::array<std::byte, wrapped_size> out{};
  std::size_t size = 0;
  int status = kw.set(with, true);
  if (status == 0)
    status = mbedtls_nist_kw_wrap(kw.get(), MBEDTLS_KW_MODE_KW, c_bytes(ByteView(key.reveal())), key.size(),
                                  c_bytes(MutableBytes(out)), &size, out.size());
  if (status != 0 || size != out.size()) return fail(Errc::crypto, "wrapping a content key", status);
  return out;
}

Result<Secret<key_size>> unwrap(const Secret<key_size>& with, ByteView wrapped) {
  KeyWrap kw;
  if (const int s = kw.set(with, false); s != 0) return fail(Errc::crypto, "unwrapping a content key", s);
  Secret<key_size> key;
  std::size_t size = 0;
  const int status = mbedtls_nist_kw_unwrap(kw.get(), MBEDTLS_KW_MODE_KW, c_bytes(wrapped), wrapped.size(),
                                            c_bytes(MutableBytes(key.fill())), &size, key.size());
  if (status != 0 || size != key.size())
    return fail(Errc::not_decryptable, "another passphrase, or the text was changed", status);
  return key;
}

struct Header {
  Bytes salt;
  std::uint32_t iterations = 0;
};

Result<Header> read_header(std::string_view encoded) {
  const auto json = from_base64url(encoded);
  if (!json) return std::unexpected(json.error());
  ConfigReader reader(as_text(*json));
  const auto alg = reader.text("/alg", ""), enc = reader.text("/enc", ""), salt = reader.text("/p2s", "");
  const auto iterations = reader.integer("/p2c", 0, 0, std::int64_t{1} << 52);
  if (reader.finish()) return fail(Errc::malformed, "header of a JWE");
  if (alg != algorithm || enc != encryption) return fail(Errc::unsupported, "a JWE of another kind");
  if (iterations < fewest_iterations || iterations > most_iterations)
    return fail(Errc::unsupported, "iterations of a JWE");
  auto bytes = from_base64url(salt);
  if (!bytes || bytes->size() < 8 || bytes->size() > 64) return fail(Errc::malformed, "salt of a JWE");
  return Header{std::move(*bytes), static_cast<std::uint32_t>(iterations)};
}

}  // namespace

Result<std::string> seal_with_passphrase(ByteView plaintext, const Passphrase& passphrase) {
  std::array<std::byte, salt_size> salt{};
  std::array<std::byte, gcm_nonce_size> iv{};
  Secret<key_size> content_key;
  if (auto r = init(); !r) return std::unexpected(r.error());
  if (auto r = random(salt); !r) return std::unexpected(r.error());
  if (auto r = random(iv); !r) return std::unexpected(r.error());
  if (auto r = random(content_key.fill()); !r) return std::unexpected(r.error());
  const auto outer = wrapping_key(passphrase, salt, passphrase_iterations);
  if (!outer) return std::unexpected(outer.error());
  const auto wrapped = wrap(*outer, content_key);
  if (!wrapped) return std::unexpected(wrapped.error());

  const auto header = to_base64url(as_bytes(std::format(R"({{"alg":"{}","enc":"{}","p2s":"{}","p2c":{}}})", algorithm,
                                                        encryption, to_base64url(salt), passphrase_iterations)));
  const auto key = import_gcm_key(ByteView(content_key.reveal()), AeadUse::seal);
  if (!key) return std::unexpected(key.error());
  Bytes sealed(plaintext.size() + gcm_tag_size);
  if (auto r = gcm_seal(key->id(), iv, as_bytes(header), {}, plaintext, sealed); !r) return std::unexpected(r.error());
  const auto [text, tag] = std::pair(ByteView(sealed).first(plaintext.size()), ByteView(sealed).last(gcm_tag_size));
  return std::format("{}.{}.{}.{}.{}", header, to_base64url(*wrapped), to_base64url(iv), to_base64url(text),
                     to_base64url(tag));
}

Result<Bytes> open_with_passphrase(std::string_view text, const Passphrase& passphrase) {
  std::array<std::string_view, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto dot = text.find('.');
    if ((dot == std::string_view::npos) != (i + 1 == parts.size())) return fail(Errc::malformed, "parts of a JWE");
    parts[i] = text.substr(0, dot);
    text.remove_prefix(std::min(parts[i].size() + 1, text.size()));
  }
  const auto header = read_header(parts[0]);
  if (!header) return std::unexpected(header.error());
  const auto wrapped = from_base64url(parts[1]), iv = from_base64url(parts[2]);
  auto sealed = from_base64url(parts[3]);
  const auto tag = from_base64url(parts[4]);
  if (!wrapped || !iv || !sealed || !tag || wrapped->size() != wrapped_size || iv->size() != gcm_nonce_size ||
      tag->size() != gcm_tag_size)
    return fail(Errc::malformed, "parts of a JWE");
  if (auto r = init(); !r) return std::unexpected(r.error());
  const auto outer = wrapping_key(passphrase, header->salt, header->iterations);
  if (!outer) return std::unexpected(outer.error());
  const auto content_key = unwrap(*outer, *wrapped);
  if (!content_key) return std::unexpected(content_key.error());
  const auto key = import_gcm_key(ByteView(content_key->reveal()), AeadUse::open);
  if (!key) return std::unexpected(key.error());
  sealed->insert(sealed->end(), tag->begin(), tag->end());
  Bytes out(sealed->size() - gcm_tag_size);
  const auto nonce = GcmNonce(iv->data(), gcm_nonce_size);
  if (auto r = gcm_open(key->id(), nonce, as_bytes(parts[0]), {}, *sealed, out); !r) return std::unexpected(r.error());
  return out;
}

}  // namespace sealcam::crypto
