// SPDX-License-Identifier: Apache-2.0
#include "people.hpp"

#include "base/format.hpp"
#include "owner/broker/access_list.hpp"
#include "parallel.hpp"
#include "protocol/camera_index.hpp"

namespace sealcam::incident {
namespace {

/// Permissions name the topics of the account's devices, so each broker has the list of all devices.
test::MosquittoOptions broker_options(const People& people) {
  std::vector<owner::Authorized> authorized;
  for (std::size_t i = 0; i < people.size(); ++i) {
    const auto& person = people[i];
    authorized.push_back({protocol::Role::camera, person.camera.id(), person.route.account});
    authorized.push_back({protocol::Role::hub, person.hub.id(), person.route.account});
  }
  return {.access_list = owner::access_list(std::move(authorized)) +
                         sealcam::format("\n# A machine of the operator.\nuser {}\ntopic readwrite #\n", cache_name),
          // The connection of the cache carries the messages of all accounts.
          .more = "max_queued_messages 200000\nmax_inflight_messages 0\n"};
}

}  // namespace

People::People(std::size_t count) : operator_("incident operator"), people_(count) {
  in_parallel(count, [this](std::size_t i) {
    people_[i] = std::make_unique<Person>();
    auto& person = *people_[i];
    person.roster = test::must(protocol::encode_roster(test::roster_of(person.camera, 1, {&person.hub}), person.route,
                                                       person.owner.keys().identity));
    person.index =
        test::must(protocol::encode_index({protocol::IndexVersion(1), {person.camera.id()}}, person.route.account,
                                          person.hub.id(), person.owner.keys().identity));
    person.camera_tls = operator_.authorize(person.camera.id().to_string());
    person.hub_tls = operator_.authorize(person.hub.id().to_string());
  });
}

Brokers::Brokers(const People& people)
    : ingest_(people.authority(), broker_options(people)), delivery_(people.authority(), broker_options(people)) {}

transport::MqttConfig client_config(const People& people, const test::TestOperator::Authorized& tls, std::string name,
                                    const test::Mosquitto& broker, std::uint32_t max_packet) {
  return {.host = "127.0.0.1",
          .port = broker.port(),
          .client_id = std::move(name),
          .tls = {.role = transport::TlsRole::client,
                  .authority_pem = people.authority().authority(),
                  .certificate_pem = tls.certificate,
                  .key = tls.key.duplicate()},
          .keep_alive = std::chrono::seconds(30),
          .max_in_flight = 32,
          .maximum_packet_size = max_packet};
}

}  // namespace sealcam::incident
