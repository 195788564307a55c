// SPDX-License-Identifier: Apache-2.0
/// Connects the cameras' broker and the hubs' broker. Rosters, requests, grants and status pass unchanged. The fault
/// decides which hubs receive a picture. Consists of two MQTT clients with the rights of the operator.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "fault.hpp"
#include "people.hpp"
#include "protocol/envelope.hpp"
#include "provenance.hpp"

namespace sealcam::incident {

/// Determines the kind of a message of the topic `video` or `still`, without keys.
using KindReader = Kind (*)(ByteView message);

/// Thread-bound to the thread that runs `io`.
class Relay {
 public:
  struct Dependencies {
    const People& people;
    const Brokers& brokers;
    Fault& fault;
    Provenance& provenance;
    KindReader kind_of;
    Log& log;
  };
  Relay(boost::asio::io_context& io, const Dependencies& deps);
  [[nodiscard]] bool connected() const { return ingest_.client->connected() && delivery_.client->connected(); }
  /// Publishes a retained roster and the hub's list of cameras at the hubs' broker, as the owner's program does. The
  /// relay passes it to the camera.
  void publish_roster(std::uint32_t account);
  /// Number of messages that could not be forwarded.
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

 private:
  struct Side final : transport::MqttListener {
    explicit Side(std::function<void(const transport::Message&)> handler) : on(std::move(handler)) {}
    void on_connected() override {}
    void on_disconnected(const Error&) override {}
    void on_message(const transport::Message& message) override { on(message); }
    std::function<void(const transport::Message&)> on;
    std::unique_ptr<transport::Mqtt5Client> client;
  };
  void open(boost::asio::io_context& io, Side& side, const test::Mosquitto& broker);
  void from_cameras(const transport::Message& message);
  void from_hubs(const transport::Message& message);
  /// Not retained, so that the messages of the own camera stay at the broker.
  void copy_to_viewers(std::uint32_t camera, protocol::Leaf leaf, ByteView payload);
  void pass_request(std::uint32_t hub, const protocol::Topic& topic, ByteView payload);
  void pass_picture(std::uint32_t account, const protocol::Topic& topic, ByteView payload);
  void forward(Side& to, const transport::Publication& publication);

  Dependencies deps_;
  std::map<protocol::Route, std::uint32_t> accounts_;
  std::uint64_t failed_ = 0;
  Side ingest_, delivery_;
};

}  // namespace sealcam::incident
