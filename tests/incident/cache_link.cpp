// SPDX-License-Identifier: Apache-2.0
#include "cache_link.hpp"

namespace sealcam::incident {

using protocol::Leaf;
using transport::Qos;

CacheLink::CacheLink(boost::asio::io_context& io, const Dependencies& deps)
    : deps_(deps),
      ingest_([this](const transport::Message& m) { from_cameras(m); }),
      delivery_([this](const transport::Message& m) { from_hubs(m); }) {
  for (std::uint32_t i = 0; i < deps.people.size(); ++i) accounts_.emplace(deps.people[i].route, i);
  open(io, ingest_, deps.brokers.ingest());
  open(io, delivery_, deps.brokers.delivery());
  for (const auto* leaf : {"grants", "status"})
    ingest_.client->subscribe(std::string("sealcam/1/+/+/") + leaf, Qos::at_least_once);
  for (const auto* leaf : {"still", "video"})
    ingest_.client->subscribe(std::string("sealcam/1/+/+/") + leaf, Qos::at_most_once);
  delivery_.client->subscribe("sealcam/1/+/+/roster", Qos::at_least_once);
  delivery_.client->subscribe("sealcam/1/+/+/request/+", Qos::at_most_once);
}

void CacheLink::open(boost::asio::io_context& io, Side& side, const test::Mosquitto& broker) {
  auto config = client_config(deps_.people, deps_.people.authority().authorize(cache_name), std::string(cache_name),
                              broker, 256U << 10);
  config.max_in_flight = 100'000;
  side.client = test::must(transport::Mqtt5Client::open(io, std::move(config), side, deps_.log));
}

void CacheLink::forward(Side& to, const transport::Publication& publication) {
  to.client->publish(publication, [this](const Result<>& done) {
    if (!done) ++failed_;
  });
}

void CacheLink::publish_roster(std::uint32_t account) {
  const auto& person = deps_.people[account];
  const auto topic = protocol::topic(person.route, Leaf::roster);
  forward(delivery_, {.topic = topic, .payload = person.roster, .qos = Qos::at_least_once, .retain = true});
  const auto index = protocol::index_topic(person.route.account, person.hub.id());
  forward(delivery_, {.topic = index, .payload = person.index, .qos = Qos::at_least_once, .retain = true});
}

void CacheLink::from_cameras(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || message.payload.empty()) return;
  const auto account = accounts_.find(topic->route);
  if (account == accounts_.end()) return;
  if (topic->leaf == Leaf::still || topic->leaf == Leaf::video)
    return pass_picture(account->second, *topic, message.payload);
  forward(delivery_, {.topic = message.topic, .payload = message.payload, .qos = Qos::at_least_once, .retain = true});
}

void CacheLink::from_hubs(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic) return;
  const auto account = accounts_.find(topic->route);
  if (account == accounts_.end()) return;
  if (topic->leaf == Leaf::request) {
    deps_.cache.on_request(account->second);
    return forward(ingest_, {.topic = message.topic, .payload = message.payload, .expiry = std::chrono::seconds(5)});
  }
  forward(ingest_, {.topic = message.topic, .payload = message.payload, .qos = Qos::at_least_once, .retain = true});
}

void CacheLink::pass_picture(std::uint32_t account, const protocol::Topic& topic, ByteView payload) {
  const Kind kind = deps_.kind_of(payload);
  deps_.provenance.note(payload, {account, kind, false});
  const auto handed = deps_.cache.pass(account, kind, payload);
  if (!handed) return;
  if (handed->damaged) deps_.provenance.note(*handed->message, {handed->source, kind, true});
  const bool still = topic.leaf == Leaf::still;
  const std::string to = protocol::topic(topic.route, topic.leaf);
  forward(delivery_, {.topic = to,
                      .payload = *handed->message,
                      .retain = still,
                      .expiry = still ? std::chrono::seconds(3600) : std::chrono::seconds(5)});
}

}  // namespace sealcam::incident
