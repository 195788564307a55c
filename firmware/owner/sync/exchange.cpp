// SPDX-License-Identifier: Apache-2.0
#include "owner/sync/exchange.hpp"

#include <algorithm>
#include <utility>

#include "base/format.hpp"
#include "device/enrollment.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

using namespace std::chrono_literals;

void note_published(AccountFile& file, const std::vector<Outgoing>& done) {
  for (const auto& item : done) {
    if (item.leaf == protocol::Leaf::index) {
      const auto hub = std::ranges::find(file.hubs, item.camera, &HubRecord::id);
      if (hub != file.hubs.end()) hub->index.published = protocol::IndexVersion(item.number);
      if (item.camera == DeviceId(file.account.bytes())) file.index.published = protocol::IndexVersion(item.number);
      continue;
    }
    const auto it = std::ranges::find(file.cameras, item.camera, &CameraRecord::id);
    if (it == file.cameras.end()) continue;
    if (item.leaf == protocol::Leaf::roster) it->published = protocol::RosterVersion(item.number);
    else it->command.published = protocol::CommandSeq(item.number);
  }
}

Outcome<transport::MqttConfig> broker_connection(const device::StateFiles& files) {
  std::string why;
  auto enrollment = device::read_enrollment(files, &why);
  if (!enrollment && enrollment.error().code == Errc::not_found)
    return failure(EX_CONFIG,
                   "the account has no broker yet; pair a device with 'sealcam camera pair', or connect with 'sealcam "
                   "account connect'");
  if (!enrollment && !why.empty()) return failure(EX_CONFIG, why);
  if (!enrollment) return failure(enrollment.error(), sealcam::format("cannot read {}", files.enrollment().string()));
  auto name = transport::certificate_name(enrollment->certificate_pem);
  if (!name)
    return failure(name.error(), sealcam::format("the certificate in {} is damaged", files.enrollment().string()),
                   "restore the folder from a copy");
  auto tls = device::broker_tls(files, *enrollment);
  if (!tls) return failure(tls.error(), "cannot read the key for the broker");
  return transport::MqttConfig{.host = std::move(enrollment->broker_host),
                               .port = enrollment->broker_port,
                               .client_id = std::move(*name),
                               .tls = std::move(*tls)};
}

Exchange::Exchange(std::deque<Outgoing> outgoing, const ExchangeOptions& options, Receive receive, Complete complete)
    : outgoing_(std::move(outgoing)),
      options_(options),
      receive_(std::move(receive)),
      complete_(std::move(complete)),
      deadline_(io_),
      retry_(io_),
      quiet_(io_) {}

Result<> Exchange::run(transport::MqttConfig config, const std::vector<std::string>& filters) {
  auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
  if (!client) return std::unexpected(client.error());
  client_ = std::move(*client);
  for (const auto& filter : filters) client_->subscribe(filter, transport::Qos::at_least_once);
  deadline_.expires_after(options_.timeout);
  deadline_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) finish();
  });
  poll_first_failure();
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
  receive_(message);
  if (!listening_) return;
  if (complete_()) return finish();
  restart_quiet_timer();
}

void Exchange::publish_next() {
  if (outgoing_.empty()) return begin_listening();
  if (in_flight_) return;  // the client keeps the message over a reconnect
  in_flight_ = true;
  const auto& item = outgoing_.front();
  client_->publish({.topic = item.topic,
                    .payload = item.message,
                    .qos = transport::Qos::at_least_once,
                    .retain = true,
                    .expiry = 0s},
                   [this](Result<> result) { on_published(result); });
}

void Exchange::on_published(const Result<>& result) {
  in_flight_ = false;
  if (finished_) return;
  auto item = std::move(outgoing_.front());
  outgoing_.pop_front();
  if (result) {
    acknowledged_.push_back(std::move(item));
    rejected_since_ = 0;
    return publish_next();
  }
  rejection_ = sealcam::format("the broker rejected the {}: {}", protocol::name(item.leaf), to_string(result.error()));
  // The other messages go first, because the broker may reject this one for ever.
  outgoing_.push_back(std::move(item));
  if (++rejected_since_ < outgoing_.size()) return publish_next();
  // Another cause: the broker has not read its new access list yet.
  rejected_since_ = 0;
  constexpr auto retry_interval = 100ms;
  const bool optional = std::ranges::all_of(outgoing_, &Outgoing::optional);
  if (optional && ++optional_rejections_ * retry_interval >= optional_timeout) {
    outgoing_.clear();
    return publish_next();
  }
  retry_.expires_after(retry_interval);
  retry_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) publish_next();
  });
}

void Exchange::begin_listening() {
  if (std::exchange(listening_, true)) return;
  if (options_.listen <= 0ms || complete_()) return finish();
  // The timeout for the broker ends here, and the time for the cameras begins.
  deadline_.expires_after(options_.listen);
  deadline_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) finish();
  });
  restart_quiet_timer();
}

void Exchange::restart_quiet_timer() {
  if (options_.quiet <= 0ms) return;
  quiet_.expires_after(options_.quiet);
  quiet_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) finish();
  });
}

/// The client retries without end. Its first warning before a connection means that the broker is not reachable.
void Exchange::poll_first_failure() {
  if (!options_.once) return;
  retry_.expires_after(20ms);
  retry_.async_wait([this](const boost::system::error_code& ec) {
    if (ec || client_->connected() || in_flight_ || reached_) return;
    if (!log_.text().empty()) return finish();
    poll_first_failure();
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
