// SPDX-License-Identifier: Apache-2.0
/// Says of one message after the other what it is, who signed it, and what could and could not be opened and why.
/// Shows nothing and decides nothing: replays and order are not judged, so that everything that passes is seen.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "owner/account_file.hpp"
#include "protocol/frame.hpp"
#include "protocol/grants.hpp"
#include "protocol/topic.hpp"
#include "transport/mqtt.hpp"

namespace sealcam::owner {

struct Inspection {
  std::optional<protocol::Topic> topic;  ///< nothing: not one of ours
  std::size_t size = 0;
  bool retained = false;
  std::string camera;  ///< its name in the account, else its id; empty without a topic
  std::string signer;  ///< as claimed; empty when there is none
  std::string kind;    ///< of a frame
  std::optional<Epoch> epoch;
  std::optional<Counter> counter;
  bool verified = false;       ///< signed by whom it should be
  std::optional<bool> opened;  ///< nothing where there is nothing sealed, or nothing sealed to us
  std::string why;             ///< why not verified or not opened; empty when all is well
  std::string content;         ///< what it says, in words
};

/// Thread-bound.
class Inspector {
 public:
  /// Epochs of one camera whose keys are kept.
  static constexpr std::size_t most_epochs = 8;

  /// `hub`: this machine's keys; without them grants stay closed and so does every frame.
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
    std::map<Epoch, crypto::sframe::OpeningKey> keys;
  };
  Inspector(const AccountId& account, crypto::Verifier owner, std::optional<crypto::DeviceKeys> hub)
      : account_(account), owner_(std::move(owner)), hub_(std::move(hub)) {}
  void roster(Inspection& out, const protocol::Route& route, ByteView message) const;
  void command(Inspection& out, const protocol::Route& route, ByteView message) const;
  void status(Inspection& out, const Camera& camera, ByteView message) const;
  void ask(Inspection& out, const protocol::Topic& topic, ByteView message) const;
  void grants(Inspection& out, Camera& camera, ByteView message);
  void frame(Inspection& out, const Camera& camera, ByteView message) const;

  AccountId account_;
  crypto::Verifier owner_;
  std::optional<crypto::DeviceKeys> hub_;
  std::map<DeviceId, Camera> cameras_;
  std::map<DeviceId, std::pair<std::string, crypto::Verifier>> hubs_;
};

}  // namespace sealcam::owner
