// SPDX-License-Identifier: Apache-2.0
// The control: a system as in January 2020. Topics, brokers, certificates and pictures are the same. A message consists
// of its kind, the frame header and the access unit, and a hub shows each message on its topic.
#include "devices.hpp"

namespace sealcam::incident {
namespace {

using protocol::Leaf;
using transport::Qos;

constexpr std::uint32_t max_incoming = 32U << 10;
constexpr std::size_t head_size = 1 + protocol::FrameHeader::min_size;

Bytes plain_frame(Kind kind, const protocol::FrameHeader& header, ByteView access_unit) {
  Bytes message(head_size);
  message[0] = static_cast<std::byte>(kind);
  protocol::write_frame_header(header, MutableBytes(message).subspan(1));
  message.insert(message.end(), access_unit.begin(), access_unit.end());
  return message;
}

class PlainCamera final : public Camera, private transport::MqttListener {
 public:
  PlainCamera(const Site& site, std::uint32_t account, std::shared_ptr<const Album> album)
      : site_(site), person_(site.people[account]), player_(std::move(album)) {}

  void connect() override {
    client_ = test::must(transport::Mqtt5Client::open(
        site_.io,
        client_config(site_.people, *person_.camera_tls, person_.camera_name, site_.brokers.ingest(), max_incoming),
        *this, site_.log));
    client_->subscribe(protocol::request_topic(person_.route, person_.hub.id()), Qos::at_most_once);
  }
  [[nodiscard]] bool connected() const override { return client_ && client_->connected(); }
  void capture() override {
    const FrameNumber number(number_++);
    const auto now = site_.clock.monotonic();
    if (now >= until_ || !connected()) return;
    const auto& unit = player_.next();
    publish(unit.keyframe ? Kind::key : Kind::delta, number, unit);
    if (!unit.keyframe || now < next_still_) return;
    publish(Kind::still, number, unit);
    next_still_ = now + still_interval;
  }
  void tick() override {}

 private:
  void on_connected() override {
    const auto topic = protocol::topic(person_.route, Leaf::status);
    client_->publish({.topic = topic, .payload = as_bytes("online"), .qos = Qos::at_least_once, .retain = true},
                     [](const Result<>&) {});
  }
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message&) override {
    const auto now = site_.clock.monotonic();
    if (now >= until_) player_.request_keyframe();
    until_ = now + lease;
  }
  void publish(Kind kind, FrameNumber number, const Album::Unit& unit) {
    protocol::FrameHeader header;
    header.width = 320;
    header.height = 180;
    header.captured = site_.clock.wall();
    header.number = number;
    const bool still = kind == Kind::still;
    const auto topic = protocol::topic(person_.route, still ? Leaf::still : Leaf::video);
    client_->publish({.topic = topic,
                      .payload = plain_frame(kind, header, unit.bytes),
                      .retain = still,
                      .expiry = std::chrono::seconds(still ? 3600 : 5)},
                     [](const Result<>&) {});
  }

  const Site& site_;
  const Person& person_;
  AlbumPlayer player_;
  std::uint32_t number_ = 0;
  MonotonicTime until_{}, next_still_{};
  std::unique_ptr<transport::Mqtt5Client> client_;  // last: it calls this object
};

class PlainHub final : public Hub, private transport::MqttListener {
 public:
  PlainHub(const Site& site, std::uint32_t account, const Witness::Dependencies& witness)
      : site_(site), person_(site.people[account]), witness_(account, witness) {}

  void connect() override {
    client_ = test::must(
        transport::Mqtt5Client::open(site_.io,
                                     client_config(site_.people, *person_.hub_tls, person_.hub.id().to_string(),
                                                   site_.brokers.delivery(), max_incoming),
                                     *this, site_.log));
    client_->subscribe(protocol::topic(person_.route, Leaf::status), Qos::at_least_once);
    for (const auto leaf : {Leaf::still, Leaf::video})
      client_->subscribe(protocol::topic(person_.route, leaf), Qos::at_most_once);
  }
  [[nodiscard]] bool connected() const override { return client_ && client_->connected(); }
  [[nodiscard]] bool ready() const override { return ready_; }
  void set_watched(bool watched) override {
    if (!watched) return;
    const auto topic = protocol::request_topic(person_.route, person_.hub.id());
    client_->publish({.topic = topic, .payload = as_bytes("request"), .expiry = std::chrono::seconds(5)},
                     [](const Result<>&) {});
  }
  void tick() override {}
  void finish() override {}
  [[nodiscard]] Witness& witness() override { return witness_; }

 private:
  void on_connected() override {}
  void on_disconnected(const Error&) override {}
  void on_message(const transport::Message& message) override {
    const auto topic = protocol::parse_topic(message.topic);
    if (topic && topic->leaf == Leaf::status) ready_ = true;
    if (!topic || (topic->leaf != Leaf::still && topic->leaf != Leaf::video)) return;
    const auto* const origin = witness_.arrived(message.payload);
    if (message.payload.size() <= head_size) return;
    const auto header = protocol::parse_frame_header(message.payload.subspan(1));
    if (!header) return;
    const Kind kind = plain_kind(message.payload);
    const bool alone = kind == Kind::still || kind == Kind::key;
    if (alone && origin != nullptr && witness_.is_own(*origin) && !origin->damaged)
      witness_.own_arrived(header->number);
    witness_.shown(header->number, alone, message.payload.subspan(head_size));
  }

  const Site& site_;
  const Person& person_;
  Witness witness_;
  bool ready_ = false;
  std::unique_ptr<transport::Mqtt5Client> client_;  // last: it calls this object
};

}  // namespace

std::unique_ptr<Camera> make_plain_camera(const Site& site, std::uint32_t account, std::shared_ptr<const Album> album) {
  return std::make_unique<PlainCamera>(site, account, std::move(album));
}

std::unique_ptr<Hub> make_plain_hub(const Site& site, std::uint32_t account, const Witness::Dependencies& witness) {
  return std::make_unique<PlainHub>(site, account, witness);
}

Kind plain_kind(ByteView message) {
  if (message.empty() || std::to_integer<unsigned>(message[0]) > static_cast<unsigned>(Kind::other)) return Kind::other;
  return static_cast<Kind>(message[0]);
}

}  // namespace sealcam::incident
