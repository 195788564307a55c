// SPDX-License-Identifier: Apache-2.0
/// The accounts of a run, each with one camera and one hub, and the two brokers they are admitted to.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "support/actors.hpp"
#include "support/mosquitto.hpp"
#include "transport/mqtt5_client.hpp"

namespace sealcam::incident {

/// One account. Its index is its camera's number minus one.
struct Person {
  test::Actor owner, camera, hub;
  protocol::Route route = test::route_of(owner, camera);
  Bytes roster;  ///< signed by the owner: this camera, this hub
  std::optional<test::TestOperator::Admitted> camera_tls{}, hub_tls{};
};

/// Keys, rosters and certificates, made once for both arms. Throws std::runtime_error.
class People {
 public:
  explicit People(std::size_t count);
  [[nodiscard]] const Person& operator[](std::size_t account) const { return *people_.at(account); }
  [[nodiscard]] std::size_t size() const noexcept { return people_.size(); }
  [[nodiscard]] const test::TestOperator& authority() const noexcept { return operator_; }

 private:
  test::TestOperator operator_;
  std::vector<std::unique_ptr<Person>> people_;
};

/// Name of the cache's certificate: the operator's own machine.
inline constexpr std::string_view cache_name = "cache";

/// Two real Mosquittos with the access list that firmware/owner writes: cameras come in at `ingest`, hubs at
/// `delivery`. Nothing but the cache joins them.
class Brokers {
 public:
  explicit Brokers(const People& people);
  [[nodiscard]] const test::Mosquitto& ingest() const noexcept { return ingest_; }
  [[nodiscard]] const test::Mosquitto& delivery() const noexcept { return delivery_; }

 private:
  test::Mosquitto ingest_, delivery_;
};

/// What a device's client needs; `largest` bounds what it takes and what its buffers cost.
[[nodiscard]] transport::MqttConfig client_config(const People& people, const test::TestOperator::Admitted& tls,
                                                  std::string name, const test::Mosquitto& broker,
                                                  std::uint32_t largest);

}  // namespace sealcam::incident
