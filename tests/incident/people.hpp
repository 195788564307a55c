// SPDX-License-Identifier: Apache-2.0
/// The accounts of a run, each with one camera and one hub, and the two brokers they are authorized to.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "support/actors.hpp"
#include "support/mosquitto.hpp"
#include "transport/mqtt/mqtt5_client.hpp"

namespace sealcam::incident {

/// One account. Its index is the number of its camera minus one.
struct Person {
  test::Actor owner, camera, hub;
  protocol::Route route = test::route_of(owner, camera);
  Bytes roster;  ///< signed by the owner; lists this hub
  Bytes index;   ///< signed by the owner; lists this camera
  std::optional<test::TestOperator::Authorized> camera_tls{}, hub_tls{};
};

/// Keys, rosters and certificates for both arms. Throws std::runtime_error.
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

/// Name in the cache's certificate. The cache is a machine of the operator.
inline constexpr std::string_view cache_name = "cache";

/// Two real Mosquitto brokers with the access list of firmware/owner. Cameras connect to `ingest`, hubs to `delivery`.
/// Only the cache connects the two.
class Brokers {
 public:
  explicit Brokers(const People& people);
  [[nodiscard]] const test::Mosquitto& ingest() const noexcept { return ingest_; }
  [[nodiscard]] const test::Mosquitto& delivery() const noexcept { return delivery_; }

 private:
  test::Mosquitto ingest_, delivery_;
};

/// Configuration of a device's client. `max_packet` limits its messages and the memory of its buffers.
[[nodiscard]] transport::MqttConfig client_config(const People& people, const test::TestOperator::Authorized& tls,
                                                  std::string name, const test::Mosquitto& broker,
                                                  std::uint32_t max_packet);

}  // namespace sealcam::incident
