// SPDX-License-Identifier: Apache-2.0
#include "transport/mqtt5_client.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "transport/backoff.hpp"
#include "transport/broker_session.hpp"

namespace sealcam::transport {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto stop_limit = milliseconds(900);
/// A connection that lasts less counts as one more failure.
constexpr auto lasting = std::chrono::seconds(2);
constexpr auto repeat_log = std::chrono::minutes(1);

bool usable_host(std::string_view host) {
  // Boost.MQTT5 takes a list in one string; nothing that could end a name in it is let in.
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
        refused_(milliseconds(1'000), milliseconds(15'000), std::random_device{}()),
        log_limit_(repeat_log) {}

  void connect() { session_ = BrokerSession::start(io_, settings_, tls_, *this); }

  void publish(const Publication& p, PublishHandler done) {
    if (stopped_) return answer_later(std::move(done), {Errc::cancelled, 0, "the MQTT client is stopped"});
    if (pending_.size() >= max_in_flight_)
      return answer_later(std::move(done), {Errc::exhausted, 0, "too many publications under way"});
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
    const auto [it, fresh] = filters_.try_emplace(std::string(filter), qos);
    if (!fresh && it->second == qos) return;
    it->second = qos;
    if (connected_) session_->subscribe({*it});
  }
  void unsubscribe(std::string_view filter) {
    const auto found = filters_.find(filter);
    if (found == filters_.end()) return;
    if (connected_) session_->unsubscribe(found->first);
    filters_.erase(found);
  }

  void stop(std::move_only_function<void()> done) {
    stopped_ = true;
    on_left_ = std::move(done);
    timer_.cancel();
    for (auto& [id, kept] : std::exchange(pending_, {}))
      answer_later(std::move(kept.done), {Errc::cancelled, 0, "the MQTT client is stopped"});
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
  [[nodiscard]] std::size_t unsent() const { return connected_ ? session_->unsent() : 0; }

 private:
  struct Kept {
    Qos qos = Qos::at_most_once;
    std::string topic;
    Bytes payload;
    bool retain = false;
    std::chrono::seconds expiry{0};
    PublishHandler done;
    std::uint64_t session = 0;  ///< which session it was sent in
  };

  void session_ready() override {
    connected_ = true;
    ++session_number_;
    connected_at_ = clock_.monotonic();
    log_.info("connected to the broker {}:{}", settings_.host, settings_.port);
    session_->subscribe({filters_.begin(), filters_.end()});
    for (auto& [id, kept] : pending_)
      send(id, {.topic = kept.topic,
                .payload = kept.payload,
                .qos = kept.qos,
                .retain = kept.retain,
                .expiry = kept.expiry});
    listener_.on_connected();
  }

  void session_message(const Message& message) override {
    if (!stopped_) listener_.on_message(message);
  }

  void subscription_refused(const std::string& filter, const std::string& words) override {
    log_.warning("the broker refuses the subscription {}: {}", filter, words);
  }

  void session_ended(const SessionEnd& end) override {
    if (stopped_) return left();
    const auto self = shared_from_this();  // a listener may end the client
    const bool was_connected = std::exchange(connected_, false);
    drop_session();
    if (was_connected && clock_.monotonic() - connected_at_ > lasting) {
      lost_.reset();
      refused_.reset();
    }
    const auto wait = end.refused ? refused_.next() : lost_.next();
    report(end, was_connected);
    timer_.expires_after(wait);
    timer_.async_wait([weak = weak_from_this()](error_code ec) {
      auto impl = weak.lock();
      if (!ec && impl && !impl->stopped_) impl->connect();
    });
    // What has no second chance is answered; the rest waits for the next connection.
    std::vector<PublishHandler> ended;
    std::erase_if(pending_, [&](auto& each) {
      if (each.second.qos != Qos::at_most_once) return false;
      ended.push_back(std::move(each.second.done));
      return true;
    });
    for (auto& done : ended) done(fail(Errc::connection, "connection to the broker lost", end.why.native));
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
    // Cut off by the connection's end: session_ended() follows and decides.
    if (!result && result.error().code == Errc::connection && found->second.qos == Qos::at_least_once) return;
    auto done = std::move(found->second.done);
    pending_.erase(found);
    done(std::move(result));
  }

  void answer_later(PublishHandler done, Error error) {
    asio::post(io_, [self = shared_from_this(), done = std::move(done), error]() mutable {
      if (!self->dropped_) done(std::unexpected(error));
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

  /// The first of a kind, then one a minute: a broker may be away for days.
  void report(const SessionEnd& end, bool was_connected) {
    if (was_connected || end.words != last_words_) log_limit_ = RateLimit(repeat_log);
    last_words_ = end.words;
    if (log_limit_.allow(clock_.monotonic()))
      log_.warning("broker {}:{}: {}; trying again", settings_.host, settings_.port, end.words);
  }

  asio::io_context& io_;
  SessionConfig settings_;
  TlsContext tls_;
  MqttListener& listener_;
  Log& log_;
  std::size_t max_in_flight_;

  SystemClock clock_;
  asio::steady_timer timer_;  ///< until the next attempt; once stopped, until we no longer wait for the goodbye
  Backoff lost_, refused_;
  RateLimit log_limit_;
  std::string last_words_;

  std::shared_ptr<BrokerSession> session_;
  std::uint64_t session_number_ = 0;
  MonotonicTime connected_at_{};
  bool connected_ = false, stopped_ = false, dropped_ = false;
  std::move_only_function<void()> on_left_;

  std::map<std::string, Qos, std::less<>> filters_;
  std::map<std::uint64_t, Kept> pending_;  ///< by age
  std::uint64_t last_id_ = 0;
};

Result<std::unique_ptr<Mqtt5Client>> Mqtt5Client::open(asio::io_context& io, MqttConfig config, MqttListener& listener,
                                                       Log& log) {
  if (!usable_host(config.host)) return fail(Errc::invalid_argument, "the broker's host: a name or an IPv4 address");
  if (config.port == 0) return fail(Errc::invalid_argument, "the broker's port");
  if (config.keep_alive < std::chrono::seconds(1) || config.keep_alive > std::chrono::seconds(3600))
    return fail(Errc::invalid_argument, "keep alive: 1 to 3600 s");
  if (config.max_in_flight == 0 || config.maximum_packet_size < 1024)
    return fail(Errc::invalid_argument, "limits of the MQTT client");
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
std::size_t Mqtt5Client::do_unsent_bytes() const { return impl_->unsent(); }

}  // namespace sealcam::transport
