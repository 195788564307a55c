// SPDX-License-Identifier: Apache-2.0
/// A hub's archive key, sealed to the account (rule R-REC-19 in recordings.md): HPKE, enc, then ciphertext. With it the
/// owner can give another hub access to recordings whose hub was lost. The account's identity key opens it, because
/// hubs know no other key of the owner, and a backup of the account contains no other one.
#pragma once

#include "crypto/hpke.hpp"

namespace sealcam::protocol {

using ArchiveKey = Secret<32>;
inline constexpr std::size_t sealed_archive_key_size =
    crypto::PublicKey::size + ArchiveKey::size() + crypto::hpke::tag_size;

/// `owner` is the account's identity key. Errors: crypto.
[[nodiscard]] Result<Bytes> seal_archive_key(const ArchiveKey& key, const crypto::PublicKey& owner);
/// `identity` is the scalar of the account's identity key. Errors: malformed (the size, or `enc` is not a point),
/// not_decryptable (sealed to another account, or altered), crypto.
[[nodiscard]] Result<ArchiveKey> open_archive_key(ByteView sealed, const Secret<32>& identity);

}  // namespace sealcam::protocol
