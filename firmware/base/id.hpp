// SPDX-License-Identifier: Apache-2.0
/// Identities. An identity is the first 20 bytes of the COSE Key Thumbprint (RFC 9679, SHA-256) of a P-256 public key.
/// Its text has 32 lower-case base32 letters.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/encoding.hpp"

namespace sealcam {

template <class Tag>
class Id {
 public:
  static constexpr std::size_t size = 20;
  static constexpr std::size_t text_size = 32;

  constexpr Id() noexcept = default;
  constexpr explicit Id(std::span<const std::byte, size> bytes) noexcept {
    for (std::size_t i = 0; i < size; ++i) bytes_[i] = bytes[i];
  }
  /// Nothing else makes an identity from text. Errors: malformed.
  [[nodiscard]] static Result<Id> parse(std::string_view text) {
    Id id;
    if (auto r = from_base32(text, id.bytes_); !r) return std::unexpected(r.error());
    return id;
  }
  /// From exactly 20 bytes. Errors: malformed.
  [[nodiscard]] static Result<Id> from(ByteView bytes) noexcept {
    if (bytes.size() != size) return fail(Errc::malformed, "an identity has 20 bytes");
    return Id(bytes.first<size>());
  }
  [[nodiscard]] std::span<const std::byte, size> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::string to_string() const { return to_base32(bytes_); }
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::array<std::byte, size> bytes_{};
};

/// A device that signs messages: a camera, a hub or an owner's machine.
using DeviceId = Id<struct DeviceTag>;
/// One owner's cameras and hubs: the identity of the owner's key.
using AccountId = Id<struct AccountTag>;

/// The owner signs like a device. The id of that device has the bytes of the account's id.
[[nodiscard]] inline DeviceId owner_of(const AccountId& account) noexcept { return DeviceId(account.bytes()); }

}  // namespace sealcam
