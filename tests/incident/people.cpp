// SPDX-License-Identifier: Apache-2.0
#include "people.hpp"

#include <format>

#include "owner/access_list.hpp"
#include "parallel.hpp"

namespace sealcam::incident {
namespace {

test::MosquittoOptions options_for(const People& people, protocol::Role role) {
  std::vector<owner::Admitted> admitted;
  for (std::size_t i = 0; i < people.size(); ++i) {
    const auto& person = people[i];
    const auto& device = role == protocol::Role::camera ? person.camera : person.hub;
    admitted.push_back({role, device.id(), person.route.account});
  }
  return {.access_list = owner::access_list(std::move(admitted)) +
                         std::format("\n# The operator's own machine.\nuser {}\ntopic readwrite #\n", cache_name),
          // The cache's connection carries everybody's messages.
          .more = "max_queued_messages 200000\nmax_inflight_messages 0\n"};
}

}  // namespace

People::People(std::size_t count) : operator_("incident operator"), people_(count) {
  in_parallel(count, [this](std::size_t i) {
    people_[i] = std::make_unique<Person>();
    auto& person = *people_[i];
    person.roster = test::must(protocol::encode_roster(test::roster_of(person.camera, 1, {&person.hub}), person.route,
                                                       person.owner.keys().identity));
    person.camera_tls = operator_.admit(person.camera.id().to_string());
    person.hub_tls = operator_.admit(person.hub.id().to_string());
  });
}

Brokers::Brokers(const People& people)
    : ingest_(people.authority(), options_for(people, protocol::Role::camera)),
      delivery_(people.authority(), options_for(people, protocol::Role::hub)) {}

transport::MqttConfig client_config(const People& people, const test::TestOperator::Admitted& tls, std::string name,
                                    const test::Mosquitto& broker, std::uint32_t largest) {
  return {.host = "127.0.0.1",
          .port = broker.port(),
          .client_id = std::move(name),
          .tls = {.role = transport::TlsRole::client,
                  .authority_pem = people.authority().authority(),
                  .certificate_pem = tls.certificate,
                  .key = tls.key.duplicate()},
          .keep_alive = std::chrono::seconds(30),
          .max_in_flight = 32,
          .maximum_packet_size = largest};
}

}  // namespace sealcam::incident
