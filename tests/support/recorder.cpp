// SPDX-License-Identifier: Apache-2.0
/// Writes down every message that the broker ever hands out, with operator's rights.
///
///     sealcam-recorder --broker DIR --port N --output FILE [--plant FILE]
///
/// --plant: each line, a topic and hexadecimal digits (none: the retained message is removed), is published, retained:
/// what a broker's operator can do to others' messages.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fstream>
#include <iostream>

#include "support/operator.hpp"
#include "support/recording.hpp"

using namespace sealcam;

namespace {

struct Plant {
  std::string topic;
  Bytes payload;
};

class Recorder final : public transport::MqttListener {
 public:
  Recorder(const std::filesystem::path& output, std::vector<Plant> plants)
      : file_(output), plants_(std::move(plants)) {}
  void attach(transport::MqttClient& client) {
    client_ = &client;
    client.subscribe("#", transport::Qos::at_least_once);
  }
  void on_connected() override {
    std::cout << "recording" << std::endl;
    plant_next();
  }
  void on_disconnected(const Error& why) override { std::cout << "disconnected: " << to_string(why) << std::endl; }
  void on_message(const transport::Message& message) override { file_.add(message.topic, message.payload); }

 private:
  /// One after the other: few may be under way.
  void plant_next() {
    if (next_ == plants_.size()) return void(std::cout << "planted" << std::endl);
    const auto& plant = plants_[next_++];
    client_->publish({plant.topic, plant.payload, transport::Qos::at_least_once, true, {}}, [this](Result<> done) {
      test::must(std::move(done));
      plant_next();
    });
  }

  test::RecordingWriter file_;
  std::size_t next_ = 0;
  std::vector<Plant> plants_;
  transport::MqttClient* client_ = nullptr;
};

std::vector<Plant> read_plants(const std::filesystem::path& path) {
  std::vector<Plant> plants;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto space = line.find(' ');
    if (space == std::string::npos) throw std::runtime_error("a plant is a topic, a space and hexadecimal digits");
    plants.push_back({line.substr(0, space), test::must(from_hex(line.substr(space + 1)))});
  }
  return plants;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Writes down every message that the broker hands out");
  std::filesystem::path broker, output, plants;
  std::uint16_t port = 0;
  app.add_option("--broker", broker, "folder made by 'sealcam broker init'")->required();
  app.add_option("--port", port)->required();
  app.add_option("--output", output)->required();
  app.add_option("--plant", plants, "lines of topic and hexadecimal digits to publish, retained");
  CLI11_PARSE(app, argc, argv);
  boost::asio::io_context context(1);
  StderrLog log;
  Recorder recorder(output, plants.empty() ? std::vector<Plant>() : read_plants(plants));
  auto client =
      test::must(transport::Mqtt5Client::open(context, test::operators_connection(broker, port), recorder, log));
  recorder.attach(*client);
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  context.run();
  return 0;
} catch (const std::exception& e) {
  std::cerr << "sealcam-recorder: " << e.what() << '\n';
  return 1;
}
