// SPDX-License-Identifier: Apache-2.0
#include "protocol/wifi.hpp"

#include <algorithm>

namespace sealcam::protocol {

Result<Passphrase> Passphrase::parse(std::string_view text) {
  const bool printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  if (text.size() < 8 || text.size() > 63 || !printable)
    return fail(Errc::malformed, "a Wi-Fi passphrase must have 8 to 63 printable ASCII characters");
  Passphrase passphrase;
  std::ranges::copy(as_bytes(text), passphrase.characters_.fill().begin());
  passphrase.size_ = text.size();
  return passphrase;
}

Passphrase Passphrase::duplicate() const noexcept {
  Passphrase other;
  std::ranges::copy(characters_.reveal(), other.characters_.fill().begin());
  other.size_ = size_;
  return other;
}

void write_wifi(crypto::CborWriter& writer, const Wifi& wifi) {
  writer.map(2).integer(1).bytes(wifi.ssid).integer(2).text(wifi.passphrase.reveal());
}

Result<Wifi> read_wifi(crypto::CborReader& reader) {
  if (auto r = reader.map(2); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto ssid = reader.bytes();
  if (!ssid) return std::unexpected(ssid.error());
  if (ssid->empty() || ssid->size() > 32)
    return fail(Errc::malformed, "the name of a Wi-Fi network must have 1 to 32 bytes");
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto text = reader.text();
  if (!text) return std::unexpected(text.error());
  auto passphrase = Passphrase::parse(*text);
  if (!passphrase) return std::unexpected(passphrase.error());
  return Wifi{{ssid->begin(), ssid->end()}, std::move(*passphrase)};
}

}  // namespace sealcam::protocol
