// SPDX-License-Identifier: Apache-2.0
#include "relay.hpp"

namespace sealcam::incident {

using protocol::Leaf;
using transport::Qos;

Relay::Relay(boost::asio::io_context& io, const Dependencies& deps)
    : deps_(deps),
      ingest_([this](const transport::Message& m) { from_cameras(m); }),
      delivery_([this](const transport::Message& m) { from_hubs(m); }) {
  for (auto i = deps.people.wave().first; i < deps.people.wave().last; ++i) accounts_.emplace(deps.people[i].route, i);
  open(io, ingest_, deps.brokers.ingest());
  open(io, delivery_, deps.brokers.delivery());
  for (const auto* leaf : {"grants", "status"})
    ingest_.client->subscribe(std::string("sealcam/1/+/+/") + leaf, Qos::at_least_once);
  for (const auto* leaf : {"still", "video"})
    ingest_.client->subscribe(std::string("sealcam/1/+/+/") + leaf, Qos::at_most_once);
  delivery_.client->subscribe("sealcam/1/+/+/roster", Qos::at_least_once);
  delivery_.client->subscribe("sealcam/1/+/+/request/+", Qos::at_most_once);
}

void Relay::open(boost::asio::io_context& io, Side& side, const test::Mosquitto& broker) {
  auto config = client_config(deps_.people, deps_.people.authority().authorize(relay_name), std::string(relay_name),
                              broker, 256U << 10);
  config.max_in_flight = 100'000;
  side.client = test::must(transport::Mqtt5Client::open(io, std::move(config), side, deps_.log));
}

void Relay::forward(Side& to, const transport::Publication& publication) {
  to.client->publish(publication, [this](const Result<>& done) {
    if (!done) ++failed_;
  });
}

void Relay::publish_roster(std::uint32_t account) {
  const auto& person = deps_.people[account];
  const auto topic = protocol::topic(person.route, Leaf::roster);
  forward(delivery_, {.topic = topic, .payload = person.roster, .qos = Qos::at_least_once, .retain = true});
  const auto index = protocol::index_topic(person.route.account, person.hub.id());
  forward(delivery_, {.topic = index, .payload = person.index, .qos = Qos::at_least_once, .retain = true});
}

void Relay::from_cameras(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || message.payload.empty()) return;
  const auto account = accounts_.find(topic->route);
  if (account == accounts_.end()) return;
  if (topic->leaf == Leaf::still || topic->leaf == Leaf::video)
    return pass_picture(account->second, *topic, message.payload);
  if (topic->leaf == Leaf::status) deps_.fault.on_online(account->second);
  forward(delivery_, {.topic = message.topic, .payload = message.payload, .qos = Qos::at_least_once, .retain = true});
  copy_to_viewers(account->second, topic->leaf, message.payload);
}

void Relay::from_hubs(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic) return;
  const auto account = accounts_.find(topic->route);
  if (account == accounts_.end()) return;
  if (topic->leaf == Leaf::request) return pass_request(account->second, *topic, message.payload);
  forward(ingest_, {.topic = message.topic, .payload = message.payload, .qos = Qos::at_least_once, .retain = true});
}

void Relay::copy_to_viewers(std::uint32_t camera, Leaf leaf, ByteView payload) {
  for (const auto viewer : deps_.fault.viewers(camera)) {
    const auto to = protocol::topic(deps_.people[viewer].route, leaf);
    forward(delivery_, {.topic = to, .payload = payload, .qos = Qos::at_least_once});
  }
}

void Relay::pass_request(std::uint32_t hub, const protocol::Topic& topic, ByteView payload) {
  deps_.fault.on_request(hub);
  const auto pass = [&](const std::string& to) {
    forward(ingest_, {.topic = to, .payload = payload, .expiry = std::chrono::seconds(5)});
  };
  pass(protocol::request_topic(topic.route, topic.hub));
  // A camera reads the requests of the hubs of its own account only, so the relay writes to the topic of such a hub.
  for (const auto camera : deps_.fault.cameras(hub))
    pass(protocol::request_topic(deps_.people[camera].route, deps_.people[camera].hub.id()));
}

void Relay::pass_picture(std::uint32_t account, const protocol::Topic& topic, ByteView payload) {
  const Kind kind = deps_.kind_of(payload);
  deps_.provenance.note(payload, {account, kind, false});
  const bool still = topic.leaf == Leaf::still;
  for (const auto& handed : deps_.fault.pass(account, kind, payload)) {
    if (handed.damaged) deps_.provenance.note(*handed.message, {handed.source, kind, true});
    const std::string to = protocol::topic(deps_.people[handed.to].route, topic.leaf);
    forward(delivery_, {.topic = to,
                        .payload = *handed.message,
                        .retain = still,
                        .expiry = still ? std::chrono::seconds(3600) : std::chrono::seconds(5)});
  }
}

}  // namespace sealcam::incident
