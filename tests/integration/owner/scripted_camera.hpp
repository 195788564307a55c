// SPDX-License-Identifier: Apache-2.0
/// A camera whose messages the test chooses. The real `sealcam` enrolls it, and it connects to the real broker.
#pragma once

#include <memory>
#include <optional>

#include "base/file.hpp"
#include "command_line.hpp"
#include "crypto/psa.hpp"
#include "protocol/command.hpp"
#include "protocol/envelope.hpp"
#include "protocol/pairing.hpp"
#include "protocol/roster.hpp"
#include "protocol/software_report.hpp"
#include "protocol/status.hpp"
#include "support/actors.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::test {

/// Thread-bound.
class ScriptedCamera {
 public:
  /// Writes descriptor, TLS key and certificate request into `state`, like the first start of a camera.
  explicit ScriptedCamera(std::filesystem::path state) : state_(std::move(state)) {
    must(make_private_folder(state_));
    const auto tls = must(transport::TlsKey::generate());
    must(write_file_durably(state_ / "tls.key", tls.reveal_pem()));
    const auto request = must(transport::make_request(tls, keys.id().to_string()));
    must(write_file_durably(state_ / "tls.csr", as_bytes(request)));
    const auto tls_public = must(crypto::PublicKey::parse(must(transport::requested_key(request))));
    must(write_file_durably(state_ / "device.descriptor",
                            must(protocol::encode_device_descriptor(protocol::Role::camera, keys.keys(), tls_public))));
  }

  /// Call it after the enrollment.
  bool connect(const crypto::PublicKey& owner) {
    owner_ = must(crypto::Verifier::open(owner));
    route_ = {owner.account(), keys.id()};
    client_ = std::make_unique<TestClient>(state_);
    for (const auto leaf : {protocol::Leaf::roster, protocol::Leaf::command})
      client_->subscribe(protocol::topic(route_, leaf));
    return client_->connects(std::chrono::seconds(20));
  }

  /// Waits at most 20 s for a roster with at least this version.
  bool receives_roster(protocol::RosterVersion version) {
    return waits([&] { return roster() && roster()->version >= version; });
  }
  bool receives_command(protocol::CommandSeq seq) {
    return waits([&] { return command() && command()->seq >= seq; });
  }

  /// The newest roster that arrived.
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

  /// Publishes grants for the newest roster. `as` is another device that signs them.
  void reports_grants(std::optional<protocol::CommandSeq> applied = std::nullopt, const Actor* as = nullptr,
                      std::optional<crypto::Digest> hash = std::nullopt) {
    const auto followed = *roster();
    const auto digest = must(protocol::roster_hash(*newest(protocol::Leaf::roster)));
    const auto message = must(protocol::encode_grants({.roster = followed,
                                                       .content = {crypto::sframe::BaseKey{}, "scripted"},
                                                       .epoch = protocol::Epoch(++epoch_ << 32),
                                                       .roster_hash = hash.value_or(digest),
                                                       .command = applied,
                                                       .software = software ? &*software : nullptr},
                                                      route_, (as == nullptr ? keys : *as).keys().identity));
    must(client_->publish(protocol::topic(route_, protocol::Leaf::grants), message, true));
  }
  /// Publishes the status of a stopped camera, or the deregistration notice of a reset one.
  void reports_offline(bool reset) {
    must(client_->publish(
        protocol::topic(route_, protocol::Leaf::status),
        must(protocol::encode_status({.online = false, .started = {}, .reset = reset}, route_, keys.keys().identity)),
        true));
  }

  Actor keys;
  std::optional<protocol::SoftwareReport> software;  ///< in later grants; nothing: an older camera

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
