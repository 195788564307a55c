// SPDX-License-Identifier: Apache-2.0
// The SFrame header (RFC 9605 section 4.3), and opening a ciphertext that is not authentic.
#include "crypto/sframe.hpp"
#include "input.hpp"
#include "parties.hpp"

using namespace sealcam;
namespace sframe = crypto::sframe;

namespace {

const sframe::OpeningKey& key_of(sframe::CipherSuite suite) {
  const auto make = [](sframe::CipherSuite s) {
    fuzz::must(crypto::init());
    return new sframe::OpeningKey(fuzz::must(sframe::OpeningKey::open(s, sframe::KeyId(7), sframe::BaseKey())));
  };
  static const auto* const small = make(sframe::CipherSuite::aes_128_gcm_sha256_128);
  static const auto* const large = make(sframe::CipherSuite::aes_256_gcm_sha512_128);
  return suite == sframe::CipherSuite::aes_128_gcm_sha256_128 ? *small : *large;
}

void check_header(ByteView bytes) {
  const auto parsed = sframe::parse_header(bytes);
  if (!parsed) {
    SC_ASSERT(parsed.error().code == Errc::malformed);
    return;
  }
  SC_ASSERT(parsed->size <= bytes.size() && parsed->size <= sframe::max_header_size);
  SC_ASSERT(parsed->size == sframe::header_size(parsed->header));
  std::array<std::byte, sframe::max_header_size> again{};
  const auto size = sframe::write_header(parsed->header, again);
  SC_ASSERT(equal(ByteView(again).first(size), bytes.first(parsed->size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto suite =
      in.byte() % 2 == 0 ? sframe::CipherSuite::aes_128_gcm_sha256_128 : sframe::CipherSuite::aes_256_gcm_sha512_128;
  const auto metadata = in.take(in.byte() % 64);
  const auto ciphertext = in.rest();
  check_header(ciphertext);

  const auto& key = key_of(suite);
  Bytes out(ciphertext.size(), std::byte{0xaa});
  const auto opened = key.open(out, metadata, ciphertext);
  if (opened) SC_ASSERT(fuzz::inside(*opened, out) && opened->size() + sframe::tag_size < ciphertext.size());
  else SC_ASSERT(std::ranges::all_of(out, [](std::byte b) { return b == std::byte{}; }));
  return 0;
}
