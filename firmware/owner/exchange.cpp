// SPDX-License-Identifier: Apache-2.0
#include "owner/exchange.hpp"

#include <format>
#include <utility>

namespace sealcam::owner {

using namespace std::chrono_literals;

Exchange::Exchange(std::deque<Outgoing> outgoing, const ExchangeOptions& options, Hear hear, Satisfied satisfied)
    : outgoing_(std::move(outgoing)),
      options_(options),
      hear_(std::move(hear)),
      satisfied_(std::move(satisfied)),
      deadline_(io_),
      retry_(io_),
      quiet_(io_) {}

Result<> Exchange::run(transport::MqttConfig config, const std::vector<std::string>& filters) {
  auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
  if (!client) return std::unexpected(client.error());
  client_ = std::move(*client);
  for (const auto& filter : filters) client_->subscribe(filter, transport::Qos::at_least_once);
  deadline_.expires_after(options_.patience);
  deadline_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) finish();
  });
  watch_for_refusal();
  io_.run();
  client_.reset();
  return {};
}

void Exchange::on_connected() {
  reached_ = true;
  publish_next();
}

void Exchange::on_message(const transport::Message& message) {
  if (finished_) return;
  hear_(message);
  if (!listening_) return;
  if (satisfied_()) return finish();
  expect_more();
}

void Exchange::publish_next() {
  if (outgoing_.empty()) return begin_listening();
  if (under_way_) return;  // kept by the client over a reconnect
  under_way_ = true;
  const auto& item = outgoing_.front();
  client_->publish({.topic = item.topic,
                    .payload = item.message,
                    .qos = transport::Qos::at_least_once,
                    .retain = true,
                    .expiry = 0s},
                   [this](Result<> result) { answered(result); });
}

void Exchange::answered(const Result<>& result) {
  under_way_ = false;
  if (finished_) return;
  if (result) {
    done_.push_back(std::move(outgoing_.front()));
    outgoing_.pop_front();
    return publish_next();
  }
  // A broker that was told a moment ago reads its access list with its next turn.
  refused_ =
      std::format("the broker refused the {}: {}", protocol::name(outgoing_.front().leaf), to_string(result.error()));
  retry_.expires_after(100ms);
  retry_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) publish_next();
  });
}

void Exchange::begin_listening() {
  if (std::exchange(listening_, true)) return;
  if (options_.listen <= 0ms || satisfied_()) return finish();
  // The broker was reached in time; from here on it is the cameras that are waited for.
  deadline_.expires_after(options_.listen);
  deadline_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) finish();
  });
  expect_more();
}

void Exchange::expect_more() {
  if (options_.quiet <= 0ms) return;
  quiet_.expires_after(options_.quiet);
  quiet_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) finish();
  });
}

/// The client tries again for ever; its first warning before a connection says that nobody is there.
void Exchange::watch_for_refusal() {
  if (!options_.once) return;
  retry_.expires_after(20ms);
  retry_.async_wait([this](const boost::system::error_code& ec) {
    if (ec || client_->connected() || under_way_ || reached_) return;
    if (!log_.text().empty()) return finish();
    watch_for_refusal();
  });
}

void Exchange::finish() {
  if (std::exchange(finished_, true)) return;
  deadline_.cancel();
  retry_.cancel();
  quiet_.cancel();
  client_->stop([this] { io_.stop(); });
}

}  // namespace sealcam::owner
