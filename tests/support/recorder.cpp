// SPDX-License-Identifier: Apache-2.0
/// Writes down every message that the broker ever hands out, with operator's rights.
///
///     sealcam-recorder --broker DIR --port N --output FILE
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <iostream>

#include "support/operator.hpp"
#include "support/recording.hpp"

using namespace sealcam;

namespace {

class Recorder final : public transport::MqttListener {
 public:
  explicit Recorder(const std::filesystem::path& output) : file_(output) {}
  void on_connected() override { std::cout << "recording" << std::endl; }
  void on_disconnected(const Error& why) override { std::cout << "disconnected: " << to_string(why) << std::endl; }
  void on_message(const transport::Message& message) override { file_.add(message.topic, message.payload); }

 private:
  test::RecordingWriter file_;
};

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Writes down every message that the broker hands out");
  std::filesystem::path broker, output;
  std::uint16_t port = 0;
  app.add_option("--broker", broker, "folder made by 'sealcam broker init'")->required();
  app.add_option("--port", port)->required();
  app.add_option("--output", output)->required();
  CLI11_PARSE(app, argc, argv);
  boost::asio::io_context context(1);
  StderrLog log;
  Recorder recorder(output);
  auto client =
      test::must(transport::Mqtt5Client::open(context, test::operators_connection(broker, port), recorder, log));
  client->subscribe("#", transport::Qos::at_least_once);
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  context.run();
  return 0;
} catch (const std::exception& e) {
  std::cerr << "sealcam-recorder: " << e.what() << '\n';
  return 1;
}
