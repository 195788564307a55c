// SPDX-License-Identifier: Apache-2.0
/// Describes each message at the broker: its kind, its signer, and whether this machine can open it. The inspector does
/// not check replays and order, because the owner inspects all messages.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "owner/account/account.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::owner {

struct Inspection {
  std::optional<protocol::Topic> topic;  ///< nothing: not a topic of Sealcam
  std::size_t size = 0;
  bool retained = false;
  std::string camera;  ///< name in the account, otherwise the id; empty without a topic
  std::string signer;  ///< claimed by the message; empty if the message names none
  std::string kind;    ///< of a sealed frame
  std::optional<protocol::Epoch> epoch;
  std::optional<protocol::Counter> counter;
  bool verified = false;       ///< the expected signer signed it
  std::optional<bool> opened;  ///< nothing if the message has no sealed content for this machine
  std::string why;             ///< why it was not verified or not opened; otherwise empty
  std::string content;         ///< description of the content
};

/// Thread-bound.
class Inspector {
 public:
  /// Number of epoch keys that are kept for each camera.
  static constexpr std::size_t max_epochs = 8;

  /// `hub` is this machine's keys. Without them, no grant and no frame is opened.
  /// Errors: malformed, crypto (a key of the account).
  [[nodiscard]] static Result<Inspector> open(const AccountFile& account, const crypto::PublicKey& owner,
                                              std::optional<crypto::DeviceKeys> hub);
  [[nodiscard]] Inspection inspect(const transport::Message& message);

 private:
  struct Camera {
    std::string name;
    protocol::Route route;
    crypto::Verifier verifier;
    protocol::FrameOpener opener;
    std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys;
  };
  Inspector(const AccountId& account, crypto::Verifier owner, std::optional<crypto::DeviceKeys> hub)
      : account_(account), owner_(std::move(owner)), hub_(std::move(hub)) {}
  void index(Inspection& out, const DeviceId& hub, ByteView message) const;
  void roster(Inspection& out, const protocol::Route& route, ByteView message) const;
  void command(Inspection& out, const protocol::Route& route, ByteView message) const;
  void status(Inspection& out, const Camera& camera, ByteView message) const;
  void request(Inspection& out, const protocol::Topic& topic, ByteView message) const;
  void grants(Inspection& out, Camera& camera, ByteView message);
  void frame(Inspection& out, const Camera& camera, ByteView message) const;

  AccountId account_;
  crypto::Verifier owner_;
  std::optional<crypto::DeviceKeys> hub_;
  std::map<DeviceId, Camera> cameras_;
  std::map<DeviceId, std::pair<std::string, crypto::Verifier>> hubs_;
};

}  // namespace sealcam::owner
