// SPDX-License-Identifier: Apache-2.0
/// The real `sealcam` program, and a real Mosquitto with the set-up of `sealcam broker init`.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "transport/mqtt/mqtt5_client.hpp"

namespace sealcam::test {

struct Ran {
  int exit_code = -1;
  std::string output;  ///< standard output and error
};
/// Runs a program and waits for its end. Throws std::runtime_error if it cannot be started.
[[nodiscard]] Ran run(const std::vector<std::string>& arguments);
/// Runs `sealcam`.
[[nodiscard]] Ran sealcam(std::vector<std::string> arguments);

/// A Mosquitto process; it ends on destruction.
class BrokerProcess {
 public:
  /// Throws, with the log of Mosquitto, if the port accepts no connection within 10 s.
  BrokerProcess(const std::filesystem::path& configuration, std::uint16_t port);
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  ~BrokerProcess();

 private:
  pid_t pid_ = -1;
};

/// The connection of a device. It runs on the thread of the test.
class TestClient final : public transport::MqttListener {
 public:
  struct Received {
    std::string topic;
    Bytes payload;
    bool retained;
  };

  /// Connects as the device of a state folder, optionally with another client id.
  explicit TestClient(const std::filesystem::path& state, std::optional<std::string> client_id = {});
  explicit TestClient(transport::MqttConfig config);

  [[nodiscard]] bool connects(std::chrono::milliseconds limit = std::chrono::seconds(5));
  [[nodiscard]] bool disconnects(std::chrono::milliseconds limit = std::chrono::seconds(5));
  /// Publishes with QoS 1 and returns the broker's reason.
  [[nodiscard]] Result<> publish(std::string_view topic, ByteView payload, bool retain = false);
  /// Repeats publish() for at most 5 s until the result is `allowed`. The broker reads its access list with a delay.
  [[nodiscard]] bool publish_becomes(bool allowed, std::string_view topic);
  void subscribe(std::string_view filter) { client_->subscribe(filter, transport::Qos::at_least_once); }
  /// Receives for this time, or until `enough` messages arrived.
  const std::vector<Received>& receive(std::chrono::milliseconds time, std::size_t enough = 1000);
  [[nodiscard]] std::string last_text() const;

 private:
  void on_connected() override { connected_ = true; }
  void on_disconnected(const Error&) override { connected_ = false; }
  void on_message(const transport::Message& message) override;
  template <class Done>
  bool wait(std::chrono::milliseconds limit, Done done);

  boost::asio::io_context io_{1};
  MemoryLog log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  bool connected_ = false;
  std::vector<Received> received_;
};

}  // namespace sealcam::test
