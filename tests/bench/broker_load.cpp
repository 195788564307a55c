// SPDX-License-Identifier: Apache-2.0
// Devices of many accounts at one broker, with the transport of the product. scripts/bench_broker.py starts this
// program and the broker, and sends one command a line:
//
//     connect WINDOW                      connects all devices again, with at most WINDOW handshakes at once
//     wait                                waits until all devices reconnected by themselves
//     probe SECONDS                       measures one publication with QoS 1 after the other
//     traffic CAMERAS RATE BYTES SECONDS  sends pictures from these cameras to the hubs of their accounts
//
// Each answer is one line of JSON. All devices share one thread and one TLS key, and have certificates of their own.
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <vector>

#include "owner/broker/device_records.hpp"
#include "owner/broker/operator.hpp"
#include "protocol/envelope.hpp"
#include "support/operator.hpp"

using namespace sealcam;
using namespace std::chrono_literals;
using owner::Authorized;
using protocol::Leaf;
using protocol::Role;
using support::value_of;
using Steady = std::chrono::steady_clock;
namespace asio = boost::asio;

namespace {

/// Each account has a hub and this number of cameras. Owners are connected during their commands only.
constexpr std::size_t cameras_per_account = 4;
constexpr auto reconnection_limit = 300s;

double seconds_since(Steady::time_point begin) { return std::chrono::duration<double>(Steady::now() - begin).count(); }

/// Latencies in milliseconds.
struct Latencies {
  std::vector<double> all;
  double at(double part) {
    if (all.empty()) return 0;
    std::ranges::sort(all);
    return all[std::min(all.size() - 1, static_cast<std::size_t>(part * static_cast<double>(all.size())))];
  }
  std::string json() {
    return sealcam::format(R"("count": {}, "p50_ms": {:.2f}, "p99_ms": {:.2f}, "max_ms": {:.2f})", all.size(), at(0.5),
                           at(0.99), at(1));
  }
};

void answer(const std::string& members) { std::cout << "{" << members << "}" << std::endl; }

/// What all devices of the program share.
struct Shared {
  asio::io_context& io;
  Log& log;
  owner::BrokerSettings broker;
  std::uint16_t port;
  std::string authority;
  transport::TlsKey key;
  std::size_t connected = 0, connecting = 0;
  std::function<void()> on_change = [] {};
  Latencies pictures;
};

class Device final : public transport::MqttListener {
 public:
  Device(Shared& shared, const Authorized& who, std::string certificate, std::vector<std::string> topics)
      : shared_(shared), who_(who), certificate_(std::move(certificate)), topics_(std::move(topics)) {}
  ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  void connect() {
    // The product sends every 5 s. Here thousands of devices share one thread, and none may miss its time.
    client_ = value_of(transport::Mqtt5Client::open(
        shared_.io,
        {.host = shared_.broker.host_of(who_.account),
         .port = shared_.port,
         .client_id = who_.device.to_string(),
         .tls = {.authority_pem = shared_.authority, .certificate_pem = certificate_, .key = shared_.key.duplicate()},
         .keep_alive = 300s,
         .max_in_flight = 64,
         .maximum_packet_size = who_.role == Role::hub ? 256U << 10 : 16U << 10},
        *this, shared_.log));
    for (const auto& topic : topics_) client_->subscribe(topic, transport::Qos::at_least_once);
    ++shared_.connecting;
  }
  void drop() {
    if (connected_) --shared_.connected;
    connected_ = false;
    client_.reset();
  }
  [[nodiscard]] Role role() const { return who_.role; }
  void publish(Leaf leaf, ByteView payload, transport::Qos qos, bool retain, std::function<void()> done) {
    const auto topic = protocol::topic({who_.account, who_.device}, leaf);
    client_->publish({.topic = topic, .payload = payload, .qos = qos, .retain = retain},
                     [done = std::move(done)](const Result<>&) { done(); });
  }
  void send_picture(std::size_t size) {
    Bytes picture(size);
    const auto now = Steady::now().time_since_epoch().count();
    std::memcpy(picture.data(), &now, sizeof now);
    publish(Leaf::video, picture, transport::Qos::at_most_once, false, [] {});
  }

 private:
  void on_connected() override {
    connected_ = true;
    ++shared_.connected;
    --shared_.connecting;
    // As a camera does after each connection.
    if (who_.role == Role::camera) {
      publish(Leaf::status, Bytes(300), transport::Qos::at_least_once, true, [] {});
      publish(Leaf::grants, Bytes(600), transport::Qos::at_least_once, true, [] {});
    }
    shared_.on_change();
  }
  void on_disconnected(const Error&) override {
    if (!connected_) return;
    connected_ = false;
    --shared_.connected;
    ++shared_.connecting;
  }
  void on_message(const transport::Message& message) override {
    if (!message.topic.ends_with("/video")) return;
    Steady::rep sent = 0;
    std::memcpy(&sent, message.payload.data(), sizeof sent);
    const auto age = Steady::now().time_since_epoch() - Steady::duration(sent);
    shared_.pictures.all.push_back(std::chrono::duration<double, std::milli>(age).count());
  }

  Shared& shared_;
  Authorized who_;
  std::string certificate_;
  std::vector<std::string> topics_;
  bool connected_ = false;
  std::unique_ptr<transport::Mqtt5Client> client_;
};

/// What a device subscribes to: exact topics, because RabbitMQ rejects a filter with a wildcard.
std::vector<std::string> subscriptions(const Authorized& who, const std::vector<Authorized>& account) {
  std::vector<std::string> out;
  for (const auto& filter : owner::permissions(who, account).read) {
    const auto wildcard = filter.find('+');
    if (wildcard == std::string::npos) out.push_back(filter);
    for (const auto& other : account)
      if (wildcard != std::string::npos && other.role == Role::camera)
        out.push_back(std::string(filter).replace(wildcard, 1, other.device.to_string()));
  }
  return out;
}

/// Authorizes the devices and writes the broker's lists. Writes the records without fsync.
std::vector<std::unique_ptr<Device>> make_devices(Shared& shared, const owner::BrokerFiles& files, std::size_t count,
                                                  std::size_t connections) {
  const auto begin = Steady::now();
  auto authority = owner::read_authority(files);
  if (!authority) throw std::runtime_error(authority.error().message);
  shared.authority = authority->certificate_pem;
  std::vector<std::unique_ptr<Device>> devices;
  const auto random_id = [] {
    std::array<std::byte, DeviceId::size> bytes;
    std::ifstream("/dev/urandom").read(reinterpret_cast<char*>(bytes.data()), bytes.size());
    return bytes;
  };
  for (std::size_t made = 0; made < count;) {
    const AccountId id(random_id());
    std::vector<Authorized> account = {{Role::hub, DeviceId(random_id()), id}};
    for (std::size_t i = 0; i < cameras_per_account; ++i) account.push_back({Role::camera, DeviceId(random_id()), id});
    for (const auto& who : account) {
      const auto name = who.device.to_string();
      std::ofstream(files.devices() / name) << owner::device_record_text({who, {}});
      if (++made > connections) continue;
      const auto request = value_of(transport::make_request(shared.key, name));
      devices.push_back(
          std::make_unique<Device>(shared, who,
                                   value_of(transport::sign_request(shared.authority, authority->key, request, name,
                                                                    transport::CertificateUse::client, {name})),
                                   subscriptions(who, account)));
    }
  }
  const auto certified = seconds_since(begin);
  const auto writing = Steady::now();
  if (auto r = owner::write_access(files, shared.broker.kind); !r) throw std::runtime_error(r.error().message);
  const bool mosquitto = shared.broker.kind == owner::BrokerKind::mosquitto;
  const auto size = std::filesystem::file_size(mosquitto ? files.access_list() : files.definitions());
  answer(sealcam::format(
      R"("devices": {}, "connections": {}, "certificates_s": {:.1f}, "lists_s": {:.2f}, "acl_bytes": {})", count,
      devices.size(), certified, seconds_since(writing), size));
  return devices;
}

class Load {
 public:
  Load(Shared& shared, std::vector<std::unique_ptr<Device>>& devices)
      : shared_(shared), devices_(devices), input_(shared.io, STDIN_FILENO), timer_(shared.io) {
    shared_.on_change = [this] { changed(); };
    next_command();
  }

 private:
  void next_command() {
    asio::async_read_until(input_, buffer_, '\n', [this](boost::system::error_code ec, std::size_t) {
      if (ec) return shared_.io.stop();
      std::string line, command;
      std::istream stream(&buffer_);
      std::getline(stream, line);
      std::istringstream arguments(line);
      arguments >> command;
      begin_ = Steady::now();
      if (command == "connect") connect(arguments);
      else if (command == "wait") wait();
      else if (command == "probe") probe(arguments);
      else if (command == "traffic") traffic(arguments);
      else throw std::runtime_error("unknown command " + line);
    });
  }
  void finish(const std::string& members) {
    answer(members);
    next_command();
  }
  /// Calls `finish` after `time`, unless the command ended before.
  void after(Steady::duration time, std::function<void()> finish) {
    timer_.expires_after(time);
    timer_.async_wait([finish = std::move(finish)](boost::system::error_code ec) {
      if (!ec) finish();
    });
  }

  void connect(std::istream& arguments) {
    for (auto& device : devices_) device->drop();
    shared_.connecting = 0;
    next_ = 0;
    arguments >> window_;
    wait();
  }
  void wait() {
    waiting_ = true;
    after(reconnection_limit, [this] { report_connected(); });
    changed();
  }
  void changed() {
    while (next_ < devices_.size() && shared_.connecting < window_) devices_[next_++]->connect();
    if (!waiting_ || shared_.connected < devices_.size()) return;
    timer_.cancel();
    report_connected();
  }
  void report_connected() {
    waiting_ = false;
    finish(sealcam::format(R"("connected": {}, "seconds": {:.2f})", shared_.connected, seconds_since(begin_)));
  }

  void probe(std::istream& arguments) {
    double seconds = 1;
    arguments >> seconds;
    latencies_ = {};
    probe_until_ = begin_ + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
    probe_once();
  }
  void probe_once() {
    const auto sent = Steady::now();
    if (sent >= probe_until_) return finish(latencies_.json());
    camera(0).publish(Leaf::status, Bytes(300), transport::Qos::at_least_once, true, [this, sent] {
      latencies_.all.push_back(seconds_since(sent) * 1000);
      after(2ms, [this] { probe_once(); });
    });
  }

  void traffic(std::istream& arguments) {
    double rate = 0, seconds = 0;
    arguments >> cameras_ >> rate >> size_ >> seconds;
    shared_.pictures = {};
    sent_ = 0;
    total_ = static_cast<std::size_t>(rate * seconds) * cameras_;
    gap_ = std::chrono::duration_cast<Steady::duration>(
        std::chrono::duration<double>(1 / rate / static_cast<double>(cameras_)));
    send_due();
  }
  /// The cameras send one after the other, at equal distances.
  void send_due() {
    while (sent_ < total_ && begin_ + gap_ * sent_ <= Steady::now()) {
      camera(sent_ % cameras_).send_picture(size_);
      ++sent_;
    }
    if (sent_ < total_) return after(1ms, [this] { send_due(); });
    after(2s, [this] { finish(sealcam::format(R"("sent": {}, {})", total_, shared_.pictures.json())); });
  }
  /// Each account is one hub and then its cameras.
  Device& camera(std::size_t number) {
    const auto at = number / cameras_per_account * (cameras_per_account + 1) + 1 + number % cameras_per_account;
    return *devices_.at(at);
  }

  Shared& shared_;
  std::vector<std::unique_ptr<Device>>& devices_;
  asio::posix::stream_descriptor input_;
  asio::streambuf buffer_;
  asio::steady_timer timer_;
  Steady::time_point begin_, probe_until_;
  Steady::duration gap_{};
  Latencies latencies_;
  std::size_t window_ = 1, next_ = 0, cameras_ = 0, size_ = 0, sent_ = 0, total_ = 0;
  bool waiting_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::fputs("usage: broker_load FOLDER PORT DEVICES CONNECTIONS\n", stderr);
    return 2;
  }
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  value_of(crypto::init());
  asio::io_context io(1);
  StderrLog log;
  log.set_level(LogLevel::error);
  const owner::BrokerFiles files{argv[1]};
  auto broker = owner::read_broker(files);
  if (!broker) throw std::runtime_error(broker.error().message);
  Shared shared{.io = io,
                .log = log,
                .broker = std::move(*broker),
                .port = static_cast<std::uint16_t>(std::stoi(argv[2])),
                .authority = {},
                .key = value_of(transport::TlsKey::generate()),
                .pictures = {}};
  auto devices = make_devices(shared, files, std::stoul(argv[3]), std::stoul(argv[4]));
  const Load load(shared, devices);
  io.run();
  std::fflush(stdout);
  std::_Exit(0);  // the end of thousands of connections takes long
} catch (const std::exception& error) {
  std::fprintf(stderr, "broker_load: %s\n", error.what());
  return 1;
}
