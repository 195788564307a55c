// SPDX-License-Identifier: Apache-2.0
/// One visit to the broker: publishes messages one after the other and hears what there is to hear.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "owner/connection.hpp"
#include "protocol/topic.hpp"

namespace sealcam::owner {

/// Of what kind, for whom, which number: whoever gets it back knows what was acknowledged.
struct Outgoing {
  protocol::Leaf leaf = protocol::Leaf::roster;
  DeviceId camera;
  std::uint64_t number = 0;
  std::string topic;
  Bytes message;
};

struct ExchangeOptions {
  std::chrono::milliseconds patience{10'000};  ///< until the broker has everything
  std::chrono::milliseconds listen{0};         ///< and then for what is waited for
  std::chrono::milliseconds quiet{0};          ///< stop listening after so long without a message; 0: never
  bool once = false;                           ///< give up at the first sign that there is no broker
};

/// Runs on the calling thread. Thread-bound; used once.
class Exchange final : public transport::MqttListener {
 public:
  using Hear = std::function<void(const transport::Message&)>;
  using Satisfied = std::function<bool()>;  ///< nothing more is waited for

  Exchange(std::deque<Outgoing> outgoing, const ExchangeOptions& options, Hear hear, Satisfied satisfied);

  /// Subscribes to `filters` (QoS 1), publishes, listens. Errors: those of Mqtt5Client::open(); a broker that cannot be
  /// reached is none.
  [[nodiscard]] Result<> run(transport::MqttConfig config, const std::vector<std::string>& filters);

  [[nodiscard]] const std::vector<Outgoing>& acknowledged() const noexcept { return done_; }
  [[nodiscard]] bool reached() const noexcept { return reached_; }
  /// Why something was not published; for people.
  [[nodiscard]] std::string why() const { return refused_.empty() ? log_.text() : refused_; }

 private:
  void on_connected() override;
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message& message) override;
  void publish_next();
  void answered(const Result<>& result);
  void begin_listening();
  void expect_more();
  void watch_for_refusal();
  void finish();

  std::deque<Outgoing> outgoing_;
  ExchangeOptions options_;
  Hear hear_;
  Satisfied satisfied_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer deadline_, retry_, quiet_;
  LastWarning log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  std::vector<Outgoing> done_;
  std::string refused_;
  bool reached_ = false;
  bool under_way_ = false;
  bool listening_ = false;
  bool finished_ = false;
};

}  // namespace sealcam::owner
