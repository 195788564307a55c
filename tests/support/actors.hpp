// SPDX-License-Identifier: Apache-2.0
/// People and devices of tests, with volatile keys.
#pragma once

#include <stdexcept>
#include <string>

#include "crypto/keys.hpp"
#include "crypto/psa.hpp"
#include "protocol/roster.hpp"

namespace sealcam::test {

/// The value, or an exception that Catch reports with the error's own words.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// One device or owner. Move-only.
class Actor {
 public:
  Actor() : device_((must(crypto::init()), must(crypto::VolatileDevice::generate()))), keys_(device_.keys()) {}
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
  crypto::VolatileDevice device_;
  crypto::DeviceKeys keys_;
};

[[nodiscard]] inline protocol::Route route_of(const Actor& owner, const Actor& camera) {
  return {owner.account(), camera.id()};
}

[[nodiscard]] inline protocol::Roster roster_of(const Actor& camera, std::uint64_t version,
                                                std::initializer_list<const Actor*> hubs) {
  protocol::Roster roster;
  roster.version = RosterVersion(version);
  roster.camera_identity = camera.identity();
  roster.camera_hpke = camera.hpke();
  for (const Actor* hub : hubs) roster.hubs.push_back(hub->as_hub());
  roster.issued = CaptureTime{std::chrono::seconds(1'790'000'000)};
  return roster;
}

}  // namespace sealcam::test
