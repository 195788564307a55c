// SPDX-License-Identifier: Apache-2.0
/// Wi-Fi settings in commands and in the enrollment.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "crypto/cbor.hpp"

namespace sealcam::protocol {

/// A WPA passphrase (IEEE 802.11-2020 J.4.1): 8 to 63 printable ASCII characters. Move-only, wiped, not printable.
class Passphrase {
 public:
  /// Errors: malformed. The caller wipes its own copy.
  [[nodiscard]] static Result<Passphrase> parse(std::string_view text);
  Passphrase(Passphrase&&) noexcept = default;
  Passphrase& operator=(Passphrase&&) noexcept = default;
  /// A second object with the same content. There is no implicit copy.
  [[nodiscard]] Passphrase duplicate() const noexcept;
  [[nodiscard]] std::string_view reveal() const noexcept { return as_text(characters_.reveal().first(size_)); }

 private:
  Passphrase() = default;
  Secret<63> characters_;
  std::size_t size_ = 0;
};

struct Wifi {
  Bytes ssid;  ///< 1 to 32 bytes of any value (IEEE 802.11-2020 9.4.2.2)
  Passphrase passphrase;

  [[nodiscard]] Wifi duplicate() const { return {ssid, passphrase.duplicate()}; }
};

/// Why a camera is not in its owner's network. Part of its grants.
enum class WifiFault : std::uint8_t {
  cannot = 1,      ///< this board cannot join networks; 'sealcam-camera --doctor' reports why
  not_found = 2,   ///< no such network in range
  rejected = 3,    ///< the network rejected the passphrase
  no_address = 4,  ///< the network gave no address
  no_broker = 5,   ///< the broker is not reachable over the network
  other = 6,
};

/// {1: ssid, 2: passphrase}. The caller wipes the buffer, because it holds a secret.
void write_wifi(crypto::CborWriter& writer, const Wifi& wifi);
/// Errors: malformed.
[[nodiscard]] Result<Wifi> read_wifi(crypto::CborReader& reader);

}  // namespace sealcam::protocol
