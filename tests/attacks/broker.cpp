// SPDX-License-Identifier: Apache-2.0
#include "attacks/broker.hpp"

#include <algorithm>
#include <utility>

#include "support/live_bytes.hpp"

namespace sealcam::attacks {

using test::OutsideTest;
using test::UnderTest;

bool matches(std::string_view filter, std::string_view topic) noexcept {
  while (true) {
    const auto f = filter.substr(0, filter.find('/'));
    const auto t = topic.substr(0, topic.find('/'));
    if (f != "+" && f != t) return false;
    if (f.size() == filter.size() || t.size() == topic.size())
      return f.size() == filter.size() && t.size() == topic.size();
    filter.remove_prefix(f.size() + 1);
    topic.remove_prefix(t.size() + 1);
  }
}

Broker::Client::Client(Broker& broker, transport::MqttListener& listener) : broker_(broker), listener_(listener) {
  broker_.clients_.push_back(this);
}

Broker::Client::~Client() {
  std::erase(broker_.clients_, this);
  std::erase_if(broker_.events_, [this](const Event& e) { return e.from == this; });
}

void Broker::Client::connect() {
  is_connected = true;
  {
    const UnderTest counted;
    listener_.on_connected();
  }
  for (const auto& filter : filters) broker_.events_.push_back({this, {}, {}, filter});
}

void Broker::Client::wake() {
  asleep_ = false;
  for (const auto& [packet, retained] : std::exchange(held_, {})) deliver(packet, retained);
}

void Broker::Client::deliver(const Packet& packet, bool retained) {
  if (asleep_) {
    held_.emplace_back(packet, retained);
    return;
  }
  const UnderTest counted;
  listener_.on_message({packet.topic, packet.payload, retained});
}

void Broker::Client::do_publish(const transport::Publication& p, PublishHandler done) {
  const OutsideTest uncounted;
  broker_.events_.push_back({this,
                             {std::string(p.topic), Bytes(p.payload.begin(), p.payload.end()), p.retain, p.expiry},
                             std::move(done),
                             {}});
}

void Broker::Client::do_subscribe(std::string_view filter, transport::Qos) {
  const OutsideTest uncounted;
  filters.emplace_back(filter);
  if (is_connected) broker_.events_.push_back({this, {}, {}, std::string(filter)});
}

void Broker::publish(const Packet& packet) {
  if (packet.retain && packet.payload.empty()) retained_.erase(packet.topic);
  else if (packet.retain) {
    const auto life = packet.expiry.count() > 0 ? packet.expiry : std::chrono::seconds(std::chrono::years(1));
    retained_.insert_or_assign(packet.topic, Retained{packet, clock_.monotonic() + life});
  }
  const auto now = clients_;  // a listener may add or remove clients
  for (Client* client : now) {
    if (!client->is_connected || !std::ranges::contains(clients_, client)) continue;
    if (std::ranges::any_of(client->filters, [&](const auto& f) { return matches(f, packet.topic); }))
      client->deliver(packet);
  }
}

void Broker::deliver_retained(Client& client, std::string_view filter) {
  std::vector<Packet> due;
  for (const auto& [topic, kept] : retained_)
    if (matches(filter, topic) && kept.until > clock_.monotonic()) due.push_back(kept.packet);
  for (const auto& packet : due) client.deliver(packet, true);
}

void Broker::settle() {
  while (!events_.empty()) {
    Event event = std::move(events_.front());
    events_.pop_front();
    if (!event.filter.empty()) {
      deliver_retained(*event.from, event.filter);
      continue;
    }
    if (!intercept || intercept(event.packet)) publish(event.packet);
    if (!std::ranges::contains(clients_, event.from)) continue;
    const UnderTest counted;
    event.done({});
  }
}

}  // namespace sealcam::attacks
