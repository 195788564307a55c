// SPDX-License-Identifier: Apache-2.0
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "owner/account/membership.hpp"
#include "owner/commands/commands.hpp"
#include "owner/commands/json_output.hpp"
#include "owner/record/hub_session.hpp"
#include "owner/record/inspector.hpp"
#include "owner/sync/exchange.hpp"

namespace sealcam::owner {

namespace asio = boost::asio;

namespace {

std::string now_text(const Clock& clock) {
  using namespace std::chrono;
  const auto now = sys_time<milliseconds>(duration_cast<milliseconds>(clock.wall().since_epoch));
  return sealcam::format("{:%FT%TZ}", now);
}

std::string leaf_text(const Inspection& i) {
  return i.topic ? std::string(protocol::name(i.topic->leaf)) : std::string("?");
}

/// Any client of the broker chooses its topics, so control characters must not reach the terminal.
std::string text_of(std::string_view topic) { return printable(topic, topic.size()); }

std::string epoch_text(protocol::Epoch epoch) { return sealcam::format("{:016x}", epoch.value()); }

void print_object(const Inspection& i, std::string_view topic, const std::string& time) {
  JsonObject line;
  line.add("time", time)
      .add("topic", text_of(topic))
      .add("leaf", leaf_text(i))
      .add("camera", i.topic ? i.topic->route.camera.to_string() : std::string())
      .add("name", i.camera)
      .add("size", i.size)
      .add("retained", i.retained)
      .add("signer", i.signer);
  if (!i.kind.empty()) line.add("kind", i.kind);
  if (i.epoch) line.add("epoch", epoch_text(*i.epoch));
  if (i.counter) line.add("counter", i.counter->value());
  line.add("verified", i.verified);
  if (i.opened) line.add("opened", *i.opened);
  if (!i.why.empty()) line.add("why", i.why);
  if (!i.content.empty()) line.add("content", i.content);
  print_json(line);
}

void print_line(const Inspection& i, std::string_view topic, const std::string& time) {
  std::string line = sealcam::format("{} {:7} {:>8} B{}", time, leaf_text(i), i.size, i.retained ? " retained" : "");
  if (!i.camera.empty()) line += sealcam::format("  {}", i.camera);
  else line += sealcam::format("  {}", text_of(topic));
  if (!i.kind.empty()) line += sealcam::format("  {}", i.kind);
  if (i.epoch) line += sealcam::format("  epoch {}", epoch_text(*i.epoch));
  if (i.counter) line += sealcam::format(" counter {}", i.counter->value());
  if (!i.signer.empty()) line += sealcam::format("  signer {}", i.signer.substr(0, 8));
  line += i.verified ? "  verified" : "  NOT VERIFIED";
  if (i.opened) line += *i.opened ? ", opened" : ", NOT OPENED";
  if (!i.content.empty()) line += sealcam::format(": {}", i.content);
  if (!i.why.empty()) line += sealcam::format(" ({})", i.why);
  sealcam::println("{}", line);
}

class InspectSession final : public transport::MqttListener {
 public:
  InspectSession(Inspector inspector, const Dependencies& deps) : inspector_(std::move(inspector)), deps_(deps) {}

  Outcome<> run(transport::MqttConfig config, const std::vector<std::string>& filters, double seconds) {
    auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
    if (!client) return failure(client.error(), "cannot connect to the broker");
    client_ = std::move(*client);
    for (const auto& filter : filters) client_->subscribe(filter, transport::Qos::at_most_once);
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
    return failure(EX_UNAVAILABLE,
                   sealcam::format("the broker is not reachable: {}; check the broker and the network", log_.text()));
  }

 private:
  void on_connected() override { ever_connected_ = true; }
  void on_disconnected(const Error& why) override {
    sealcam::println(stderr, "sealcam: lost the connection to the broker ({}); reconnecting", to_string(why));
  }
  void on_message(const transport::Message& message) override {
    const auto inspection = inspector_.inspect(message);
    const auto time = now_text(deps_.clock);
    if (deps_.json) print_object(inspection, message.topic, time);
    else print_line(inspection, message.topic, time);
    std::fflush(stdout);
  }
  void stop() {
    client_->stop([this] { io_.stop(); });
  }

  Inspector inspector_;
  const Dependencies& deps_;
  asio::io_context io_{1};
  LastWarning log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  bool ever_connected_ = false;
};

/// All topics of a camera.
void add_topics(std::vector<std::string>& filters, const AccountFile& account, const DeviceId& camera) {
  using protocol::Leaf;
  const protocol::Route route{account.account, camera};
  for (const auto leaf : {Leaf::roster, Leaf::command, Leaf::status, Leaf::grants, Leaf::still, Leaf::video})
    filters.push_back(protocol::topic(route, leaf));
  for (const auto& hub : account.hubs) filters.push_back(protocol::request_topic(route, hub.id));
}

/// Exact topics, because brokers need not support wildcards. A person may write a filter with wildcards.
Outcome<std::vector<std::string>> filters_of(const AccountFile& account, const std::string& text) {
  if (text.contains('/')) return std::vector{text};
  std::vector<std::string> filters;
  if (!text.empty()) {
    const auto camera = find_camera(account, text);
    if (!camera) return std::unexpected(camera.error());
    add_topics(filters, account, (*camera)->id);
    return filters;
  }
  filters.push_back(protocol::index_topic(account.account, DeviceId(account.account.bytes())));
  for (const auto& hub : account.hubs) filters.push_back(protocol::index_topic(account.account, hub.id));
  for (const auto& camera : account.cameras) add_topics(filters, account, camera.id);
  return filters;
}

}  // namespace

// Connects as the owner, who may read all topics of the account. Opens messages with the hub keys of this machine,
// unless another command uses them.
Outcome<> inspect_messages(const Dependencies& deps, const InspectArguments& arguments) {
  const auto files = deps.account();
  const auto account = read_account(files.account());
  if (!account) return std::unexpected(account.error());
  const auto filters = filters_of(*account, arguments.filter);
  if (!filters) return std::unexpected(filters.error());
  const auto enrollment = device::read_enrollment(files.owner());
  auto config = broker_connection(files.owner());
  if (!config) return std::unexpected(config.error());
  const auto state = open_machine_hub(files);
  if (!state && state.error().exit_code != EX_TEMPFAIL) return std::unexpected(state.error());
  if (!state) sealcam::println(stderr, "sealcam: {}; this command opens no messages", state.error().message);
  auto inspector = Inspector::open(*account, enrollment->owner, state ? std::optional(state->keys()) : std::nullopt);
  if (!inspector) return failure(inspector.error(), "cannot use the account's keys");
  return InspectSession(std::move(*inspector), deps).run(std::move(*config), *filters, arguments.seconds);
}

}  // namespace sealcam::owner
