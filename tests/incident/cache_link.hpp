// SPDX-License-Identifier: Apache-2.0
/// The only way from the cameras' broker to the hubs' and back: rosters, asks, grants and status go through as they
/// come, pictures go through the faulty cache. Two MQTT clients with the operator's rights.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/log.hpp"
#include "faulty_cache.hpp"
#include "people.hpp"
#include "protocol/topic.hpp"
#include "provenance.hpp"

namespace sealcam::incident {

/// Tells what is in a message of the topic `video` or `still`, from outside.
using KindReader = Kind (*)(ByteView message);

/// Thread-bound to the thread that runs `io`.
class CacheLink {
 public:
  struct Parts {
    const People& people;
    const Brokers& brokers;
    FaultyCache& cache;
    Provenance& provenance;
    KindReader kind_of;
    Log& log;
  };
  CacheLink(boost::asio::io_context& io, const Parts& parts);
  [[nodiscard]] bool connected() const { return ingest_.client->connected() && delivery_.client->connected(); }
  /// Stands for the owner's `sealcam`: puts the retained roster where hubs read it; from there it passes to the camera.
  void publish_roster(std::uint32_t account);
  /// Messages that could not be passed on.
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
  void pass_picture(std::uint32_t account, const protocol::Topic& topic, ByteView payload);
  void forward(Side& to, const transport::Publication& publication);

  Parts parts_;
  std::map<protocol::Route, std::uint32_t> accounts_;
  std::uint64_t failed_ = 0;
  Side ingest_, delivery_;
};

}  // namespace sealcam::incident
