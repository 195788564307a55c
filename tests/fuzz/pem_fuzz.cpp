// SPDX-License-Identifier: Apache-2.0
// Certificates, requests and TLS keys. The first byte selects the type. If its highest bit is set, the rest is DER that
// the test encodes as PEM, because base64 hides the structure from the fuzzer.
#include "base/format.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "transport/tls/certificate.hpp"

using namespace sealcam;
using namespace sealcam::transport;

namespace {

std::string base64(ByteView bytes) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto part = bytes.subspan(i, std::min<std::size_t>(3, bytes.size() - i));
    std::array<std::byte, 4> block{};
    std::ranges::copy(part, block.begin() + 1);
    const auto bits = load_be<std::uint32_t>(block);
    for (unsigned k = 0; k < 4; ++k) text += k <= part.size() ? alphabet[bits >> (18 - 6 * k) & 63U] : '=';
    if (i % 48 == 45) text += '\n';
  }
  return text;
}

std::string pem(std::string_view label, ByteView der) {
  return sealcam::format("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", label, base64(der));
}

struct Authority {
  TlsKey key = fuzz::must(TlsKey::generate());
  std::string certificate = fuzz::must(make_authority(key, "operator"));
};
const Authority& authority() {
  static const auto* const one = new Authority;
  return *one;
}

void check_key(ByteView text) {
  const auto key = TlsKey::from_pem(text);
  if (!key) return;
  SC_ASSERT(equal(key->reveal_pem(), text));
  SC_ASSERT(make_request(*key, "device").has_value());
}

void check_request(std::string_view text) {
  const auto name = requested_name(text);
  const auto key = requested_key(text);
  if (!name || !key) return;
  SC_ASSERT(crypto::PublicKey::parse(*key).has_value());
  const auto certificate =
      sign_request(authority().certificate, authority().key, text, *name, CertificateUse::client, {});
  if (!certificate) SC_ASSERT(certificate.error().code == Errc::invalid_argument);  // the name is invalid
  else SC_ASSERT(fuzz::must(certificate_name(*certificate)) == *name);
}

void check_certificate(std::string_view text) {
  const auto name = certificate_name(text);
  if (name) SC_ASSERT(name->size() <= text.size());
  // The fuzzer's certificate as the authority that signs a request.
  static const auto* const request = new std::string(fuzz::must(make_request(authority().key, "device")));
  const auto made = sign_request(text, authority().key, *request, "device", CertificateUse::client, {});
  if (made) SC_ASSERT(fuzz::must(certificate_name(*made)) == "device");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)authority();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  const bool der = (choice & 0x80U) != 0;
  const auto rest = in.rest();
  const auto text = [&](std::string_view label) { return der ? pem(label, rest) : std::string(as_text(rest)); };
  switch (choice % 4) {
    case 0: check_key(as_bytes(text("EC PRIVATE KEY"))); break;
    case 1: check_key(as_bytes(text("PRIVATE KEY"))); break;
    case 2: check_request(text("CERTIFICATE REQUEST")); break;
    case 3: check_certificate(text("CERTIFICATE")); break;
  }
  return 0;
}
