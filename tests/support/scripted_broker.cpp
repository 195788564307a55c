// SPDX-License-Identifier: Apache-2.0
#include "support/scripted_broker.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/result.hpp"

namespace sealcam::test {

using transport::MqttListener;
using transport::Publication;
using transport::Qos;
using transport::SendProgress;
using transport::Will;

bool topic_matches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && !filter.starts_with('$')) return false;
  while (true) {
    if (filter == "#") return true;
    const auto filter_end = std::min(filter.find('/'), filter.size());
    const auto topic_end = std::min(topic.find('/'), topic.size());
    const auto level = filter.substr(0, filter_end);
    if (level != "+" && level != topic.substr(0, topic_end)) return false;
    const bool filter_done = filter_end == filter.size(), topic_done = topic_end == topic.size();
    if (topic_done) return filter_done || filter.substr(filter_end) == "/#";
    if (filter_done) return false;
    filter.remove_prefix(filter_end + 1);
    topic.remove_prefix(topic_end + 1);
  }
}

/// The broker's side of a client.
struct FakeBroker::Link {
  struct Waiting {
    Passing message;
    transport::MqttClient::PublishHandler done;
    bool sent = false;
  };
  std::string name;
  MqttListener* listener = nullptr;  ///< null: the client was destroyed
  std::size_t max_in_flight = 4;
  std::optional<Will> will;
  std::vector<std::pair<std::string, Qos>> filters;
  std::map<std::uint64_t, Waiting> waiting;  ///< publications without an answer
  std::deque<Delivery> held;                 ///< deliveries while the connection is stalled
  std::uint64_t last_id = 0, connection = 0;
  SendProgress progress;
  bool connected = false, away = false, stalled = false;
};

class FakeBroker::Client final : public transport::MqttClient {
 public:
  Client(FakeBroker& broker, std::shared_ptr<Link> link) : broker_(broker), link_(std::move(link)) {}
  ~Client() override {
    link_->listener = nullptr;
    link_->waiting.clear();
    broker_.cut(link_, "");
    std::erase(broker_.links_, link_);
  }

 private:
  void do_publish(const Publication& p, PublishHandler done) override {
    if (link_->waiting.size() >= link_->max_in_flight) return answer_later(std::move(done), Errc::exhausted);
    if (p.qos == Qos::at_most_once && !link_->connected) return answer_later(std::move(done), Errc::connection);
    const auto id = ++link_->last_id;
    link_->waiting[id] = {.message = {.from = link_->name,
                                      .topic = std::string(p.topic),
                                      .payload = Bytes(p.payload.begin(), p.payload.end()),
                                      .qos = p.qos,
                                      .retain = p.retain,
                                      .expiry = p.expiry},
                          .done = std::move(done)};
    broker_.post([&b = broker_, link = link_] { b.flush(link); });
  }
  void do_subscribe(std::string_view filter, Qos qos) override {
    auto found = std::ranges::find(link_->filters, filter, &std::pair<std::string, Qos>::first);
    if (found != link_->filters.end() && found->second == qos) return;
    if (found != link_->filters.end()) found->second = qos;
    else link_->filters.emplace_back(filter, qos);
    if (!link_->connected) return;  // a connection delivers the retained messages
    broker_.post([&b = broker_, link = link_, f = std::string(filter)] {
      if (!link->connected) return;
      for (const auto& [topic, kept] : b.retained_)
        if (topic_matches(f, topic)) b.deliver(link, kept.message, true, kept.until);
    });
  }
  void do_unsubscribe(std::string_view filter) override {
    std::erase_if(link_->filters, [&](const auto& each) { return each.first == filter; });
  }
  [[nodiscard]] bool do_connected() const override { return link_->connected; }
  [[nodiscard]] std::size_t do_in_flight() const override { return link_->waiting.size(); }
  [[nodiscard]] SendProgress do_send_progress() const override {
    return link_->connected ? link_->progress : SendProgress{};
  }

  void answer_later(PublishHandler done, Errc code) {
    auto shared = std::make_shared<PublishHandler>(std::move(done));
    broker_.post([shared, code, link = link_] {
      if (link->listener != nullptr) (*shared)(fail(code, "fake broker"));
    });
  }

  FakeBroker& broker_;
  std::shared_ptr<Link> link_;
};

FakeBroker::~FakeBroker() { SC_ASSERT(links_.empty()); }

std::unique_ptr<transport::MqttClient> FakeBroker::attach(std::string name, MqttListener& listener,
                                                          std::size_t max_in_flight, std::optional<Will> will) {
  auto link = std::make_shared<Link>();
  link->name = std::move(name);
  link->listener = &listener;
  link->max_in_flight = max_in_flight;
  link->will = std::move(will);
  links_.push_back(link);
  post([this, link] { connect(link); });
  return std::make_unique<Client>(*this, std::move(link));
}

std::size_t FakeBroker::run_until_idle() {
  std::size_t steps = 0;
  while (true) {
    while (!delayed_.empty() && delayed_.begin()->first <= clock_.monotonic()) {
      post([this, message = std::move(delayed_.begin()->second)] { route(message); });
      delayed_.erase(delayed_.begin());
    }
    if (steps_.empty()) return steps;
    const auto step = std::move(steps_.front());
    steps_.pop_front();
    step();
    if (++steps == 1'000'000) throw std::logic_error("the fake broker does not become idle");
  }
}

std::optional<MonotonicTime> FakeBroker::next_due() const {
  if (delayed_.empty()) return {};
  return delayed_.begin()->first;
}

void FakeBroker::add(Fault fault, std::string filter, std::size_t times, std::chrono::nanoseconds by,
                     std::size_t group) {
  rules_.push_back({.fault = fault, .filter = std::move(filter), .times = times, .by = by, .group = group});
}

FakeBroker::Rule* FakeBroker::rule(Fault fault, std::string_view topic) {
  for (auto& each : rules_) {
    if (each.fault != fault || each.times == 0 || !topic_matches(each.filter, topic)) continue;
    if (each.times != always) --each.times;
    return &each;
  }
  return nullptr;
}

void FakeBroker::clear_faults() {
  tamper_ = nullptr;
  for (auto& each : std::exchange(rules_, {}))
    for (auto& message : each.held) post([this, m = std::move(message)] { route(m); });
}

FakeBroker::Link* FakeBroker::find(std::string_view name) const {
  for (auto it = links_.rbegin(); it != links_.rend(); ++it)
    if ((*it)->name == name) return it->get();
  throw std::logic_error("the fake broker has no client " + std::string(name));
}

void FakeBroker::connect(const std::shared_ptr<Link>& link) {
  if (link->listener == nullptr || link->connected || link->away || !alive_) return;
  for (const auto& other : std::vector(links_))
    if (other != link && other->name == link->name && other->connected) {
      other->away = true;  // otherwise both would disconnect each other without end
      cut(other, "session taken over");
    }
  link->connected = true;
  ++link->connection;
  for (const auto& [topic, kept] : retained_)
    if (std::ranges::any_of(link->filters, [&](const auto& f) { return topic_matches(f.first, topic); }))
      deliver(link, kept.message, true, kept.until);
  link->listener->on_connected();
  post([this, link] { flush(link); });
}

void FakeBroker::cut(const std::shared_ptr<Link>& link, const char* why) {
  if (!std::exchange(link->connected, false)) return;
  link->stalled = false;
  link->held.clear();
  std::vector<transport::MqttClient::PublishHandler> lost;
  for (auto it = link->waiting.begin(); it != link->waiting.end();) {
    it->second.sent = false;
    if (it->second.message.qos == Qos::at_least_once) {
      ++it;
      continue;
    }
    lost.push_back(std::move(it->second.done));
    it = link->waiting.erase(it);
  }
  for (auto& done : lost) done(fail(Errc::connection, why));
  if (link->listener != nullptr) link->listener->on_disconnected(Error{Errc::connection, 0, why});
  if (link->will && alive_)
    post([this, m = Passing{.from = link->name,
                            .topic = link->will->topic,
                            .payload = link->will->payload,
                            .qos = Qos::at_least_once,
                            .retain = link->will->retain}] { arrive(m); });
}

/// Sends and answers the waiting publications, in order.
void FakeBroker::flush(const std::shared_ptr<Link>& link) {
  if (!link->connected || link->stalled) return;
  for (auto& [id, each] : link->waiting) {
    if (std::exchange(each.sent, true)) continue;
    const bool rejected = !arrive(each.message);
    post([link, number = id, rejected] {
      const auto found = link->waiting.find(number);
      if (found == link->waiting.end() || !found->second.sent) return;
      auto done = std::move(found->second.done);
      const bool told = rejected && found->second.message.qos == Qos::at_least_once;
      link->waiting.erase(found);
      done(told ? Result<>(fail(Errc::permission, "fake broker's access list")) : Result<>{});
    });
  }
}

bool FakeBroker::arrive(Passing message) {
  log_.push_back(message);
  if (rule(Fault::reject, message.topic) != nullptr) return false;
  if (!tamper_) return apply_faults(std::move(message)), true;
  for (auto& each : tamper_(std::move(message))) apply_faults(std::move(each));
  return true;
}

void FakeBroker::apply_faults(Passing message) {
  if (rule(Fault::drop, message.topic) != nullptr) return;
  const int copies = rule(Fault::duplicate, message.topic) != nullptr ? 2 : 1;
  if (const auto* late = rule(Fault::delay, message.topic)) {
    for (int i = 0; i < copies; ++i) delayed_.emplace(clock_.monotonic() + late->by, message);
    return;
  }
  if (auto* mixed = rule(Fault::reorder, message.topic)) {
    for (int i = 0; i < copies; ++i) mixed->held.push_back(message);
    if (mixed->held.size() < mixed->group) return;
    auto group = std::exchange(mixed->held, {});
    std::ranges::reverse(group);
    for (auto& each : group) post([this, m = std::move(each)] { route(m); });
    return;
  }
  for (int i = 0; i < copies; ++i) post([this, message] { route(message); });
}

std::optional<MonotonicTime> FakeBroker::deadline(const Passing& message) const {
  if (message.expiry.count() == 0) return {};
  return clock_.monotonic() + message.expiry;
}

void FakeBroker::route(const Passing& message) {
  if (!alive_) return;
  if (message.retain) {
    if (message.payload.empty()) retained_.erase(message.topic);
    else retained_[message.topic] = {message, deadline(message)};
  }
  for (const auto& link : links_)
    if (link->connected &&
        std::ranges::any_of(link->filters, [&](const auto& f) { return topic_matches(f.first, message.topic); }))
      deliver(link, message, false, deadline(message));
}

void FakeBroker::deliver(const std::shared_ptr<Link>& to, const Passing& message, bool retained,
                         std::optional<MonotonicTime> until) {
  post([this, d = Delivery{to, to->connection, message, retained, until}] {
    const auto& link = d.to;
    if (link->listener == nullptr || !link->connected || link->connection != d.connection) return;
    if (link->stalled) return link->held.push_back(d);
    if (d.until && clock_.monotonic() >= *d.until) return;
    link->listener->on_message({.topic = d.message.topic, .payload = d.message.payload, .retained = d.retained});
  });
}

void FakeBroker::disconnect(std::string_view name) {
  for (const auto& link : std::vector(links_))
    if (link.get() == find(name)) {
      link->away = true;
      post([this, link] { cut(link, "connection lost"); });
    }
}

void FakeBroker::reconnect(std::string_view name) {
  for (const auto& link : links_)
    if (link.get() == find(name))
      post([this, link] {
        link->away = false;
        connect(link);
      });
}

void FakeBroker::kill(bool keep_retained) {
  post([this, keep_retained] {
    alive_ = false;
    delayed_.clear();
    for (auto& each : rules_) each.held.clear();
    if (!keep_retained) retained_.clear();
    for (const auto& link : std::vector(links_)) cut(link, "broker gone");
  });
}

void FakeBroker::restart() {
  post([this] {
    alive_ = true;
    for (const auto& link : std::vector(links_)) connect(link);
  });
}

void FakeBroker::hold(std::string_view name) { find(name)->stalled = true; }

void FakeBroker::release(std::string_view name) {
  auto* const link = find(name);
  link->stalled = false;
  for (auto& d : std::exchange(link->held, {}))
    if (d.connection == link->connection) deliver(d.to, d.message, d.retained, d.until);
  for (const auto& each : links_)
    if (each.get() == link) post([this, each] { flush(each); });
}

void FakeBroker::set_progress(std::string_view name, const SendProgress& progress) { find(name)->progress = progress; }

void FakeBroker::inject(std::string_view topic, ByteView payload, bool retain, std::chrono::seconds expiry) {
  post([this, m = Passing{.from = {},
                          .topic = std::string(topic),
                          .payload = Bytes(payload.begin(), payload.end()),
                          .retain = retain,
                          .expiry = expiry}] { route(m); });
}

std::optional<Bytes> FakeBroker::retained(std::string_view topic) const {
  const auto found = retained_.find(topic);
  if (found == retained_.end()) return {};
  if (found->second.until && clock_.monotonic() >= *found->second.until) return {};
  return found->second.message.payload;
}

std::size_t FakeBroker::count(std::string_view filter) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(log_, [&](const Passing& p) { return topic_matches(filter, p.topic); }));
}

std::vector<std::pair<std::string, Qos>> FakeBroker::subscriptions(std::string_view name) const {
  return find(name)->filters;
}

}  // namespace sealcam::test
