// SPDX-License-Identifier: Apache-2.0
/// The real `sealcam` program and the real Mosquitto with the set-up that it wrote.
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

#include "core/log.hpp"
#include "transport/mqtt5_client.hpp"

namespace sealcam::test {

struct Ran {
  int exit_code = -1;
  std::string output;  ///< standard output and error
};
/// Runs a program and waits. Throws std::runtime_error when it cannot be started.
[[nodiscard]] Ran run(const std::vector<std::string>& words);
/// `sealcam` with these words.
[[nodiscard]] Ran sealcam(std::vector<std::string> words);

[[nodiscard]] std::uint16_t free_port();

/// Mosquitto with a configuration file; ended on destruction.
class BrokerProcess {
 public:
  /// Throws with its log when it does not accept connections within 10 s.
  BrokerProcess(const std::filesystem::path& configuration, std::uint16_t port);
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  ~BrokerProcess();

 private:
  pid_t pid_ = -1;
};

/// A device's connection, driven by the test's own thread.
class TestClient final : public transport::MqttListener {
 public:
  struct Received {
    std::string topic;
    Bytes payload;
    bool retained;
  };

  /// Connects as the device whose state folder this is, or under another client id.
  explicit TestClient(const std::filesystem::path& state, std::optional<std::string> client_id = {});
  explicit TestClient(transport::MqttConfig config);

  [[nodiscard]] bool connects(std::chrono::milliseconds limit = std::chrono::seconds(5));
  /// QoS 1; the broker's word.
  [[nodiscard]] Result<> publish(std::string_view topic, ByteView payload, bool retain = false);
  /// Repeats publish() until the broker's word is this, for at most 5 s: it reads its access list in its own time.
  [[nodiscard]] bool publish_becomes(bool allowed, std::string_view topic);
  void subscribe(std::string_view filter) { client_->subscribe(filter, transport::Qos::at_least_once); }
  /// Lets messages arrive for this long, or until there are so many.
  const std::vector<Received>& receive(std::chrono::milliseconds time, std::size_t enough = 1000);
  [[nodiscard]] std::string last_words() const;

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
