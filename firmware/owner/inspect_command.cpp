// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "core/printable.hpp"
#include "owner/commands.hpp"
#include "owner/hub_session.hpp"
#include "owner/inspector.hpp"

namespace sealcam::owner {

namespace asio = boost::asio;
using Json = nlohmann::ordered_json;

namespace {

struct InspectOptions {
  std::string what;
  double seconds = 0;
};

std::string now_text(const Clock& clock) {
  using namespace std::chrono;
  const auto now = sys_time<milliseconds>(duration_cast<milliseconds>(clock.wall().since_epoch));
  return std::format("{:%FT%TZ}", now);
}

std::string leaf_text(const Inspection& i) {
  return i.topic ? std::string(protocol::name(i.topic->leaf)) : std::string("?");
}

/// Topics come from whoever may publish: nothing in them may steer a terminal.
std::string words_of(std::string_view topic) { return printable(topic, topic.size()); }

std::string epoch_text(Epoch epoch) { return std::format("{:016x}", epoch.value()); }

void print_json(const Inspection& i, std::string_view topic, const std::string& time) {
  Json line = {{"time", time},           {"topic", words_of(topic)},
               {"leaf", leaf_text(i)},   {"camera", i.topic ? i.topic->route.camera.to_string() : ""},
               {"name", i.camera},       {"size", i.size},
               {"retained", i.retained}, {"signer", i.signer}};
  if (!i.kind.empty()) line["kind"] = i.kind;
  if (i.epoch) line["epoch"] = epoch_text(*i.epoch);
  if (i.counter) line["counter"] = i.counter->value();
  line["verified"] = i.verified;
  if (i.opened) line["opened"] = *i.opened;
  if (!i.why.empty()) line["why"] = i.why;
  if (!i.content.empty()) line["content"] = i.content;
  std::println("{}", line.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print_line(const Inspection& i, std::string_view topic, const std::string& time) {
  std::string line = std::format("{} {:7} {:>8} B{}", time, leaf_text(i), i.size, i.retained ? " retained" : "");
  if (!i.camera.empty()) line += std::format("  {}", i.camera);
  else line += std::format("  {}", words_of(topic));
  if (!i.kind.empty()) line += std::format("  {}", i.kind);
  if (i.epoch) line += std::format("  epoch {}", epoch_text(*i.epoch));
  if (i.counter) line += std::format(" counter {}", i.counter->value());
  if (!i.signer.empty()) line += std::format("  signer {}", i.signer.substr(0, 8));
  line += i.verified ? "  verified" : "  NOT VERIFIED";
  if (i.opened) line += *i.opened ? ", opened" : ", NOT OPENED";
  if (!i.content.empty()) line += std::format(": {}", i.content);
  if (!i.why.empty()) line += std::format(" ({})", i.why);
  std::println("{}", line);
}

class Inspecting final : public transport::MqttListener {
 public:
  Inspecting(Inspector inspector, const Context& context) : inspector_(std::move(inspector)), context_(context) {}

  Outcome<> run(transport::MqttConfig config, const std::string& filter, double seconds) {
    auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
    if (!client) return failure(client.error(), "Connecting to the broker");
    client_ = std::move(*client);
    client_->subscribe(filter, transport::Qos::at_most_once);
    asio::signal_set signals(io_, SIGINT, SIGTERM);
    signals.async_wait([this](const boost::system::error_code& ec, int) {
      if (!ec) stop();
    });
    asio::steady_timer timer(io_);
    if (seconds > 0) {
      timer.expires_after(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
      timer.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) stop();
      });
    }
    io_.run();
    client_.reset();
    if (ever_connected_) return {};
    return failure(EX_UNAVAILABLE, std::format("The broker could not be reached: {}", log_.text()));
  }

 private:
  void on_connected() override { ever_connected_ = true; }
  void on_disconnected(const Error& why) override {
    std::println(stderr, "sealcam: connection lost ({}), trying again", to_string(why));
  }
  void on_message(const transport::Message& message) override {
    const auto inspection = inspector_.inspect(message);
    const auto time = now_text(context_.clock);
    if (context_.json) print_json(inspection, message.topic, time);
    else print_line(inspection, message.topic, time);
    std::fflush(stdout);
  }
  void stop() {
    client_->stop([this] { io_.stop(); });
  }

  Inspector inspector_;
  const Context& context_;
  asio::io_context io_{1};
  LastWarning log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  bool ever_connected_ = false;
};

Outcome<std::string> filter_of(const AccountFile& account, const std::string& what) {
  const auto prefix = std::format("sealcam/1/{}/", account.account.to_string());
  if (what.empty()) return prefix + "#";
  if (what.contains('/')) return what;
  const auto camera = find_camera(account, what);
  if (!camera) return std::unexpected(camera.error());
  return prefix + (*camera)->id.to_string() + "/#";
}

/// Reads as the owner, who may read all of the account; opens with this machine's hub keys when they are free.
Outcome<> run_inspect(const Context& context, const InspectOptions& options) {
  const auto files = context.account();
  const auto account = read_account(files.account());
  if (!account) return std::unexpected(account.error());
  const auto filter = filter_of(*account, options.what);
  if (!filter) return std::unexpected(filter.error());
  const auto enrolment = pairing::read_enrolment(files.owner());
  auto config = broker_connection(files.owner());
  if (!config) return std::unexpected(config.error());
  const auto state = open_machine_hub(files);
  if (!state && state.error().exit_code != EX_TEMPFAIL) return std::unexpected(state.error());
  if (!state) std::println(stderr, "sealcam: {}; until then nothing is opened", state.error().message);
  auto inspector = Inspector::open(*account, enrolment->owner, state ? std::optional(state->keys()) : std::nullopt);
  if (!inspector) return failure(inspector.error(), "Preparing the account's keys");
  return Inspecting(std::move(*inspector), context).run(std::move(*config), *filter, options.seconds);
}

}  // namespace

void add_inspect_command(CLI::App& app, Context& context) {
  auto options = std::make_shared<InspectOptions>();
  auto* command = app.add_subcommand("inspect", "Print what passes at the broker, message by message");
  command->add_option("WHAT", options->what,
                      "A camera's name or the beginning of its id, or a topic filter (default: all of the account)");
  command->add_option("--seconds", options->seconds, "How long (default: until interrupted)")
      ->check(CLI::Range(0.1, 1e7));
  command->footer("Asks for nothing by itself: cameras send pictures only while a hub watches.");
  command->fallthrough();
  command->callback(
      [&context, options] { context.action = [&context, options] { return run_inspect(context, *options); }; });
}

}  // namespace sealcam::owner
