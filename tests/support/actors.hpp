// SPDX-License-Identifier: Apache-2.0
/// Owners and devices for tests, with volatile keys.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "crypto/keys.hpp"
#include "crypto/psa.hpp"
#include "protocol/roster.hpp"

namespace sealcam::test {

/// Returns the value, or throws an exception with the text of the error.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// One owner or device. Move-only.
class Actor {
  using KeyPair = std::pair<crypto::VolatileKey, crypto::PublicKey>;

 public:
  /// Draws the keys.
  Actor() : Actor(with_crypto(crypto::generate_signing_key), with_crypto(crypto::generate_agreement_key)) {}
  /// Imports the private scalars of published test keys.
  Actor(const Secret<32>& identity, const Secret<32>& hpke)
      : Actor(with_crypto([&] { return crypto::import_signing_key(identity); }),
              with_crypto([&] { return crypto::import_agreement_key(hpke); })) {}
  [[nodiscard]] const crypto::DeviceKeys& keys() const { return keys_; }
  [[nodiscard]] DeviceId id() const { return keys_.identity.id(); }
  [[nodiscard]] AccountId account() const { return keys_.identity.public_key().account(); }
  [[nodiscard]] const crypto::PublicKey& identity() const { return keys_.identity.public_key(); }
  [[nodiscard]] const crypto::PublicKey& hpke() const { return keys_.hpke.public_key(); }
  [[nodiscard]] crypto::Verifier verifier() const { return must(crypto::Verifier::open(identity())); }
  [[nodiscard]] protocol::RosterHub as_hub() const {
    return {.identity = identity(), .hpke = hpke(), .integration = std::nullopt};
  }

 private:
  template <class Make>
  static KeyPair with_crypto(Make make) {
    must(crypto::init());
    return must(make());
  }
  Actor(KeyPair identity, KeyPair hpke)
      : identity_(std::move(identity)),
        hpke_(std::move(hpke)),
        keys_{crypto::SigningKey(identity_.first.id(), identity_.second),
              crypto::AgreementKey(hpke_.first.id(), hpke_.second)} {}
  KeyPair identity_, hpke_;
  crypto::DeviceKeys keys_;
};

[[nodiscard]] inline protocol::Route route_of(const Actor& owner, const Actor& camera) {
  return {owner.account(), camera.id()};
}

[[nodiscard]] inline protocol::Roster roster_of(const Actor& camera, std::uint64_t version,
                                                std::initializer_list<const Actor*> hubs) {
  protocol::Roster roster;
  roster.version = protocol::RosterVersion(version);
  roster.camera_identity = camera.identity();
  roster.camera_hpke = camera.hpke();
  for (const Actor* hub : hubs) roster.hubs.push_back(hub->as_hub());
  roster.issued = CaptureTime{std::chrono::seconds(1'790'000'000)};
  return roster;
}

}  // namespace sealcam::test
