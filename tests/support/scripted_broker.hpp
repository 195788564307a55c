// SPDX-License-Identifier: Apache-2.0
/// A fake of broker and network behind MqttClient, for unit tests of its users. It has no threads and no clock. All
/// events happen inside run_until_idle(), in a fixed order.
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

#include "base/clock.hpp"
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::test {

/// True if a topic filter matches a topic (MQTT 5 section 4.7). '+' matches one level, '#' matches the parent and all
/// further levels. Neither matches a first level that begins with '$'.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view topic);

/// A publication inside the broker.
struct Passing {
  std::string from;  ///< name of the client; empty: the broker
  std::string topic;
  Bytes payload;
  transport::Qos qos = transport::Qos::at_most_once;
  bool retain = false;
  std::chrono::seconds expiry{0};
};

/// Behaves like Mosquitto with session expiry 0. After a reconnect a client receives retained messages again, but no
/// message that was published while it was disconnected. Its own QoS 1 publications wait for the reconnect, and QoS 0
/// publications fail. A client receives one copy of a message, also if several filters match. The broker must outlive
/// its clients. Thread-bound.
class FakeBroker {
 public:
  /// `clock` decides on expiry and delays. The test advances it.
  explicit FakeBroker(const Clock& clock) : clock_(clock) {}
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;
  ~FakeBroker();

  /// Adds a client. It connects in the next run_until_idle(). As MQTT requires, this disconnects a client of the same
  /// name. `listener` must outlive the client.
  [[nodiscard]] std::unique_ptr<transport::MqttClient> attach(std::string name, transport::MqttListener& listener,
                                                              std::size_t max_in_flight = 4,
                                                              std::optional<transport::Will> will = {});

  /// Runs all events that are due, and the events that they cause. Returns the number of steps. Throws std::logic_error
  /// after a million steps, because two clients answer each other without end.
  std::size_t run_until_idle();
  /// Time at which the next delayed message is due.
  [[nodiscard]] std::optional<MonotonicTime> next_due() const;

  // Faults. A rule applies to publications whose topic matches `filter`, in the order of this list, until
  // clear_faults().
  static constexpr std::size_t always = static_cast<std::size_t>(-1);
  /// Receives each publication first, and returns the publications that the broker handles instead.
  using Tamper = std::function<std::vector<Passing>(Passing)>;
  void tamper(Tamper hook) { tamper_ = std::move(hook); }
  /// The access list. Answers with the error permission, and does not deliver the message.
  void reject(std::string filter, std::size_t times = always) { add(Fault::reject, std::move(filter), times); }
  /// Loses the message. The publisher receives a success for both QoS 0 and QoS 1.
  void drop(std::string filter, std::size_t times = always) { add(Fault::drop, std::move(filter), times); }
  void duplicate(std::string filter, std::size_t times = always) { add(Fault::duplicate, std::move(filter), times); }
  /// Delivers the message after the clock advanced by `by`. The publisher receives its answer at once.
  void delay(std::string filter, std::chrono::nanoseconds by, std::size_t times = always) {
    add(Fault::delay, std::move(filter), times, by);
  }
  /// Collects `group` publications and delivers them in reverse order.
  void reorder(std::string filter, std::size_t group) { add(Fault::reorder, std::move(filter), always, {}, group); }
  /// Removes all rules and the hook. Delivers the messages that a reorder rule holds.
  void clear_faults();

  /// Ends a client's connection and publishes its will. The client stays disconnected until reconnect().
  void disconnect(std::string_view name);
  void reconnect(std::string_view name);
  /// Stops the broker: disconnects all clients, and deletes retained messages unless `keep_retained`.
  void kill(bool keep_retained = false);
  void restart();
  /// Stalls a connection until release(): its publications wait without an answer, and it receives no messages.
  void hold(std::string_view name);
  void release(std::string_view name);
  /// Sets the return value of the client's send_progress().
  void set_progress(std::string_view name, const transport::SendProgress& progress);

  /// Publishes as the broker, without rules and hook.
  void inject(std::string_view topic, ByteView payload, bool retain = false, std::chrono::seconds expiry = {});
  [[nodiscard]] std::optional<Bytes> retained(std::string_view topic) const;
  /// All publications as they arrived at the broker, before faults, with the rejected ones.
  [[nodiscard]] const std::vector<Passing>& log() const noexcept { return log_; }
  /// Number of publications in the log whose topic matches `filter`.
  [[nodiscard]] std::size_t count(std::string_view filter) const;
  [[nodiscard]] std::vector<std::pair<std::string, transport::Qos>> subscriptions(std::string_view name) const;

 private:
  class Client;
  struct Link;
  enum class Fault { reject, drop, duplicate, delay, reorder };
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
    std::uint64_t connection;  ///< a later connection does not receive messages of an earlier one
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
  bool arrive(Passing message);  ///< false: rejected
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
