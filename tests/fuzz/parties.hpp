// SPDX-License-Identifier: Apache-2.0
/// Devices with the same keys in each run, so that a corpus stays valid. Signatures and sealed keys differ between
/// runs, because ECDSA and HPKE use random numbers.
#pragma once

#include <optional>
#include <string>

#include "support/actors.hpp"

namespace sealcam::fuzz {

using test::must;

/// The keys of one party. Each private key is the SHA-256 of a text.
class Party {
 public:
  explicit Party(const std::string& name) {
    must(crypto::init());
    identity_.emplace(must(crypto::import_signing_key(scalar(name + " identity"))));
    hpke_.emplace(must(crypto::import_agreement_key(scalar(name + " hpke"))));
    verifier_.emplace(must(crypto::Verifier::open(identity_->second)));
  }
  [[nodiscard]] crypto::DeviceKeys keys() const {
    return {crypto::SigningKey(identity_->first.id(), identity_->second),
            crypto::AgreementKey(hpke_->first.id(), hpke_->second)};
  }
  /// Returns a key that signs with this party's key and names the other party as signer.
  [[nodiscard]] crypto::SigningKey posing_as(const Party& other) const {
    return {identity_->first.id(), other.identity()};
  }
  [[nodiscard]] const crypto::PublicKey& identity() const { return identity_->second; }
  [[nodiscard]] const crypto::PublicKey& hpke() const { return hpke_->second; }
  [[nodiscard]] const crypto::Verifier& verifier() const { return *verifier_; }
  [[nodiscard]] const DeviceId& id() const { return verifier_->id(); }
  [[nodiscard]] AccountId account() const { return identity().account(); }
  [[nodiscard]] protocol::RosterHub as_hub() const {
    return {.identity = identity(), .hpke = hpke(), .integration = std::nullopt};
  }

 private:
  static Secret<32> scalar(const std::string& text) {
    return Secret<32>(must(crypto::sha256(as_bytes("sealcam fuzz " + text))));
  }
  std::optional<std::pair<crypto::VolatileKey, crypto::PublicKey>> identity_, hpke_;
  std::optional<crypto::Verifier> verifier_;
};

/// One account with a camera and a hub, and a device of another account.
struct Parties {
  Party owner{"owner"}, camera{"camera"}, hub{"hub"}, stranger{"stranger"};
  protocol::Route route{owner.account(), camera.id()};

  [[nodiscard]] protocol::Roster roster(std::uint64_t version, bool with_hub = true) const {
    protocol::Roster roster;
    roster.version = protocol::RosterVersion(version);
    roster.camera_identity = camera.identity();
    roster.camera_hpke = camera.hpke();
    roster.hubs.push_back(stranger.as_hub());
    if (with_hub) roster.hubs.push_back(hub.as_hub());
    roster.hubs.front().integration = protocol::Integration(7);
    roster.suspended = {protocol::Integration(7)};
    roster.issued = CaptureTime{std::chrono::seconds(1'790'000'000)};
    return roster;
  }
};

/// Created by the first call and never destroyed.
[[nodiscard]] inline const Parties& parties() {
  static const auto* const all = new Parties;
  return *all;
}

}  // namespace sealcam::fuzz
