// SPDX-License-Identifier: Apache-2.0
/// Numbers in messages. Each has a type of its own, so that the compiler rejects one in the place of another.
#pragma once

#include "crypto/keys.hpp"
#include "crypto/sframe.hpp"

namespace sealcam::protocol {

/// The lifetime of one base key of one camera. The number is also the key's SFrame key ID: a stored 32-bit counter,
/// then 32 random bits.
using Epoch = crypto::sframe::KeyId;
/// Number of a sealed frame of any kind within its epoch.
using Counter = crypto::sframe::Counter;
/// Version of a roster. It only grows.
using RosterVersion = Strong<struct RosterVersionTag, std::uint64_t>;
/// Sequence number of one hub's view requests to one camera. It only grows.
using RequestSeq = Strong<struct RequestSeqTag, std::uint64_t>;
/// Sequence number of an owner's commands to one camera. It only grows; 0 means none.
using CommandSeq = Strong<struct CommandSeqTag, std::uint64_t>;
/// Eight random bytes of a hub; 0 means none.
using Challenge = Strong<struct ChallengeTag, std::uint64_t>;
/// Eight random bytes of a camera, for one privacy-off request; 0 means none.
using Nonce = Strong<struct NonceTag, std::uint64_t>;
/// Number of one of a hub's HPKE keys. It only grows; 0 is the key in the roster.
using PrekeyNumber = Strong<struct PrekeyNumberTag, std::uint64_t>;
/// Version of a hub's list of cameras. It only grows.
using IndexVersion = Strong<struct IndexVersionTag, std::uint64_t>;

/// A public HPKE key that a hub uses for a few days.
struct Prekey {
  PrekeyNumber number;
  crypto::PublicKey key;
  friend bool operator==(const Prekey&, const Prekey&) = default;
};

}  // namespace sealcam::protocol
