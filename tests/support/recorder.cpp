// SPDX-License-Identifier: Apache-2.0
/// Records each message that the broker sends, with the operator's rights.
///
///     sealcam-recorder --broker DIR --port N --output FILE [--publish FILE]
///
/// --publish: publishes retained messages first, as the operator of a broker can. Each line has a topic, a space and
/// the payload in hexadecimal digits. Without digits the retained message of the topic is removed.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fstream>
#include <iostream>

#include "base/bytes.hpp"
#include "support/operator.hpp"
#include "support/recording.hpp"

using namespace sealcam;

namespace {

struct Retained {
  std::string topic;
  Bytes payload;
};

class Recorder final : public transport::MqttListener {
 public:
  Recorder(const std::filesystem::path& output, std::vector<Retained> messages)
      : file_(output), messages_(std::move(messages)) {}
  void attach(transport::MqttClient& client) {
    client_ = &client;
    client.subscribe("#", transport::Qos::at_least_once);
  }
  void on_connected() override {
    std::cout << "recording" << std::endl;
    publish_next();
  }
  void on_disconnected(const Error& why) override { std::cout << "disconnected: " << to_string(why) << std::endl; }
  void on_message(const transport::Message& message) override { file_.add(message.topic, message.payload); }

 private:
  /// Publishes one message at a time, because the number of messages in flight is limited.
  void publish_next() {
    if (next_ == messages_.size()) return void(std::cout << "published" << std::endl);
    const auto& message = messages_[next_++];
    client_->publish({message.topic, message.payload, transport::Qos::at_least_once, true, {}}, [this](Result<> done) {
      support::value_of(std::move(done));
      publish_next();
    });
  }

  test::RecordingWriter file_;
  std::size_t next_ = 0;
  std::vector<Retained> messages_;
  transport::MqttClient* client_ = nullptr;
};

std::vector<Retained> read_messages(const std::filesystem::path& path) {
  std::vector<Retained> messages;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto space = line.find(' ');
    if (space == std::string::npos) throw std::runtime_error("a line needs a topic, a space and hexadecimal digits");
    messages.push_back({line.substr(0, space), support::value_of(from_hex(line.substr(space + 1)))});
  }
  return messages;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Records each message that the broker sends");
  std::filesystem::path broker, output, publish;
  std::uint16_t port = 0;
  app.add_option("--broker", broker, "folder made by 'sealcam broker init'")->required();
  app.add_option("--port", port)->required();
  app.add_option("--output", output)->required();
  app.add_option("--publish", publish, "file with retained messages: topic and hexadecimal digits");
  CLI11_PARSE(app, argc, argv);
  boost::asio::io_context context(1);
  StderrLog log;
  Recorder recorder(output, publish.empty() ? std::vector<Retained>() : read_messages(publish));
  auto client = support::value_of(
      transport::Mqtt5Client::open(context, support::operator_connection(broker, port), recorder, log));
  recorder.attach(*client);
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  context.run();
  return 0;
} catch (const std::exception& e) {
  std::cerr << "sealcam-recorder: " << e.what() << '\n';
  return 1;
}
