// SPDX-License-Identifier: Apache-2.0
/// A small hub that uses only the protocol's functions: it receives grants, requests pictures, opens and records them.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "integration/transport/mqtt_harness.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"

namespace sealcam::test {

class TinyHub {
 public:
  struct Shown {
    protocol::FrameKind kind;
    protocol::FrameHeader header;
    Bytes content;
    std::chrono::steady_clock::time_point at;
    std::chrono::nanoseconds requested_before{};  ///< age of the echoed challenge; negative: another hub's challenge
  };

  TinyHub(boost::asio::io_context& io, const TestOperator& op, const Mosquitto& broker, const protocol::Route& route,
          const crypto::PublicKey& camera)
      : route_(route),
        camera_(must(crypto::Verifier::open(camera))),
        opener_(route),
        client_(io, config_for(op, broker, actor_.id().to_string())) {
    client_.on_got = [this](const transport::Message& m) { take(m); };
    for (const auto leaf : {protocol::Leaf::grants, protocol::Leaf::video, protocol::Leaf::still})
      client_.mqtt->subscribe(protocol::topic(route, leaf), Qos::at_least_once);
  }

  [[nodiscard]] const Actor& actor() const { return actor_; }
  Client& client() { return client_; }
  std::vector<Shown> shown;
  std::size_t not_opened = 0;  ///< frames of an epoch without a grant
  bool counter_twice = false;
  bool mute = false;  ///< sends no requests

  /// Call this often. Sends a request once a second.
  void tick() {
    const auto now = std::chrono::steady_clock::now();
    if (mute || !epoch_ || now - last_request_ < 1s) return;
    last_request_ = now;
    ++seq_;
    std::array<std::byte, 8> random{};
    must(crypto::random(random));
    const protocol::Challenge challenge(load_be<std::uint64_t>(random));
    challenges_[challenge] = now;
    const auto message = must(protocol::encode_view_request(
        {protocol::RequestKind::live, challenge, *epoch_, protocol::RequestSeq(seq_)}, route_, actor_.keys().identity));
    const auto topic = protocol::request_topic(route_, actor_.id());
    client_.mqtt->publish({.topic = topic, .payload = message, .expiry = 5s}, [](Result<>) {});
  }
  [[nodiscard]] std::size_t pictures() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(shown, [](const Shown& s) { return s.kind != protocol::FrameKind::report; }));
  }
  [[nodiscard]] std::optional<protocol::Epoch> epoch() const { return epoch_; }
  /// From the newest grants: the applied command, and the name of the camera.
  [[nodiscard]] std::optional<protocol::CommandSeq> command() const { return command_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void take(const transport::Message& m) {
    if (m.topic.ends_with("/grants")) return take_grants(m.payload);
    const auto frame = must(protocol::parse_frame(m.payload));
    must(opener_.verify(frame, camera_));
    if (!m.retained && !used_.emplace(frame.epoch, frame.counter).second) counter_twice = true;
    const auto key = keys_.find(frame.epoch);
    Bytes out(frame.sealed.size());
    if (key == keys_.end()) {
      ++not_opened;
      return;
    }
    const auto opened = must(opener_.open(out, frame, key->second));
    const auto now = std::chrono::steady_clock::now();
    auto made = challenges_.end();  // the newest own one
    for (const auto challenge : opened.header.echoes)
      if (const auto own = challenges_.find(challenge);
          own != challenges_.end() && (made == challenges_.end() || made->second < own->second))
        made = own;
    shown.push_back({frame.kind, opened.header, Bytes(opened.content.begin(), opened.content.end()), now,
                     made == challenges_.end() ? std::chrono::nanoseconds(-1) : now - made->second});
  }
  void take_grants(ByteView message) {
    const auto grants = must(protocol::decode_grants(message, route_, camera_));
    const auto content = protocol::open_grant(grants, route_, actor_.id(), actor_.keys().hpke);
    epoch_.reset();
    if (!content) return;
    epoch_ = grants.epoch;
    command_ = grants.command;
    name_ = content->camera_name;
    keys_.insert_or_assign(grants.epoch,
                           must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content->base_key)));
    last_request_ = {};  // so that tick() requests at once
    tick();
  }

  Actor actor_;
  protocol::Route route_;
  crypto::Verifier camera_;
  protocol::FrameOpener opener_;
  Client client_;
  std::optional<protocol::Epoch> epoch_;
  std::optional<protocol::CommandSeq> command_;
  std::string name_;
  std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys_;
  std::map<protocol::Challenge, std::chrono::steady_clock::time_point> challenges_;
  std::set<std::pair<protocol::Epoch, protocol::Counter>> used_;
  std::chrono::steady_clock::time_point last_request_;
  std::uint64_t seq_ = 0;
};

}  // namespace sealcam::test
