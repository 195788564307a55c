// SPDX-License-Identifier: Apache-2.0
/// Wi-Fi access as owners hand it to a device: in a command, and at pairing.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"
#include "crypto/cbor.hpp"

namespace sealcam::protocol {

/// A WPA passphrase (IEEE 802.11-2020 J.4.1): 8 to 63 printable ASCII characters. Move-only, wiped, not printable.
class Passphrase {
 public:
  /// Errors: malformed. The caller wipes its own copy.
  [[nodiscard]] static Result<Passphrase> parse(std::string_view text);
  Passphrase(Passphrase&&) noexcept = default;
  Passphrase& operator=(Passphrase&&) noexcept = default;
  /// Another one with the same content: copies are made where somebody says so.
  [[nodiscard]] Passphrase duplicate() const noexcept;
  /// The only way to the content.
  [[nodiscard]] std::string_view reveal() const noexcept { return as_text(characters_.reveal().first(size_)); }

 private:
  Passphrase() = default;
  Secret<63> characters_;
  std::size_t size_ = 0;
};

struct Wifi {
  Bytes ssid;  ///< 1 to 32 bytes; no text (IEEE 802.11-2020 9.4.2.2)
  Passphrase passphrase;

  [[nodiscard]] Wifi duplicate() const { return {ssid, passphrase.duplicate()}; }
};

/// Why a camera is not in the network that its owner named last, as its grants say it.
enum class WifiTrouble : std::uint8_t {
  cannot = 1,      ///< this board joins no networks; the camera's own doctor says why
  not_found = 2,   ///< no such network in reach
  refused = 3,     ///< the network refused the passphrase
  no_address = 4,  ///< the network gave no address
  no_broker = 5,   ///< the broker was not reached over it
  other = 6,
};

/// {1: ssid, 2: passphrase}. The buffer then holds a secret.
void write_wifi(crypto::CborWriter& writer, const Wifi& wifi);
/// Errors: malformed.
[[nodiscard]] Result<Wifi> read_wifi(crypto::CborReader& reader);

}  // namespace sealcam::protocol
