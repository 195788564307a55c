// SPDX-License-Identifier: Apache-2.0
#include "crypto/passphrase.hpp"

#include <mbedtls/pem.h>

#include <memory>

#include "base/format.hpp"
#include "crypto/keys.hpp"
#include "crypto/symmetric.hpp"

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

}  // namespace sealcam::crypto
