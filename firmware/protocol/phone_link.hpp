// SPDX-License-Identifier: Apache-2.0
/// Messages that link a phone: a hub of the account that runs in a browser. README.md in this folder describes the link
/// code and the mailbox through which these messages travel. Reentrant.
#pragma once

#include <array>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/types.hpp"
#include "protocol/envelope.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::protocol {

/// Random bytes of the owner's program, as text in base64url without padding. Move-only, wiped, printable only by
/// reveal().
template <std::size_t N>
class TextSecret {
 public:
  static constexpr std::size_t text_size = (N * 8 + 5) / 6;
  /// From the random generator. Errors: crypto.
  [[nodiscard]] static Result<TextSecret> draw();
  /// Exactly `text_size` letters. Errors: malformed.
  [[nodiscard]] static Result<TextSecret> parse(std::string_view text);
  [[nodiscard]] std::span<const std::byte, N> bytes() const noexcept { return bytes_.reveal(); }
  /// The letters, never for a log. The caller wipes them if possible.
  [[nodiscard]] std::string reveal() const { return to_base64url(bytes_.reveal()); }

 private:
  explicit TextSecret(Secret<N> bytes) noexcept : bytes_(std::move(bytes)) {}
  Secret<N> bytes_;
};

/// In the fragment of the address that the owner's program shows to the phone. Valid for one link.
using LinkCode = TextSecret<16>;
/// With it and its id, a phone connects to the broker's WebSocket listener.
using PhonePassword = TextSecret<32>;

/// The name of one link in the mailbox, derived from the link code. In paths it is 32 lower-case hexadecimal digits.
using LinkSlot = std::array<std::byte, 16>;
/// Errors: malformed.
[[nodiscard]] Result<LinkSlot> parse_link_slot(std::string_view text);

/// From the owner to a hub: the hub keeps a slot of its mailbox for one link. external_aad: name "link", account = the
/// owner's, camera all zero.
struct LinkOpening {
  LinkSlot slot{};
  crypto::PublicKey owner;  ///< its thumbprint is the account
  CaptureTime time;         ///< by the clock of the owner's machine
};
/// Errors: crypto.
[[nodiscard]] Result<Bytes> encode_link_opening(const LinkOpening& opening, const crypto::SigningKey& owner);
/// Verifies that the key in the message signed it. `owner`: the only key that may sign, so that the signature of
/// another one costs nothing. Without it, the caller compares the key with that of its owner. Errors: malformed,
/// wrong_key (the header or the message names another signer), bad_signature.
[[nodiscard]] Result<LinkOpening> decode_link_opening(ByteView message, const crypto::PublicKey* owner = nullptr);

/// Slot and keys of one code. Move-only.
struct LinkKeys {
  LinkSlot slot{};
  Secret<32> descriptor;  ///< for the MAC of the link-descriptor
  Secret<32> enrollment;  ///< for the MAC of the link-enrollment
  /// HKDF-SHA-256 without salt. Errors: crypto.
  [[nodiscard]] static Result<LinkKeys> derive(const LinkCode& code);
};

/// From the phone to the owner: the signed device descriptor, with a MAC of the code.
struct LinkDescriptor {
  static constexpr std::size_t max_size = 4U << 10;
  DeviceDescriptor phone;  ///< role hub, without a TLS key
  Bytes message;           ///< the whole signed descriptor
};
/// `descriptor`: the whole signed message. Errors: crypto.
[[nodiscard]] Result<Bytes> encode_link_descriptor(ByteView descriptor, const LinkKeys& keys);
/// Checks the MAC first. Errors: malformed, wrong_key (the MAC is not of this code), bad_signature (also if the header
/// names another signer), unsupported (another role, or a TLS key), crypto.
[[nodiscard]] Result<LinkDescriptor> decode_link_descriptor(ByteView message, const LinkKeys& keys);

/// From the owner to the phone: all data that the phone needs in this account. external_aad: "phone-enrollment",
/// account = the owner's, camera = the phone. Move-only.
struct PhoneEnrollment {
  static constexpr std::size_t max_address = 300;
  static constexpr std::size_t max_name = 64;
  static constexpr std::size_t max_message = 8U << 10;  ///< of the link-enrollment

  crypto::PublicKey owner;  ///< its thumbprint is the account
  std::string broker;       ///< wss://HOST:PORT
  PhonePassword password;
  std::string name;  ///< of the phone; UTF-8, 1 to 64 bytes
};
/// The link-enrollment: signed, sealed to the phone, with a MAC of the code. `enrollment.owner` is the key of `owner`.
/// Errors: invalid_argument (address or name), crypto.
[[nodiscard]] Result<Bytes> encode_link_enrollment(const PhoneEnrollment& enrollment, const DeviceDescriptor& phone,
                                                   const crypto::SigningKey& owner, const LinkKeys& keys);
/// For a phone. Checks the MAC first, because the phone does not know the owner's key yet. Errors: malformed, wrong_key
/// (the MAC is not of this code), not_decryptable, bad_signature (also if the header names another signer), conflict
/// (account, key and phone in the message differ from those of the envelope), crypto.
[[nodiscard]] Result<PhoneEnrollment> decode_link_enrollment(ByteView message, const LinkKeys& keys,
                                                             const DeviceId& own, const crypto::AgreementKey& hpke);

}  // namespace sealcam::protocol
