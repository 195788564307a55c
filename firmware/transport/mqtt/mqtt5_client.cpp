// SPDX-License-Identifier: Apache-2.0
#include "transport/mqtt/mqtt5_client.hpp"

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace sealcam::transport {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto stop_limit = milliseconds(900);
/// A shorter connection counts as another failure.
constexpr auto lasting = std::chrono::seconds(2);
constexpr auto repeat_log = std::chrono::minutes(1);
/// Some brokers, such as RabbitMQ, end the connection at a publication without permission, and do not give the reason.
/// Without a limit, one such publication would end all connections.
constexpr int max_lost = 3;
/// Filters in one packet. A broker queues few retained messages for a client and drops the rest, so the next packet
/// waits for the answer. Mosquitto has up to 20 messages in flight, and queues only those that exceed this number.
constexpr std::size_t filters_per_packet = 20;

bool is_ipv6(const std::string& host) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address_v6(host, ec);
  return !ec && address.scope_id() == 0;
}

std::string address_of(const SessionConfig& settings) {
  const bool v6 = settings.host.contains(':');
  return sealcam::format("{}{}{}:{}", v6 ? "[" : "", settings.host, v6 ? "]" : "", settings.port);
}

bool usable_host(const std::string& host) {
  if (is_ipv6(host)) return true;
  // Boost.MQTT5 takes a list of hosts in one string, so a host must not contain a separator.
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, allowed);
}

}  // namespace

class Mqtt5Client::Impl final : public SessionEvents, public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, MqttConfig&& config, TlsContext tls, MqttListener& listener, Log& log)
      : io_(io),
        settings_{.host = std::move(config.host),
                  .port = config.port,
                  .client_id = std::move(config.client_id),
                  .will = std::move(config.will),
                  .keep_alive = config.keep_alive,
                  .maximum_packet_size = config.maximum_packet_size},
        tls_(std::move(tls)),
        listener_(listener),
        log_(log),
        max_in_flight_(config.max_in_flight),
        timer_(io),
        lost_(milliseconds(50), milliseconds(1'000), std::random_device{}()),
        rejected_(milliseconds(1'000), milliseconds(15'000), std::random_device{}()),
        log_limit_(repeat_log) {}

  void connect() { session_ = BrokerSession::start(io_, settings_, tls_, *this); }

  void publish(const Publication& p, PublishHandler done) {
    if (stopped_) return answer_later(std::move(done), {Errc::canceled, 0, "the MQTT client is stopped"});
    if (pending_.size() >= max_in_flight_)
      return answer_later(std::move(done), {Errc::exhausted, 0, "too many unanswered publications"});
    if (p.qos == Qos::at_most_once && !connected_)
      return answer_later(std::move(done), {Errc::connection, 0, "not connected to the broker"});
    const auto id = ++last_id_;
    auto& kept = pending_[id];
    kept.qos = p.qos;
    kept.done = std::move(done);
    if (p.qos == Qos::at_least_once) {
      kept.topic = p.topic;
      kept.payload.assign(p.payload.begin(), p.payload.end());
      kept.retain = p.retain;
      kept.expiry = p.expiry;
    }
    if (connected_) send(id, p);
  }

  void subscribe(std::string_view filter, Qos qos) {
    const auto [it, fresh] = filters_.try_emplace(std::string(filter), Filter{qos, ++last_filter_});
    if (!fresh && it->second.qos == qos) return;
    it->second.qos = qos;
    if (!connected_) return;
    unsent_filters_.emplace_back(it->first, qos);
    // Later, so that several calls make one packet.
    if (!std::exchange(subscribing_, true))
      asio::post(io_, [weak = weak_from_this(), number = session_number_] {
        if (auto self = weak.lock(); self && self->connected_ && self->session_number_ == number)
          self->subscribe_next();
      });
  }
  void unsubscribe(std::string_view filter) {
    const auto found = filters_.find(filter);
    if (found == filters_.end()) return;
    std::erase(unsent_filters_, std::pair(found->first, found->second.qos));
    if (connected_) session_->unsubscribe(found->first);
    filters_.erase(found);
  }

  void stop(std::move_only_function<void()> done) {
    stopped_ = true;
    on_left_ = std::move(done);
    timer_.cancel();
    for (auto& [id, kept] : std::exchange(pending_, {}))
      answer_later(std::move(kept.done), {Errc::canceled, 0, "the MQTT client is stopped"});
    if (!std::exchange(connected_, false)) {
      drop_session();
      return asio::post(io_, [self = shared_from_this()] { self->left(); });
    }
    timer_.expires_after(stop_limit);
    timer_.async_wait([self = shared_from_this()](error_code) { self->left(); });
    session_->disconnect([self = shared_from_this()] { self->timer_.cancel(); });
  }

  void drop() {
    stopped_ = dropped_ = true;
    connected_ = false;
    on_left_ = nullptr;
    timer_.cancel();
    drop_session();
    pending_.clear();
  }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::size_t in_flight() const { return pending_.size(); }
  [[nodiscard]] SendProgress progress() const { return connected_ ? session_->progress() : SendProgress{}; }

 private:
  struct Kept {
    Qos qos = Qos::at_most_once;
    std::string topic;
    Bytes payload;
    bool retain = false;
    std::chrono::seconds expiry{0};
    PublishHandler done;
    std::uint64_t session = 0;  ///< number of the session that sent it
    int lost = 0;               ///< connections that ended before its answer
  };

  void session_ready() override {
    connected_ = true;
    ++session_number_;
    connected_at_ = clock_.monotonic();
    log_.info("connected to the broker {}", address_of(settings_));
    unsent_filters_ = all_filters();
    subscribing_ = true;
    subscribe_next();
    for (auto& [id, kept] : pending_)
      send(id, {.topic = kept.topic,
                .payload = kept.payload,
                .qos = kept.qos,
                .retain = kept.retain,
                .expiry = kept.expiry});
    listener_.on_connected();
  }

  void subscriptions_answered() override {
    if (connected_) subscribe_next();
  }

  void subscribe_next() {
    subscribing_ = !unsent_filters_.empty();
    if (!subscribing_) return;
    const auto end =
        unsent_filters_.begin() + static_cast<std::ptrdiff_t>(std::min(filters_per_packet, unsent_filters_.size()));
    const BrokerSession::Filters packet(unsent_filters_.begin(), end);
    unsent_filters_.erase(unsent_filters_.begin(), end);
    session_->subscribe(packet);
  }

  /// In the order of their subscribe().
  [[nodiscard]] BrokerSession::Filters all_filters() const {
    std::map<std::uint64_t, std::pair<std::string, Qos>> ordered;
    for (const auto& [filter, each] : filters_) ordered.emplace(each.order, std::pair(filter, each.qos));
    BrokerSession::Filters all;
    for (auto& [order, filter] : ordered) all.push_back(std::move(filter));
    return all;
  }

  void session_message(const Message& message) override {
    if (!stopped_) listener_.on_message(message);
  }

  void subscription_rejected(const std::string& filter, const std::string& text) override {
    log_.warning("the broker rejects the subscription {}: {}", filter, text);
  }

  void session_ended(const SessionEnd& end) override {
    if (stopped_) return left();
    const auto self = shared_from_this();  // a listener may destroy the client
    const bool was_connected = std::exchange(connected_, false);
    drop_session();
    if (was_connected && clock_.monotonic() - connected_at_ > lasting) {
      lost_.reset();
      rejected_.reset();
    }
    const auto wait = end.rejected ? rejected_.next() : lost_.next();
    report(end, was_connected);
    timer_.expires_after(wait);
    timer_.async_wait([weak = weak_from_this()](error_code ec) {
      auto impl = weak.lock();
      if (!ec && impl && !impl->stopped_) impl->connect();
    });
    // QoS 0 fails now. QoS 1 waits for the next connection, unless it may be the cause.
    std::vector<std::pair<PublishHandler, Error>> ended;
    std::erase_if(pending_, [&](auto& each) {
      auto& kept = each.second;
      const bool lost = was_connected && kept.session == session_number_ && ++kept.lost == max_lost;
      if (kept.qos == Qos::at_most_once)
        ended.emplace_back(std::move(kept.done),
                           Error{Errc::connection, end.why.native, "connection to the broker lost"});
      else if (lost)
        ended.emplace_back(std::move(kept.done),
                           Error{Errc::io, end.why.native, "each connection ended after it was sent"});
      else return false;
      return true;
    });
    for (auto& [done, why] : ended) done(std::unexpected(why));
    if (was_connected && !stopped_) listener_.on_disconnected(end.why);
  }

  void send(std::uint64_t id, const Publication& publication) {
    pending_[id].session = session_number_;
    session_->publish(publication, [weak = weak_from_this(), id, number = session_number_](Result<> result) {
      if (auto self = weak.lock()) self->answered(id, number, std::move(result));
    });
  }

  void answered(std::uint64_t id, std::uint64_t number, Result<> result) {
    const auto found = pending_.find(id);
    if (found == pending_.end() || found->second.session != number) return;
    // The connection ended: session_ended() follows and keeps this publication.
    if (!result && result.error().code == Errc::connection && found->second.qos == Qos::at_least_once) return;
    auto done = std::move(found->second.done);
    pending_.erase(found);
    done(std::move(result));
  }

  void answer_later(PublishHandler done, Error error) {
    asio::post(io_, [self = shared_from_this(), done = std::move(done), error = std::move(error)]() mutable {
      if (!self->dropped_) done(std::unexpected(std::move(error)));
    });
  }

  void left() {
    timer_.cancel();
    drop_session();
    if (on_left_) std::exchange(on_left_, nullptr)();
  }

  void drop_session() {
    if (session_) session_->abandon();
    session_.reset();
  }

  /// Logs the first failure of a kind, then at most one line a minute: a broker may be away for days.
  void report(const SessionEnd& end, bool was_connected) {
    if (was_connected || end.text != last_text_) log_limit_ = RateLimit(repeat_log);
    last_text_ = end.text;
    if (log_limit_.allow(clock_.monotonic()))
      log_.warning("broker {}: {}; reconnecting{}", address_of(settings_), end.text, log_limit_.note());
  }

  asio::io_context& io_;
  SessionConfig settings_;
  TlsContext tls_;
  MqttListener& listener_;
  Log& log_;
  std::size_t max_in_flight_;

  SystemClock clock_;
  asio::steady_timer timer_;  ///< waits for the next attempt; after stop(), limits the wait for the disconnect
  Backoff lost_, rejected_;
  RateLimit log_limit_;
  std::string last_text_;

  std::shared_ptr<BrokerSession> session_;
  std::uint64_t session_number_ = 0;
  MonotonicTime connected_at_{};
  bool connected_ = false, stopped_ = false, dropped_ = false;
  std::move_only_function<void()> on_left_;

  struct Filter {
    Qos qos;
    std::uint64_t order;
  };
  std::map<std::string, Filter, std::less<>> filters_;
  std::uint64_t last_filter_ = 0;
  BrokerSession::Filters unsent_filters_;  ///< of this session
  bool subscribing_ = false;               ///< subscribe_next() will be called
  std::map<std::uint64_t, Kept> pending_;  ///< oldest first
  std::uint64_t last_id_ = 0;
};

Result<std::unique_ptr<Mqtt5Client>> Mqtt5Client::open(asio::io_context& io, MqttConfig config, MqttListener& listener,
                                                       Log& log) {
  if (!usable_host(config.host))
    return fail(Errc::invalid_argument, "the broker's host must be a name or an IP address");
  if (config.port == 0) return fail(Errc::invalid_argument, "the broker port must not be 0");
  if (config.keep_alive < std::chrono::seconds(1) || config.keep_alive > std::chrono::seconds(3600))
    return fail(Errc::invalid_argument, "keep alive must be 1 to 3600 s");
  if (config.max_in_flight == 0 || config.maximum_packet_size < 1024)
    return fail(Errc::invalid_argument, "a limit of the MQTT client is too small");
  config.tls.role = TlsRole::client;
  auto tls = TlsContext::make(std::move(config.tls));
  if (!tls) return std::unexpected(tls.error());
  auto impl = std::make_shared<Impl>(io, std::move(config), std::move(*tls), listener, log);
  impl->connect();
  return std::unique_ptr<Mqtt5Client>(new Mqtt5Client(std::move(impl)));
}

Mqtt5Client::Mqtt5Client(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Mqtt5Client::~Mqtt5Client() { impl_->drop(); }

void Mqtt5Client::stop(std::move_only_function<void()> done) { impl_->stop(std::move(done)); }
void Mqtt5Client::do_publish(const Publication& p, PublishHandler done) { impl_->publish(p, std::move(done)); }
void Mqtt5Client::do_subscribe(std::string_view filter, Qos qos) { impl_->subscribe(filter, qos); }
void Mqtt5Client::do_unsubscribe(std::string_view filter) { impl_->unsubscribe(filter); }
bool Mqtt5Client::do_connected() const { return impl_->connected(); }
std::size_t Mqtt5Client::do_in_flight() const { return impl_->in_flight(); }
SendProgress Mqtt5Client::do_send_progress() const { return impl_->progress(); }

}  // namespace sealcam::transport
