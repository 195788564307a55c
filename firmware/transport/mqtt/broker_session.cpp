// SPDX-License-Identifier: Apache-2.0
#include "transport/mqtt/mqtt5_client.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/mqtt5/mqtt_client.hpp>
#include <boost/mqtt5/reason_codes.hpp>
#include <boost/mqtt5/types.hpp>

#include "base/format.hpp"
#include "transport/mqtt/broker_stream.hpp"
#include "transport/tcp.hpp"

namespace mqtt = boost::mqtt5;

template <>
struct boost::mqtt5::tls_handshake_type<sealcam::transport::BrokerStream> {
  static constexpr auto client = sealcam::transport::BrokerStream::handshake_type::client;
};

namespace sealcam::transport {

/// Boost.MQTT5 calls this by ADL when it prepares a connection. The stream has its name already.
void assign_tls_sni(const mqtt::authority_path&, BrokerTls&, BrokerStream&) {}

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// Boost.MQTT5 ends an attempt after 5 s and does not report it.
constexpr auto attempt_limit = std::chrono::milliseconds(5'300);

class Session;

/// The logger of Boost.MQTT5. Boost.MQTT5 copies it, so it holds only a pointer.
struct Hooks {
  std::weak_ptr<Session> session;
  void at_resolve(error_code ec, std::string_view host, std::string_view port,
                  const asio::ip::tcp::resolver::results_type& endpoints);
  void at_tcp_connect(error_code ec, const asio::ip::tcp::endpoint& endpoint);
  void at_connack(mqtt::reason_code code, bool session_present, const mqtt::connack_props& properties);
  void at_disconnect(mqtt::reason_code code, const mqtt::disconnect_props& properties);
};

Error to_error(mqtt::reason_code code) {
  namespace rc = mqtt::reason_codes;
  if (code == rc::not_authorized || code == rc::bad_username_or_password || code == rc::banned)
    return {Errc::permission, 0, "the access list of the broker forbids this"};
  if (code == rc::packet_too_large || code == rc::quota_exceeded)
    return {Errc::exhausted, 0, "the broker's limit is reached"};
  if (code == rc::topic_name_invalid || code == rc::topic_filter_invalid)
    return {Errc::invalid_argument, 0, "the broker rejects the topic"};
  if (code == rc::retain_not_supported || code == rc::qos_not_supported || code == rc::unsupported_protocol_version)
    return {Errc::unsupported, 0, "the broker does not support retained messages, QoS 1 or MQTT 5"};
  return located({Errc::io, 0, "the broker rejected the request"}, code.message());
}

Result<> to_result(error_code ec, mqtt::reason_code code = mqtt::reason_codes::success) {
  using mqtt::client::error;
  if (!ec && !code) return {};
  if (!ec) return std::unexpected(to_error(code));
  if (ec == error::packet_too_large) return fail(Errc::exhausted, "larger than the broker allows");
  if (ec == error::pid_overrun) return fail(Errc::exhausted, "too many unanswered publications");
  if (ec == error::invalid_topic) return fail(Errc::invalid_argument, "invalid topic");
  if (ec == error::retain_not_available || ec == error::qos_not_supported)
    return fail(Errc::unsupported, "the broker does not support retained messages or QoS 1");
  return fail(Errc::connection, "connection to the broker lost", ec.value());
}

std::string next_step(mqtt::reason_code code) {
  namespace rc = mqtt::reason_codes;
  if (code == rc::not_authorized || code == rc::bad_username_or_password || code == rc::client_identifier_not_valid)
    return "; authorize this device with 'sealcam broker authorize'";
  if (code == rc::unsupported_protocol_version) return "; use a broker that supports MQTT 5";
  if (code == rc::session_taken_over)
    return "; another device with this identity connected; if this device was not restarted, its identity was copied";
  if (code == rc::packet_too_large) return "; raise the broker's packet limit to 1 MiB or more";
  return {};
}

/// Why Sealcam cannot use a broker with these limits (MQTT 5 section 3.2.2.3); empty if it can.
std::string unusable(mqtt::reason_code code, const mqtt::connack_props& properties) {
  namespace rc = mqtt::reason_codes;  // of the will
  if (code == rc::retain_not_supported || properties[mqtt::prop::retain_available].value_or(1) == 0)
    return "the broker retains no messages, but devices need the retained rosters and keys; with Mosquitto, set "
           "'retain_available true' in mosquitto.conf";
  if (code == rc::qos_not_supported || properties[mqtt::prop::maximum_qos].value_or(1) == 0)
    return "the broker accepts QoS 0 only, but devices need QoS 1; with Mosquitto, set 'max_qos 1' in mosquitto.conf";
  return {};
}

class Session final : public BrokerSession, public StreamObserver, public std::enable_shared_from_this<Session> {
 public:
  Session(asio::io_context& io, SessionEvents& events) : io_(io), attempt_timer_(io), events_(&events) {}
  ~Session() { abandon(); }

  void connect(const SessionConfig& config, const TlsContext& tls) {
    BrokerTls broker{tls, weak_from_this(), config.host};
    error_code not_ipv6;
    if (const auto ip = asio::ip::make_address_v6(config.host, not_ipv6); !not_ipv6)
      broker.address.emplace(ip, config.port);
    const std::string host = broker.address ? "127.0.0.1" : config.host;
    client_.emplace(io_, std::move(broker), Hooks{weak_from_this()});
    mqtt::connect_props properties;
    properties[mqtt::prop::maximum_packet_size] = config.maximum_packet_size;
    client_->brokers(host, config.port)
        .credentials(config.client_id)
        .keep_alive(static_cast<std::uint16_t>(config.keep_alive.count()))
        .connect_properties(std::move(properties));
    if (config.will)
      client_->will(mqtt::will(config.will->topic, std::string(as_text(config.will->payload)),
                               mqtt::qos_e::at_least_once,
                               config.will->retain ? mqtt::retain_e::yes : mqtt::retain_e::no));
    client_->async_run([weak = weak_from_this()](error_code ec) {
      if (auto self = weak.lock(); self && !self->leaving_)
        self->end({Errc::connection, ec.value(), "the MQTT client ended"}, false, ec.message());
    });
    receive();
    watch_attempt();
  }

  void publish(const Publication& p, Answer done) override {
    if (!client_) return;
    mqtt::publish_props properties;
    if (p.expiry.count() > 0)
      properties[mqtt::prop::message_expiry_interval] = static_cast<std::uint32_t>(p.expiry.count());
    const auto retain = p.retain ? mqtt::retain_e::yes : mqtt::retain_e::no;
    auto answer = [weak = weak_from_this(), done = std::move(done)](Result<> result) mutable {
      if (auto self = weak.lock(); self && self->events_ != nullptr) done(std::move(result));
    };
    if (p.qos == Qos::at_most_once)
      client_->async_publish<mqtt::qos_e::at_most_once>(
          std::string(p.topic), std::string(as_text(p.payload)), retain, properties,
          [answer = std::move(answer)](error_code ec) mutable { answer(to_result(ec)); });
    else
      client_->async_publish<mqtt::qos_e::at_least_once>(
          std::string(p.topic), std::string(as_text(p.payload)), retain, properties,
          [answer = std::move(answer)](error_code ec, mqtt::reason_code code, const mqtt::puback_props&) mutable {
            answer(to_result(ec, code));
          });
  }

  void subscribe(const Filters& filters) override {
    if (!client_ || filters.empty()) return;
    std::vector<mqtt::subscribe_topic> topics;
    for (const auto& [filter, qos] : filters) {
      mqtt::subscribe_options options;
      options.max_qos = qos == Qos::at_most_once ? mqtt::qos_e::at_most_once : mqtt::qos_e::at_least_once;
      options.no_local = mqtt::no_local_e::no;
      options.retain_as_published = mqtt::retain_as_published_e::dont;  // RETAIN then marks retained messages only
      options.retain_handling = mqtt::retain_handling_e::send;
      topics.push_back({filter, options});
    }
    client_->async_subscribe(
        topics, mqtt::subscribe_props{},
        [weak = weak_from_this(), filters](error_code ec, const std::vector<mqtt::reason_code>& codes,
                                           const mqtt::suback_props&) {
          if (auto self = weak.lock()) self->on_suback(filters, ec, codes);
        });
  }

  void unsubscribe(const std::string& filter) override {
    if (client_)
      client_->async_unsubscribe(filter, mqtt::unsubscribe_props{},
                                 [](error_code, const std::vector<mqtt::reason_code>&, const mqtt::unsuback_props&) {});
  }

  void disconnect(std::move_only_function<void()> done) override {
    if (!client_) return;
    leaving_ = true;
    client_->async_disconnect(asio::bind_cancellation_slot(
        leave_.slot(), [self = shared_from_this(), done = std::move(done)](error_code) mutable {
          self->left_ = true;
          if (self->events_ != nullptr) done();
        }));
  }

  void abandon() override {
    events_ = nullptr;
    ended_ = true;
    socket_ = -1;
    attempt_timer_.cancel();
    client_.reset();
    if (leaving_ && !left_) leave_.emit(asio::cancellation_type::terminal);
  }

  [[nodiscard]] SendProgress progress() const override { return send_progress(socket_); }

  // Called by Hooks and BrokerStream.
  void resolved(error_code ec, std::string_view host, std::size_t endpoints) {
    if (ec)
      return end({Errc::connection, ec.value(), "looking up the broker"}, false,
                 sealcam::format("cannot find the host {}: {}", host, ec.message()));
    if (std::exchange(resolved_once_, true)) return end(last_failure_.why, last_failure_.rejected, last_failure_.text);
    endpoints_left_ = endpoints;
    watch_attempt();
  }
  void attempted(error_code ec) {
    watch_attempt();
    if (ec) attempt_failed({{Errc::connection, ec.value(), "connecting to the broker"}, false, ec.message()});
  }
  void answered(mqtt::reason_code code, const mqtt::connack_props& properties) {
    watch_attempt();
    if (auto text = unusable(code, properties); !text.empty())
      return end({Errc::unsupported, code.value(), "the broker cannot be used"}, true, std::move(text));
    if (code) return end(to_error(code), true, "the broker rejects this device: " + code.message() + next_step(code));
    accepted_ = true;
  }
  void told_to_go(mqtt::reason_code code) {
    namespace rc = mqtt::reason_codes;
    const bool passes = code == rc::server_shutting_down || code == rc::server_busy || code == rc::keep_alive_timeout;
    end(to_error(code), !passes, "the broker ended the connection: " + code.message() + next_step(code));
  }

  /// The first read after an accepted CONNACK comes from the main loop of Boost.MQTT5, which can write from then on.
  void stream_reads(int socket) override {
    if (!accepted_ || ready_ || ended_) return;
    ready_ = true;
    socket_ = socket;
    parser_.reset();
    attempt_timer_.cancel();
    asio::post(io_, [weak = weak_from_this()] {
      if (auto self = weak.lock(); self && self->events_ != nullptr && !self->ended_) self->events_->session_ready();
    });
  }
  void stream_received(ByteView bytes) override {
    if (ready_) parser_.feed(bytes);
  }
  void stream_failed(const error_code& ec, const TlsStream& stream) override {
    if (leaving_ || ended_) return;
    SessionEnd failure{
        {Errc::connection, ec.value(), "connection to the broker lost"}, stream.rejected(), ec.message()};
    if (ec == asio::error::eof || ec == asio::error::connection_reset)
      failure.text = "the broker closed the connection";
    if (ec == asio::error::operation_aborted) {
      failure.why = {Errc::timeout, 0, "the broker does not answer"};
      failure.text = "the broker does not answer";
    }
    if (failure.rejected) {
      failure.why.code = Errc::permission;
      failure.text = stream.failure();
    }
    if (ready_) return end(failure.why, failure.rejected, failure.text);
    attempt_failed(std::move(failure));
  }

 private:
  using Client = mqtt::mqtt_client<BrokerStream, BrokerTls, Hooks>;

  void attempt_failed(SessionEnd failure) {
    last_failure_ = std::move(failure);
    if (endpoints_left_ > 0) --endpoints_left_;
    if (endpoints_left_ == 0) end(last_failure_.why, last_failure_.rejected, last_failure_.text);
  }

  void watch_attempt() {
    if (ready_ || ended_) return;
    attempt_timer_.expires_after(attempt_limit);
    attempt_timer_.async_wait([weak = weak_from_this()](error_code ec) {
      auto self = weak.lock();
      if (ec || !self || self->ready_) return;
      self->end({Errc::timeout, 0, "the broker does not answer"}, false, "the broker does not answer");
    });
  }

  /// Reports the end from the event loop, because this function can run inside an operation of Boost.MQTT5.
  void end(const Error& why, bool rejected, std::string text) {
    if (std::exchange(ended_, true)) return;
    socket_ = -1;
    attempt_timer_.cancel();
    asio::post(io_, [weak = weak_from_this(), end = SessionEnd{why, rejected, std::move(text)}] {
      if (auto self = weak.lock(); self && self->events_ != nullptr) self->events_->session_ended(end);
    });
  }

  void receive() {
    client_->async_receive([weak = weak_from_this()](error_code ec, const std::string& topic,
                                                     const std::string& payload, const mqtt::publish_props&) {
      auto self = weak.lock();
      if (!self || self->events_ == nullptr || ec == asio::error::operation_aborted) return;
      if (!ec)
        self->events_->session_message(
            {.topic = topic, .payload = as_bytes(payload), .retained = self->parser_.take_retained(topic)});
      if (self->client_) self->receive();
    });
  }

  void on_suback(const Filters& filters, error_code ec, const std::vector<mqtt::reason_code>& codes) {
    if (events_ == nullptr || ended_) return;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      const bool rejected = ec ? ec != asio::error::operation_aborted : i < codes.size() && codes[i];
      if (!rejected) continue;
      events_->subscription_rejected(filters[i].first, ec ? ec.message() : codes[i].message() + next_step(codes[i]));
      if (events_ == nullptr) return;
    }
    events_->subscriptions_answered();
  }

  asio::io_context& io_;
  asio::steady_timer attempt_timer_;
  SessionEvents* events_;
  std::optional<Client> client_;
  asio::cancellation_signal leave_;
  PublishParser parser_;
  SessionEnd last_failure_{{Errc::timeout, 0, "the broker does not answer"}, false, "the broker does not answer"};
  std::size_t endpoints_left_ = 0;
  int socket_ = -1;
  bool resolved_once_ = false, accepted_ = false, ready_ = false, ended_ = false, leaving_ = false, left_ = false;
};

void Hooks::at_resolve(error_code ec, std::string_view host, std::string_view,
                       const asio::ip::tcp::resolver::results_type& endpoints) {
  if (auto s = session.lock()) s->resolved(ec, host, endpoints.size());
}
void Hooks::at_tcp_connect(error_code ec, const asio::ip::tcp::endpoint&) {
  if (auto s = session.lock()) s->attempted(ec);
}
void Hooks::at_connack(mqtt::reason_code code, bool, const mqtt::connack_props& properties) {
  if (auto s = session.lock()) s->answered(code, properties);
}
void Hooks::at_disconnect(mqtt::reason_code code, const mqtt::disconnect_props&) {
  if (auto s = session.lock()) s->told_to_go(code);
}

}  // namespace

std::shared_ptr<BrokerSession> BrokerSession::start(boost::asio::io_context& io, const SessionConfig& config,
                                                    const TlsContext& tls, SessionEvents& events) {
  auto session = std::make_shared<Session>(io, events);
  session->connect(config, tls);
  return session;
}

}  // namespace sealcam::transport
