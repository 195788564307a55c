// SPDX-License-Identifier: Apache-2.0
/// One connection of a command to the broker: publishes messages one after the other, then receives messages.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "device/device_state.hpp"
#include "owner/account/account.hpp"
#include "owner/console.hpp"
#include "protocol/envelope.hpp"
#include "transport/mqtt/mqtt5_client.hpp"

namespace sealcam::owner {

/// The settings of an MQTT client for the device in a state folder. Does not read the identity keys. Fails with the
/// next step if the device is not enrolled.
[[nodiscard]] Outcome<transport::MqttConfig> broker_connection(const device::StateFiles& files);

/// Keeps the newest warning, which explains a failed connection. Thread-safe.
class LastWarning final : public Log {
 public:
  [[nodiscard]] std::string text() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }

 private:
  void write(LogLevel level, std::string_view line) override {
    if (level > LogLevel::warning) return;
    const std::scoped_lock lock(mutex_);
    text_ = line;
  }
  mutable std::mutex mutex_;
  std::string text_;
};

/// A message to publish. Kind, camera and number identify it when the broker acknowledges it.
struct Outgoing {
  protocol::Leaf leaf = protocol::Leaf::roster;
  DeviceId camera;  ///< of an index: the hub
  std::uint64_t number = 0;
  std::string topic;
  Bytes message;
  /// Other messages do not wait for it: if the broker rejects it for a while, it is left out.
  bool optional = false;
};

/// Records messages that the broker acknowledged.
void note_published(AccountFile& file, const std::vector<Outgoing>& done);

struct ExchangeOptions {
  std::chrono::milliseconds timeout{10'000};  ///< until the broker acknowledged all messages
  std::chrono::milliseconds listen{0};        ///< time for receiving after that
  std::chrono::milliseconds quiet{0};         ///< end of receiving after so long without a message; 0: no such limit
  bool once = false;                          ///< give up after the first failed connection
};

/// Runs on the calling thread. Thread-bound; used once.
class Exchange final : public transport::MqttListener {
 public:
  using Receive = std::function<void(const transport::Message&)>;
  using Complete = std::function<bool()>;  ///< no more messages are needed

  Exchange(std::deque<Outgoing> outgoing, const ExchangeOptions& options, Receive receive, Complete complete);

  static constexpr std::chrono::milliseconds optional_timeout{1'000};

  /// Subscribes to `filters` (QoS 1), publishes, receives. Errors: those of Mqtt5Client::open(). An unreachable broker
  /// is not an error; see reached().
  [[nodiscard]] Result<> run(transport::MqttConfig config, const std::vector<std::string>& filters);

  /// Subscribes (QoS 1) while run() runs. Call it from `receive`.
  void subscribe(const std::string& filter) { client_->subscribe(filter, transport::Qos::at_least_once); }

  [[nodiscard]] const std::vector<Outgoing>& acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] bool reached() const noexcept { return reached_; }
  /// Why a message was not published.
  [[nodiscard]] std::string why() const { return rejection_.empty() ? log_.text() : rejection_; }

 private:
  void on_connected() override;
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message& message) override;
  void publish_next();
  void on_published(const Result<>& result);
  void begin_listening();
  void restart_quiet_timer();
  void poll_first_failure();
  void finish();

  std::deque<Outgoing> outgoing_;
  ExchangeOptions options_;
  Receive receive_;
  Complete complete_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer deadline_, retry_, quiet_;
  LastWarning log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  std::vector<Outgoing> acknowledged_;
  std::string rejection_;
  std::size_t rejected_since_ = 0;  ///< rejected messages since the last acknowledged one
  int optional_rejections_ = 0;
  bool reached_ = false;
  bool in_flight_ = false;
  bool listening_ = false;
  bool finished_ = false;
};

}  // namespace sealcam::owner
