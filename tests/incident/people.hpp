// SPDX-License-Identifier: Apache-2.0
/// The accounts of a run, each with one camera and one hub, and the two brokers they are authorized to.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "fault.hpp"
#include "support/actors.hpp"
#include "support/mosquitto.hpp"
#include "transport/mqtt/mqtt5_client.hpp"

namespace sealcam::incident {

/// One account.
struct Person {
  test::Actor owner{}, camera{}, hub{};
  protocol::Route route = test::route_of(owner, camera);
  std::string camera_name = camera.id().to_string();  ///< in the certificate
  Bytes roster{};                                     ///< signed by the owner; lists this hub
  Bytes index{};                                      ///< signed by the owner; lists this camera
  std::optional<test::TestOperator::Authorized> camera_tls{}, hub_tls{};
};

/// Keys, rosters and certificates of the accounts of one wave, for both arms. The number of an account is that of its
/// camera minus one. Throws std::runtime_error.
class People {
 public:
  /// `twins`: the second of two neighbors has a camera with the keys of the first one.
  People(const Wave& wave, bool twins);
  [[nodiscard]] const Person& operator[](std::uint32_t account) const { return *people_.at(account - wave_.first); }
  [[nodiscard]] const Wave& wave() const noexcept { return wave_; }
  [[nodiscard]] const test::TestOperator& authority() const noexcept { return operator_; }

 private:
  Wave wave_;
  test::TestOperator operator_;
  std::vector<std::unique_ptr<Person>> people_;
};

/// Name in the relay's certificate. The relay is a machine of the operator.
inline constexpr std::string_view relay_name = "relay";

/// Two real Mosquitto brokers with the access list of firmware/owner. Cameras connect to `ingest`, hubs to `delivery`.
/// Only the relay connects the two.
class Brokers {
 public:
  explicit Brokers(const People& people);
  [[nodiscard]] const test::Mosquitto& ingest() const noexcept { return ingest_; }
  [[nodiscard]] const test::Mosquitto& delivery() const noexcept { return delivery_; }
  void restart_ingest() { ingest_.restart(); }
  void restart_delivery() { delivery_.restart(); }

 private:
  test::Mosquitto ingest_, delivery_;
};

/// Configuration of a device's client. `max_packet` limits its messages and the memory of its buffers.
[[nodiscard]] transport::MqttConfig client_config(const People& people, const test::TestOperator::Authorized& tls,
                                                  std::string name, const test::Mosquitto& broker,
                                                  std::uint32_t max_packet);

}  // namespace sealcam::incident
