// SPDX-License-Identifier: Apache-2.0
// Runs a case against the shipped ObservedState, and what the owner's program concludes from it.
#include "conformance/runner/case.hpp"
#include "crypto/cose.hpp"
#include "owner/sync/observed_state.hpp"
#include "owner/sync/sync.hpp"

namespace sealcam::conformance {
namespace {

using test::must;

class OwnerRun final : public Run {
 public:
  explicit OwnerRun(const Json& json) : case_(json), owner_(case_.party("owner")), camera_(case_.party("camera")) {
    owner::CameraRecord record;
    record.id = camera_.id();
    record.name = "Front door";
    record.identity = camera_.identity();
    record.hpke = camera_.hpke();
    account_.account = owner_.account();
    account_.cameras.push_back(record);
    if (const auto roster = case_.start("roster"); !roster.is_null()) sign(case_.message({{"message", roster}}));
    if (const auto command = case_.start("command"); !command.is_null()) {
      auto& desired = account_.cameras[0].command;
      desired.newest = desired.published = protocol::CommandSeq(command.get<std::uint64_t>());
      desired.privacy = {desired.newest, true};
    }
    restart();
  }

 private:
  Json do_event(const Json& event) override {
    const std::string what = event.at("do");
    if (auto verdict = judge_link(case_, event)) return *verdict;
    if (what == "deliver") {
      const std::string topic = event.at("topic");
      state_->observe({topic, case_.message(event), event.value("retained", false)});
      (void)owner::note_observed(camera(), state_->of(camera_.id()), hash_);
    } else if (what == "sign") {
      sign(case_.message(event));
    } else if (what == "restart") {
      restart();
    } else if (what != "check") {
      throw std::runtime_error("unknown event '" + what + "'");
    }
    return {{"confirmed", camera().confirmed.value()},
            {"pending", owner::is_unconfirmed(camera())},
            {"contradicted", camera().contradicted},
            {"command", camera().command.applied.value()},
            {"deregistered", state_->of(camera_.id()).deregistered}};
  }

  owner::CameraRecord& camera() { return account_.cameras[0]; }

  /// The owner signs and publishes this roster.
  void sign(ByteView message) {
    const auto roster = must(protocol::decode_roster(message, case_.route(), owner_.verifier()));
    camera().version = camera().published = roster.version;
    hash_ = must(protocol::roster_hash(message));
  }

  /// Each run of the owner's program begins without observations.
  void restart() { state_.emplace(must(owner::ObservedState::open(account_, owner_.identity()))); }

  Case case_;
  test::Actor owner_, camera_;
  owner::AccountFile account_;
  std::optional<owner::ObservedState> state_;
  std::optional<crypto::Digest> hash_;
};

}  // namespace

std::unique_ptr<Run> run_owner(const Json& json) { return std::make_unique<OwnerRun>(json); }

}  // namespace sealcam::conformance
