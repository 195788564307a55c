// SPDX-License-Identifier: Apache-2.0
#include "stream/roster_keeper.hpp"

#include "crypto/cose.hpp"

namespace sealcam::stream {

RosterKeeper::RosterKeeper(RosterStore& store, const protocol::Route& route, crypto::Verifier owner,
                           const crypto::DeviceKeys& own)
    : store_(store),
      route_(route),
      owner_(std::move(owner)),
      own_identity_(own.identity.public_key()),
      own_hpke_(own.hpke.public_key()) {}

namespace {

/// SHA-256 of what the owner signed, without the signature.
Result<crypto::Digest> content_of(ByteView message) {
  const auto parts = crypto::cose::parse_sign1(message);
  if (!parts) return std::unexpected(parts.error());
  return crypto::sha256(parts->payload);
}

}  // namespace

Result<protocol::Roster> RosterKeeper::check(ByteView message) const {
  auto roster = protocol::decode_roster(message, route_, owner_);
  if (!roster) return std::unexpected(roster.error());
  if (roster->camera_identity != own_identity_ || roster->camera_hpke != own_hpke_)
    return fail(Errc::wrong_key, "the roster names other keys of this camera");
  return roster;
}

Result<> RosterKeeper::load() {
  const auto message = store_.load();
  if (!message) {
    if (message.error().code == Errc::not_found) return {};
    return std::unexpected(message.error());
  }
  auto roster = check(*message);
  // A previous owner's: the camera changed hands, and that roster binds nobody any more.
  if (!roster && roster.error().code == Errc::wrong_key) return {};
  if (!roster)
    return fail(Errc::malformed,
                "the file roster is damaged: restore the state folder from a copy, or reset the camera",
                roster.error().native);
  const auto hash = crypto::sha256(*message);
  if (!hash) return std::unexpected(hash.error());
  const auto content = content_of(*message);
  if (!content) return std::unexpected(content.error());
  roster_ = std::move(*roster);
  hash_ = *hash;
  content_ = *content;
  return {};
}

Result<bool> RosterKeeper::offer(ByteView message) {
  const auto hash = crypto::sha256(message);
  if (!hash) return std::unexpected(hash.error());
  if (roster_ && *hash == hash_) return false;  // the retained one again, after a reconnect
  auto roster = check(message);
  if (!roster) return std::unexpected(roster.error());
  if (roster_ && roster->version < roster_->version) return fail(Errc::stale, "an older roster");
  // ECDSA signs one content in many ways, and from one signature anybody makes a second.
  const auto content = content_of(message);
  if (!content) return std::unexpected(content.error());
  if (roster_ && roster->version == roster_->version && *content == content_) return false;
  if (roster_ && roster->version == roster_->version)
    return fail(Errc::conflict, "two rosters of one version: the owner's key signs on two machines");
  if (auto r = store_.store(message); !r) return std::unexpected(r.error());
  roster_ = std::move(*roster);
  hash_ = *hash;
  content_ = *content;
  return true;
}

}  // namespace sealcam::stream
