// SPDX-License-Identifier: Apache-2.0
#include "people.hpp"

#include <algorithm>

#include "base/format.hpp"
#include "owner/broker/device_records.hpp"
#include "parallel.hpp"
#include "protocol/roster.hpp"

namespace sealcam::incident {
namespace {

/// This device has the id of its neighbor, but its own connection.
std::string twin_permissions(const Person& person, const std::vector<owner::Authorized>& all) {
  std::string out = sealcam::format("\nuser {}\n", person.camera_name);
  const auto topics = owner::permissions({protocol::Role::camera, person.camera.id(), person.route.account}, all);
  for (const auto& topic : topics.write) out += sealcam::format("topic write {}\n", topic);
  for (const auto& topic : topics.read) out += sealcam::format("topic read {}\n", topic);
  return out;
}

/// Permissions name the topics of the account's devices, so each broker has the list of all devices.
test::MosquittoOptions broker_options(const People& people) {
  std::vector<owner::Authorized> authorized;
  for (auto i = people.wave().first; i < people.wave().last; ++i) {
    const auto& person = people[i];
    authorized.push_back({protocol::Role::camera, person.camera.id(), person.route.account});
    authorized.push_back({protocol::Role::hub, person.hub.id(), person.route.account});
  }
  auto list = owner::access_list(authorized);
  for (auto i = people.wave().first; i < people.wave().last; ++i)
    if (people[i].camera_name != people[i].camera.id().to_string()) list += twin_permissions(people[i], authorized);
  list += sealcam::format("\n# A machine of the operator.\nuser {}\ntopic readwrite #\n", relay_name);
  return {.access_list = std::move(list),
          // The connection of the relay carries the messages of all accounts.
          .more = "max_queued_messages 200000\nmax_inflight_messages 0\n"};
}

/// Keys that two cameras can have.
struct CameraScalars {
  Secret<32> identity, hpke;
  CameraScalars() {
    test::must(crypto::random(identity.fill()));
    test::must(crypto::random(hpke.fill()));
  }
};

void sign(Person& person, const test::TestOperator& authority) {
  person.roster = test::must(protocol::encode_roster(test::roster_of(person.camera, 1, {&person.hub}), person.route,
                                                     person.owner.keys().identity));
  person.index =
      test::must(protocol::encode_index({protocol::IndexVersion(1), {person.camera.id()}}, person.route.account,
                                        person.hub.id(), person.owner.keys().identity));
  person.camera_tls = authority.authorize(person.camera_name);
  person.hub_tls = authority.authorize(person.hub.id().to_string());
}

}  // namespace

People::People(const Wave& wave, bool twins) : wave_(wave), operator_("incident operator"), people_(wave.size()) {
  in_parallel(twins ? (wave.size() + 1) / 2 : wave.size(), [this, twins](std::size_t i) {
    if (!twins) {
      people_[i] = std::make_unique<Person>();
      return sign(*people_[i], operator_);
    }
    const CameraScalars scalars;
    for (std::size_t j = 2 * i; j < std::min(people_.size(), 2 * i + 2); ++j) {
      people_[j] = std::make_unique<Person>(Person{.camera = test::Actor(scalars.identity, scalars.hpke)});
      if (j % 2 == 1) people_[j]->camera_name += "-twin";
      sign(*people_[j], operator_);
    }
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
