// SPDX-License-Identifier: Apache-2.0
#include "crypto/passphrase.hpp"

#include <mbedtls/pkcs5.h>

namespace sealcam::crypto {

Result<Passphrase> Passphrase::make(ByteView bytes) {
  if (bytes.empty()) return fail(Errc::invalid_argument, "the passphrase is empty");
  if (bytes.size() > max_size) return fail(Errc::invalid_argument, "the passphrase is longer than 256 bytes");
  Passphrase out;
  std::ranges::copy(bytes, out.bytes_.fill().begin());
  out.size_ = bytes.size();
  return out;
}

Result<> pbkdf2(const Passphrase& passphrase, ByteView salt, std::uint32_t iterations, MutableBytes out) {
  if (iterations == 0 || iterations > most_iterations) return fail(Errc::invalid_argument, "iterations of PBKDF2");
  const auto word = passphrase.reveal();
  const int status =
      mbedtls_pkcs5_pbkdf2_hmac_ext(MBEDTLS_MD_SHA256, c_bytes(word), word.size(), c_bytes(salt), salt.size(),
                                    iterations, static_cast<std::uint32_t>(out.size()), c_bytes(out));
  if (status != 0) return fail(Errc::crypto, "making a key of a passphrase", status);
  return {};
}

}  // namespace sealcam::crypto
