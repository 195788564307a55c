// SPDX-License-Identifier: Apache-2.0
/// A stand-in for broker and network behind MqttClient, for unit tests of what is above it. No threads, no time of its
/// own: everything that happens, happens in run_until_idle(), in a fixed order.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "transport/mqtt.hpp"

namespace sealcam::test {

/// Whether a topic filter matches a topic (MQTT 5 section 4.7): '+' is one level, '#' the rest and the parent;
/// neither matches a first level that begins with '$'.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view topic);

/// A publication on its way through the broker.
struct Passing {
  std::string from;  ///< name of the client; empty: the broker itself
  std::string topic;
  Bytes payload;
  transport::Qos qos = transport::Qos::at_most_once;
  bool retain = false;
  std::chrono::seconds expiry{0};
};

/// Behaves like Mosquitto with session expiry 0 towards Mqtt5Client: a client that was disconnected gets retained
/// messages again and nothing of what passed meanwhile; its own QoS 1 publications wait for the reconnect, QoS 0 ones
/// fail. One copy of a message goes to a client whatever number of its filters match. Thread-bound; outlives its
/// clients.
class FakeBroker {
 public:
  /// `clock` judges expiry and delays; the test moves it.
  explicit FakeBroker(const Clock& clock) : clock_(clock) {}
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;
  ~FakeBroker();

  /// A new client; it connects in the next run_until_idle(). A client of that name that is connected is thrown off,
  /// as MQTT wants it. `listener` outlives the client.
  [[nodiscard]] std::unique_ptr<transport::MqttClient> attach(std::string name, transport::MqttListener& listener,
                                                              std::size_t max_in_flight = 4,
                                                              std::optional<transport::Will> will = {});

  /// Lets everything happen that is due by the clock, and what follows from it. Returns the number of steps. Throws
  /// std::logic_error after a million of them: two parties answer each other for ever.
  std::size_t run_until_idle();
  /// When the next delayed message is due.
  [[nodiscard]] std::optional<MonotonicTime> next_due() const;

  // Faults. Rules apply to publications whose topic matches `filter`, in the order of this list, until clear_faults().
  static constexpr std::size_t always = static_cast<std::size_t>(-1);
  /// Sees every publication first; what it returns goes on instead: nothing, the same, changed, elsewhere, more.
  using Tamper = std::function<std::vector<Passing>(Passing)>;
  void tamper(Tamper hook) { tamper_ = std::move(hook); }
  /// The access list: answered with permission and not passed on.
  void refuse(std::string filter, std::size_t times = always) { add(Fault::refuse, std::move(filter), times); }
  /// Lost without a word: QoS 0 counts as sent, QoS 1 is answered as well (the broker took it and lost it).
  void drop(std::string filter, std::size_t times = always) { add(Fault::drop, std::move(filter), times); }
  void duplicate(std::string filter, std::size_t times = always) { add(Fault::duplicate, std::move(filter), times); }
  /// Delivered once the clock has moved by `by`; the publisher gets its answer at once.
  void delay(std::string filter, std::chrono::nanoseconds by, std::size_t times = always) {
    add(Fault::delay, std::move(filter), times, by);
  }
  /// Collects `group` publications and passes them on in reverse order.
  void reorder(std::string filter, std::size_t group) { add(Fault::reorder, std::move(filter), always, {}, group); }
  /// Forgets all rules and the hook; what a reorder rule still holds is passed on.
  void clear_faults();

  /// Cuts a client's connection (its will is published); it stays away until reconnect().
  void disconnect(std::string_view name);
  void reconnect(std::string_view name);
  /// The broker dies: nobody is connected, retained messages are lost unless `keep_retained`.
  void kill(bool keep_retained = false);
  void restart();
  /// A stalled connection: nothing it publishes leaves or is answered, and nothing is delivered, until release().
  void hold(std::string_view name);
  void release(std::string_view name);
  /// What the client's unsent_bytes() says.
  void set_unsent_bytes(std::string_view name, std::size_t bytes);

  /// Publishes as the broker itself; no rule applies, the hook neither.
  void inject(std::string_view topic, ByteView payload, bool retain = false, std::chrono::seconds expiry = {});
  [[nodiscard]] std::optional<Bytes> retained(std::string_view topic) const;
  /// Every publication as it arrived at the broker, before faults, refused ones included.
  [[nodiscard]] const std::vector<Passing>& log() const noexcept { return log_; }
  /// Number of publications in the log whose topic matches.
  [[nodiscard]] std::size_t count(std::string_view filter) const;
  [[nodiscard]] std::vector<std::pair<std::string, transport::Qos>> subscriptions(std::string_view name) const;

 private:
  class Client;
  struct Link;
  enum class Fault { refuse, drop, duplicate, delay, reorder };
  struct Rule {
    Fault fault;
    std::string filter;
    std::size_t times;
    std::chrono::nanoseconds by;
    std::size_t group;
    std::vector<Passing> held{};
  };
  struct Delivery {
    std::shared_ptr<Link> to;
    std::uint64_t connection;  ///< a later connection of the client gets nothing of an earlier one
    Passing message;
    bool retained;
    std::optional<MonotonicTime> until;
  };
  struct Retained {
    Passing message;
    std::optional<MonotonicTime> until;
  };

  void add(Fault fault, std::string filter, std::size_t times, std::chrono::nanoseconds by = {}, std::size_t group = 1);
  Rule* rule(Fault fault, std::string_view topic);
  void post(std::function<void()> step) { steps_.push_back(std::move(step)); }
  [[nodiscard]] Link* find(std::string_view name) const;
  void connect(const std::shared_ptr<Link>& link);
  void cut(const std::shared_ptr<Link>& link, const char* why);
  bool arrive(Passing message);  ///< false: refused
  void apply_faults(Passing message);
  void route(const Passing& message);
  void deliver(const std::shared_ptr<Link>& to, const Passing& message, bool retained,
               std::optional<MonotonicTime> until);
  void flush(const std::shared_ptr<Link>& link);
  [[nodiscard]] std::optional<MonotonicTime> deadline(const Passing& message) const;

  const Clock& clock_;
  bool alive_ = true;
  std::deque<std::function<void()>> steps_;
  std::multimap<MonotonicTime, Passing> delayed_;
  std::vector<std::shared_ptr<Link>> links_;
  std::map<std::string, Retained, std::less<>> retained_;
  std::vector<Rule> rules_;
  Tamper tamper_;
  std::vector<Passing> log_;
};

}  // namespace sealcam::test
