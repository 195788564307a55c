// SPDX-License-Identifier: Apache-2.0
/// The demo and the tests use this program as a faulty cache. It connects with the operator's rights and copies each
/// message of one camera, unchanged, to the topics of another camera. Without --to it only counts. The status file has
/// the number of messages and the number of sealed frames that reuse an epoch and counter for another ciphertext.
///
///     sealcam-relay --broker DIR --port N --from ACCOUNT/CAMERA [--to ACCOUNT/CAMERA] --status FILE
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>

#include "base/format.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "support/operator.hpp"

using namespace sealcam;
using protocol::Leaf;

namespace {

constexpr std::array copied{Leaf::video, Leaf::still, Leaf::grants, Leaf::roster, Leaf::status};

class Relay final : public transport::MqttListener {
 public:
  Relay(protocol::Route from, std::optional<protocol::Route> to, std::filesystem::path status)
      : from_(from), to_(to), status_(std::move(status)) {}

  void attach(transport::MqttClient& client) {
    client_ = &client;
    for (Leaf leaf : copied) client.subscribe(protocol::topic(from_, leaf), transport::Qos::at_least_once);
  }
  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message& message) override {
    const auto topic = protocol::parse_topic(message.topic);
    if (!topic || message.payload.empty()) return;
    if (topic->leaf == Leaf::video || topic->leaf == Leaf::still) note_counter(message.payload);
    if (!to_) {
      ++counts_[topic->leaf];
      return;
    }
    const bool lasting = topic->leaf != Leaf::video;
    const std::string target = protocol::topic(*to_, topic->leaf);
    client_->publish({target, message.payload, transport::Qos::at_most_once, lasting, {}},
                     [this, leaf = topic->leaf](Result<> done) {
                       if (done) ++counts_[leaf];
                     });
  }
  void write_status() const {
    std::string text = "{";
    std::size_t total = 0;
    for (Leaf leaf : copied) {
      const auto it = counts_.find(leaf);
      const std::size_t n = it == counts_.end() ? 0 : it->second;
      total += n;
      text += sealcam::format("\"{}\":{},", protocol::name(leaf), n);
    }
    text += sealcam::format("\"total\":{},\"epochs\":{},\"counter_reused\":{}}}\n", total, epochs_.size(), reused_);
    support::value_of(write_file_durably(status_, as_bytes(text)));
  }

 private:
  /// SFrame derives its nonce from epoch and counter. Two ciphertexts with the same pair break the encryption.
  void note_counter(ByteView message) {
    const auto frame = protocol::parse_frame(message);
    if (!frame) return;
    const auto digest = support::value_of(crypto::sha256(frame->sealed));
    epochs_.insert(frame->epoch);
    const auto [it, added] = seen_.try_emplace({frame->epoch, frame->counter}, digest);
    if (!added && it->second != digest) ++reused_;
  }

  protocol::Route from_;
  std::optional<protocol::Route> to_;
  std::map<std::pair<protocol::Epoch, protocol::Counter>, crypto::Digest> seen_;
  std::set<protocol::Epoch> epochs_;
  std::size_t reused_ = 0;
  std::filesystem::path status_;
  transport::MqttClient* client_ = nullptr;
  std::map<Leaf, std::size_t> counts_;
};

protocol::Route parse_route(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) throw std::runtime_error("a route is ACCOUNT/CAMERA");
  return {support::value_of(AccountId::parse(text.substr(0, slash))),
          support::value_of(DeviceId::parse(text.substr(slash + 1)))};
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Copies the messages of one camera to the topics of another, as a faulty cache does");
  std::filesystem::path broker, status;
  std::string from, to;
  std::uint16_t port = 0;
  app.add_option("--broker", broker, "folder made by 'sealcam broker init'")->required();
  app.add_option("--port", port)->required();
  app.add_option("--from", from, "ACCOUNT/CAMERA")->required();
  app.add_option("--to", to, "ACCOUNT/CAMERA");
  app.add_option("--status", status, "JSON file; written every 0.5 s")->required();
  CLI11_PARSE(app, argc, argv);

  boost::asio::io_context context(1);
  StderrLog log;
  Relay relay(parse_route(from), to.empty() ? std::nullopt : std::optional(parse_route(to)), status);
  auto client =
      support::value_of(transport::Mqtt5Client::open(context, support::operator_connection(broker, port), relay, log));
  relay.attach(*client);

  boost::asio::steady_timer timer(context);
  std::function<void()> again = [&] {
    relay.write_status();
    timer.expires_after(std::chrono::milliseconds(500));
    timer.async_wait([&](auto error) {
      if (!error) again();
    });
  };
  again();
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) {
    relay.write_status();
    context.stop();
  });
  context.run();
  return 0;
} catch (const std::exception& e) {
  std::cerr << "sealcam-relay: " << e.what() << '\n';
  return 1;
}
