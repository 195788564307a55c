// SPDX-License-Identifier: Apache-2.0
/// One case of the corpus (../README.md): its parties, epochs and messages, and the messages that the runner seals.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "protocol/envelope.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"

namespace sealcam::conformance {

using Json = nlohmann::json;
using protocol::Challenge;
using protocol::Epoch;

struct CaseEpoch {
  Epoch number;
  crypto::sframe::CipherSuite suite{};
  crypto::sframe::BaseKey base_key;
  std::string camera_name;
};

class Case {
 public:
  /// Throws an exception with a text if the case does not follow the format.
  explicit Case(const Json& json);

  /// A new object for one party, because an Actor cannot be copied.
  [[nodiscard]] test::Actor party(const std::string& name) const;
  [[nodiscard]] std::string device() const { return json_.at("device"); }
  /// Null if the case does not have the member.
  [[nodiscard]] Json start(const char* member) const {
    return json_.value("start", Json::object()).value(member, Json());
  }
  [[nodiscard]] protocol::Route route() const;
  /// All parties by their ids.
  [[nodiscard]] std::map<DeviceId, std::string> names() const;

  [[nodiscard]] const CaseEpoch& epoch(const std::string& name) const { return epochs_.at(name); }
  /// The name in the case. The number in hexadecimal if the case does not have it.
  [[nodiscard]] std::string name_of(Epoch number) const;
  /// Names the challenge of a request that the hub under test sent.
  void bind(const std::string& name, Challenge challenge) { challenges_[name] = challenge; }
  /// Names the prekey of a request that the hub under test sent.
  void bind_prekey(const std::string& name, const protocol::Prekey& prekey) { prekeys_.insert_or_assign(name, prekey); }

  /// The bytes of a delivery: stored, or sealed now.
  [[nodiscard]] Bytes message(const Json& event) const;

 private:
  [[nodiscard]] Bytes frame(const Json& frame) const;
  [[nodiscard]] Bytes grants(const Json& grants) const;

  Json json_;
  std::map<std::string, CaseEpoch> epochs_;
  std::map<std::string, Challenge> challenges_;
  std::map<std::string, protocol::Prekey> prekeys_;
};

/// Hexadecimal. Throws an exception if it is not.
[[nodiscard]] Bytes bytes_of(const Json& hex);
[[nodiscard]] std::uint64_t number_of(const Json& hex);
[[nodiscard]] std::string hex(std::uint64_t number);

/// One run of a case. do_event() performs an event and returns the whole verdict; the corpus compares a part of it.
class Run {
 public:
  virtual ~Run() = default;
  [[nodiscard]] Json event(const Json& event) { return do_event(event); }

 private:
  virtual Json do_event(const Json& event) = 0;
};

[[nodiscard]] std::unique_ptr<Run> run_hub(const Json& json);
[[nodiscard]] std::unique_ptr<Run> run_camera(const Json& json);
[[nodiscard]] std::unique_ptr<Run> run_owner(const Json& json);
/// A phone, or the mailbox of a hub.
[[nodiscard]] std::unique_ptr<Run> run_link(const Json& json);
/// The verdict about an event of a link. Nothing for other events.
[[nodiscard]] std::optional<Json> judge_link(const Case& c, const Json& event);

}  // namespace sealcam::conformance
