// SPDX-License-Identifier: Apache-2.0
#include "owner/sync.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <format>

#include "owner/connection.hpp"
#include "owner/rosters.hpp"
#include "protocol/topic.hpp"

namespace sealcam::owner {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct Item {
  DeviceId camera;
  RosterVersion version;
  std::string topic;
  Bytes message;
};

/// Publishes items one after the other. Runs on the calling thread until all are acknowledged or the time is up.
class Publisher final : public transport::MqttListener {
 public:
  Publisher(std::deque<Item> items, const SyncOptions& options)
      : items_(std::move(items)), options_(options), deadline_(io_), retry_(io_) {}

  Result<> run(transport::MqttConfig config) {
    auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
    if (!client) return std::unexpected(client.error());
    client_ = std::move(*client);
    deadline_.expires_after(options_.patience);
    deadline_.async_wait([this](const boost::system::error_code& ec) {
      if (!ec) finish();
    });
    watch_for_refusal();
    io_.run();
    client_.reset();
    return {};
  }

  [[nodiscard]] const std::vector<Item>& done() const noexcept { return done_; }
  [[nodiscard]] std::string why() const { return refused_.empty() ? log_.text() : refused_; }

 private:
  void on_connected() override { publish_next(); }
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message&) override {}

  void publish_next() {
    if (items_.empty()) return finish();
    if (under_way_) return;  // kept by the client over a reconnect
    under_way_ = true;
    const auto& item = items_.front();
    client_->publish({.topic = item.topic,
                      .payload = item.message,
                      .qos = transport::Qos::at_least_once,
                      .retain = true,
                      .expiry = 0s},
                     [this](Result<> result) { answered(result); });
  }

  void answered(const Result<>& result) {
    under_way_ = false;
    if (finished_) return;
    if (result) {
      done_.push_back(std::move(items_.front()));
      items_.pop_front();
      return publish_next();
    }
    // A broker that was told a moment ago reads its access list with its next turn.
    refused_ = std::format("the broker refused the roster: {}", to_string(result.error()));
    retry_.expires_after(100ms);
    retry_.async_wait([this](const boost::system::error_code& ec) {
      if (!ec) publish_next();
    });
  }

  /// The client tries again for ever; its first warning before a connection says that nobody is there.
  void watch_for_refusal() {
    if (!options_.once) return;
    retry_.expires_after(20ms);
    retry_.async_wait([this](const boost::system::error_code& ec) {
      if (ec || client_->connected() || under_way_) return;
      if (!log_.text().empty()) return finish();
      watch_for_refusal();
    });
  }

  void finish() {
    if (std::exchange(finished_, true)) return;
    deadline_.cancel();
    retry_.cancel();
    client_->stop([this] { io_.stop(); });
  }

  std::deque<Item> items_;
  SyncOptions options_;
  asio::io_context io_{1};
  asio::steady_timer deadline_, retry_;
  LastWarning log_;
  std::unique_ptr<transport::Mqtt5Client> client_;
  std::vector<Item> done_;
  std::string refused_;
  bool under_way_ = false;
  bool finished_ = false;
};

Outcome<std::deque<Item>> waiting(const Account& account, bool everything) {
  std::deque<Item> items;
  for (const auto& camera : account.file().cameras) {
    if (!everything && camera.published == camera.version) continue;
    auto message = signed_roster(account, camera);
    if (!message) return std::unexpected(message.error());
    items.push_back({camera.id, camera.version, protocol::topic({account.id(), camera.id}, protocol::Leaf::roster),
                     std::move(*message)});
  }
  return items;
}

Outcome<> note_published(Account& account, const std::vector<Item>& done) {
  if (done.empty()) return {};
  auto next = account.file();
  for (const auto& item : done)
    if (const auto it = std::ranges::find(next.cameras, item.camera, &CameraRecord::id); it != next.cameras.end())
      it->published = item.version;
  return account.store(std::move(next));
}

}  // namespace

Outcome<SyncReport> sync(Account& account, const SyncOptions& options, const Clock& clock) {
  if (auto r = renew_rosters(account, clock); !r) return std::unexpected(r.error());
  auto items = waiting(account, options.everything);
  if (!items) return std::unexpected(items.error());
  SyncReport report;
  if (items->empty()) return report;
  for (const auto& item : *items) report.pending.push_back(item.camera);
  auto config = broker_connection(account.files().owner());
  if (!config) return std::unexpected(config.error());
  config->maximum_packet_size = 64U << 10;

  Publisher publisher(std::move(*items), options);
  if (auto r = publisher.run(std::move(*config)); !r) return failure(r.error(), "Connecting to the broker");
  if (auto r = note_published(account, publisher.done()); !r) return std::unexpected(r.error());
  for (const auto& item : publisher.done()) {
    report.published.push_back(item.camera);
    std::erase(report.pending, item.camera);
  }
  if (!report.pending.empty()) report.why_pending = publisher.why();
  return report;
}

}  // namespace sealcam::owner
