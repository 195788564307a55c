// SPDX-License-Identifier: Apache-2.0
/// A camera whose every word the test decides, enrolled by the real `sealcam` and connected to the real broker.
#pragma once

#include <memory>
#include <optional>

#include "command_line.hpp"
#include "core/file.hpp"
#include "crypto/sha256.hpp"
#include "protocol/card.hpp"
#include "protocol/command.hpp"
#include "protocol/grants.hpp"
#include "protocol/status.hpp"
#include "protocol/topic.hpp"
#include "support/actors.hpp"
#include "transport/certificate.hpp"

namespace sealcam::test {

/// Thread-bound, but for what the constructor leaves on the disk.
class ScriptedCamera {
 public:
  /// Leaves card, TLS key and request in `state`, as a camera's first start does.
  explicit ScriptedCamera(std::filesystem::path state) : state_(std::move(state)) {
    must(make_private_folder(state_));
    const auto tls = must(transport::TlsKey::generate());
    must(write_file_durably(state_ / "tls.key", tls.reveal_pem()));
    must(write_file_durably(state_ / "tls.csr", as_bytes(must(transport::make_request(tls, keys.id().to_string())))));
    must(write_file_durably(state_ / "device.card", must(protocol::encode_card(protocol::Role::camera, keys.keys()))));
  }

  /// Once it was enrolled.
  bool connect(const crypto::PublicKey& owner) {
    owner_ = must(crypto::Verifier::open(owner));
    route_ = {owner.account(), keys.id()};
    client_ = std::make_unique<TestClient>(state_);
    for (const auto leaf : {protocol::Leaf::roster, protocol::Leaf::command})
      client_->subscribe(protocol::topic(route_, leaf));
    return client_->connects(std::chrono::seconds(20));
  }

  /// Waits until the broker handed over a roster of at least this version, for at most 20 s.
  bool receives_roster(RosterVersion version) {
    return waits([&] { return roster() && roster()->version >= version; });
  }
  bool receives_command(CommandSeq seq) {
    return waits([&] { return command() && command()->seq >= seq; });
  }

  /// The newest that arrived.
  [[nodiscard]] std::optional<protocol::Roster> roster() {
    const auto bytes = newest(protocol::Leaf::roster);
    if (!bytes) return std::nullopt;
    auto decoded = protocol::decode_roster(*bytes, route_, *owner_);
    return decoded ? std::optional(std::move(*decoded)) : std::nullopt;
  }
  [[nodiscard]] std::optional<protocol::Command> command() {
    const auto bytes = newest(protocol::Leaf::command);
    if (!bytes) return std::nullopt;
    auto decoded = protocol::decode_command(*bytes, route_, *owner_, keys.keys().hpke);
    return decoded ? std::optional(std::move(*decoded)) : std::nullopt;
  }

  /// Grants that follow the newest roster; `as`: signed by another device.
  void says_grants(std::optional<CommandSeq> obeyed = std::nullopt, const Actor* as = nullptr,
                   std::optional<crypto::Digest> hash = std::nullopt) {
    const auto followed = *roster();
    const auto digest = must(crypto::sha256(*newest(protocol::Leaf::roster)));
    const auto message = must(protocol::encode_grants(followed, hash.value_or(digest), Epoch(++epoch_ << 32),
                                                      crypto::sframe::CipherSuite::aes_128_gcm_sha256_128,
                                                      {crypto::sframe::BaseKey{}, "scripted"}, CaptureTime{}, route_,
                                                      (as == nullptr ? keys : *as).keys().identity, obeyed));
    must(client_->publish(protocol::topic(route_, protocol::Leaf::grants), message, true));
  }
  /// As a camera says it that is stopped, and as its will does; or the goodbye of one that is reset.
  void says_offline(bool reset) {
    must(client_->publish(
        protocol::topic(route_, protocol::Leaf::status),
        must(protocol::encode_status({.online = false, .started = {}, .reset = reset}, route_, keys.keys().identity)),
        true));
  }

  Actor keys;

 private:
  template <class Done>
  bool waits(Done done) {
    for (int i = 0; i < 200 && !done(); ++i) client_->receive(std::chrono::milliseconds(100));
    return done();
  }
  [[nodiscard]] std::optional<Bytes> newest(protocol::Leaf leaf) {
    const auto topic = protocol::topic(route_, leaf);
    std::optional<Bytes> out;
    for (const auto& message : client_->receive(std::chrono::milliseconds(0)))
      if (message.topic == topic) out = message.payload;
    return out;
  }

  std::filesystem::path state_;
  std::optional<crypto::Verifier> owner_;
  protocol::Route route_;
  std::unique_ptr<TestClient> client_;
  std::uint64_t epoch_ = 0;
};

}  // namespace sealcam::test
