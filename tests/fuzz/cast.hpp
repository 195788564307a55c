// SPDX-License-Identifier: Apache-2.0
/// Devices whose keys are the same in every run, so that a corpus stays valid. Signatures and sealed keys still differ
/// from run to run: ECDSA and HPKE draw random numbers.
#pragma once

#include <optional>
#include <string>

#include "support/actors.hpp"

namespace sealcam::fuzz {

using test::must;

/// Private keys are SHA-256 of a text. Never destroyed: made once for all inputs.
class Player {
 public:
  explicit Player(const std::string& name) {
    must(crypto::init());
    identity_.emplace(must(crypto::import_signing_key(scalar(name + " identity"))));
    hpke_.emplace(must(crypto::import_agreement_key(scalar(name + " hpke"))));
    verifier_.emplace(must(crypto::Verifier::open(identity_->second)));
  }
  [[nodiscard]] crypto::DeviceKeys keys() const {
    return {crypto::SigningKey(identity_->first.id(), identity_->second),
            crypto::AgreementKey(hpke_->first.id(), hpke_->second)};
  }
  /// Signs with its own key in the other's name.
  [[nodiscard]] crypto::SigningKey posing_as(const Player& other) const {
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

/// One account with a camera and a hub, and a stranger.
struct Cast {
  Player owner{"owner"}, camera{"camera"}, hub{"hub"}, stranger{"stranger"};
  protocol::Route route{owner.account(), camera.id()};

  [[nodiscard]] protocol::Roster roster(std::uint64_t version, bool with_hub = true) const {
    protocol::Roster roster;
    roster.version = RosterVersion(version);
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

/// Made at the first call; lives as long as the process.
[[nodiscard]] inline const Cast& cast() {
  static const auto* const all = new Cast;
  return *all;
}

}  // namespace sealcam::fuzz
