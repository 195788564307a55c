// SPDX-License-Identifier: Apache-2.0
/// Messages that link a phone: a hub of the account that runs in a browser. README.md in this folder describes the link
/// code and the mailbox through which these messages travel. Reentrant.
#pragma once

#include <array>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/types.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

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
/// Verifies that the key in the message signed it. The caller compares the key with that of its owner. Errors:
/// malformed, wrong_key (the header names another signer), bad_signature.
[[nodiscard]] Result<LinkOpening> decode_link_opening(ByteView message);

}  // namespace sealcam::protocol
