// SPDX-License-Identifier: Apache-2.0
#include "transport/broker_session.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/mqtt5/mqtt_client.hpp>
#include <boost/mqtt5/reason_codes.hpp>
#include <boost/mqtt5/types.hpp>
#include <format>

#include "transport/broker_stream.hpp"
#include "transport/tcp_options.hpp"

namespace mqtt = boost::mqtt5;

template <>
struct boost::mqtt5::tls_handshake_type<sealcam::transport::BrokerStream> {
  static constexpr auto client = sealcam::transport::BrokerStream::handshake_type::client;
};

namespace sealcam::transport {

/// Found by ADL where Boost.MQTT5 prepares a connection.
void assign_tls_sni(const mqtt::authority_path& server, BrokerTls&, BrokerStream& stream) {
  stream.next_layer().set_server_name(server.host);
}

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// Boost.MQTT5 gives an attempt 5 s and says nothing when they are over.
constexpr auto attempt_limit = std::chrono::milliseconds(5'300);

class Session;

/// Boost.MQTT5's logger: copied about by it, hence only a pointer.
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
  const int native = code.value();
  if (code == rc::not_authorized || code == rc::bad_username_or_password || code == rc::banned)
    return {Errc::permission, native, "the broker's access list says no"};
  if (code == rc::packet_too_large || code == rc::quota_exceeded)
    return {Errc::exhausted, native, "the broker's limit is reached"};
  if (code == rc::topic_name_invalid || code == rc::topic_filter_invalid)
    return {Errc::invalid_argument, native, "the broker refuses the topic"};
  if (code == rc::retain_not_supported || code == rc::qos_not_supported || code == rc::unsupported_protocol_version)
    return {Errc::unsupported, native, "the broker cannot do this"};
  return {Errc::io, native, "the broker refused"};
}

Result<> to_result(error_code ec, mqtt::reason_code code = mqtt::reason_codes::success) {
  using mqtt::client::error;
  if (!ec && !code) return {};
  if (!ec) return std::unexpected(to_error(code));
  if (ec == error::packet_too_large) return fail(Errc::exhausted, "larger than the broker takes", ec.value());
  if (ec == error::pid_overrun) return fail(Errc::exhausted, "too many publications under way", ec.value());
  if (ec == error::invalid_topic) return fail(Errc::invalid_argument, "topic", ec.value());
  if (ec == error::retain_not_available || ec == error::qos_not_supported)
    return fail(Errc::unsupported, "the broker cannot do this", ec.value());
  return fail(Errc::connection, "connection to the broker lost", ec.value());
}

std::string next_step(mqtt::reason_code code) {
  namespace rc = mqtt::reason_codes;
  if (code == rc::not_authorized || code == rc::bad_username_or_password || code == rc::client_identifier_not_valid)
    return "; the operator has to admit this device (sealcam broker admit)";
  if (code == rc::unsupported_protocol_version) return "; a broker for MQTT 5 is needed";
  if (code == rc::session_taken_over)
    return "; another device with this identity connected: if it is not this one restarted, the identity was copied";
  if (code == rc::packet_too_large) return "; raise the broker's packet limit to 1 MiB or more";
  return {};
}

class Session final : public BrokerSession, public StreamObserver, public std::enable_shared_from_this<Session> {
 public:
  Session(asio::io_context& io, SessionEvents& events) : io_(io), attempt_timer_(io), events_(&events) {}
  ~Session() { abandon(); }

  void connect(const SessionConfig& config, const TlsContext& tls) {
    client_.emplace(io_, BrokerTls{tls, weak_from_this()}, Hooks{weak_from_this()});
    mqtt::connect_props properties;
    properties[mqtt::prop::maximum_packet_size] = config.maximum_packet_size;
    client_->brokers(config.host, config.port)
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
      options.retain_as_published = mqtt::retain_as_published_e::dont;  // RETAIN then means: was retained
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

  [[nodiscard]] std::size_t unsent() const override { return unsent_bytes(socket_); }

  // What the connection tells, from Hooks and BrokerStream.
  void resolved(error_code ec, std::string_view host, std::size_t endpoints) {
    if (ec)
      return end({Errc::connection, ec.value(), "find the broker"}, false,
                 std::format("cannot find the host {}: {}", host, ec.message()));
    if (std::exchange(resolved_once_, true)) return end(last_failure_.why, last_failure_.refused, last_failure_.words);
    endpoints_left_ = endpoints;
    watch_attempt();
  }
  void attempted(error_code ec) {
    watch_attempt();
    if (ec) attempt_failed({{Errc::connection, ec.value(), "connect to the broker"}, false, ec.message()});
  }
  void answered(mqtt::reason_code code) {
    watch_attempt();
    if (!code) {
      accepted_ = true;
      return;
    }
    end(to_error(code), true, "the broker refuses this device: " + code.message() + next_step(code));
  }
  void told_to_go(mqtt::reason_code code) {
    namespace rc = mqtt::reason_codes;
    const bool passes = code == rc::server_shutting_down || code == rc::server_busy || code == rc::keep_alive_timeout;
    end(to_error(code), !passes, "the broker ended the connection: " + code.message() + next_step(code));
  }

  /// Boost.MQTT5's first read after an accepted CONNACK is the one of its main loop: now it can write as well.
  void stream_reads(int socket) override {
    if (!accepted_ || ready_ || ended_) return;
    ready_ = true;
    socket_ = socket;
    tap_.reset();
    attempt_timer_.cancel();
    asio::post(io_, [weak = weak_from_this()] {
      if (auto self = weak.lock(); self && self->events_ != nullptr && !self->ended_) self->events_->session_ready();
    });
  }
  void stream_received(ByteView bytes) override {
    if (ready_) tap_.feed(bytes);
  }
  void stream_failed(const error_code& ec, const TlsStream& stream) override {
    if (leaving_ || ended_) return;
    SessionEnd failure{{Errc::connection, ec.value(), "connection to the broker lost"}, stream.refused(), ec.message()};
    if (ec == asio::error::eof || ec == asio::error::connection_reset)
      failure.words = "the broker closed the connection";
    if (ec == asio::error::operation_aborted) {
      failure.why = {Errc::timeout, 0, "the broker does not answer"};
      failure.words = "the broker does not answer";
    }
    if (failure.refused) {
      failure.why.code = Errc::permission;
      failure.words = stream.failure();
    }
    if (ready_) return end(failure.why, failure.refused, failure.words);
    attempt_failed(std::move(failure));
  }

 private:
  using Client = mqtt::mqtt_client<BrokerStream, BrokerTls, Hooks>;

  void attempt_failed(SessionEnd failure) {
    last_failure_ = std::move(failure);
    if (endpoints_left_ > 0) --endpoints_left_;
    if (endpoints_left_ == 0) end(last_failure_.why, last_failure_.refused, last_failure_.words);
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

  /// Told in a call of its own: Boost.MQTT5 is in the middle of something when it finds out.
  void end(const Error& why, bool refused, std::string words) {
    if (std::exchange(ended_, true)) return;
    socket_ = -1;
    attempt_timer_.cancel();
    asio::post(io_, [weak = weak_from_this(), end = SessionEnd{why, refused, std::move(words)}] {
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
            {.topic = topic, .payload = as_bytes(payload), .retained = self->tap_.take_retained(topic)});
      if (self->client_) self->receive();
    });
  }

  void on_suback(const Filters& filters, error_code ec, const std::vector<mqtt::reason_code>& codes) {
    if (events_ == nullptr || ended_) return;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      const bool refused = ec ? ec != asio::error::operation_aborted : i < codes.size() && codes[i];
      if (!refused) continue;
      events_->subscription_refused(filters[i].first, ec ? ec.message() : codes[i].message() + next_step(codes[i]));
      if (events_ == nullptr) return;
    }
  }

  asio::io_context& io_;
  asio::steady_timer attempt_timer_;
  SessionEvents* events_;
  std::optional<Client> client_;
  asio::cancellation_signal leave_;
  PublishTap tap_;
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
void Hooks::at_connack(mqtt::reason_code code, bool, const mqtt::connack_props&) {
  if (auto s = session.lock()) s->answered(code);
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
