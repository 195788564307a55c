// SPDX-License-Identifier: Apache-2.0
#include "stream/ask_keeper.hpp"

namespace sealcam::stream {

const char* name(AskRefusal refusal) noexcept {
  switch (refusal) {
    case AskRefusal::malformed: return "malformed";
    case AskRefusal::unknown_hub: return "unknown_hub";
    case AskRefusal::foreign_signer: return "foreign_signer";
    case AskRefusal::too_often: return "too_often";
    case AskRefusal::bad_signature: return "bad_signature";
    case AskRefusal::wrong_epoch: return "wrong_epoch";
    case AskRefusal::replayed: return "replayed";
    case AskRefusal::not_allowed: return "not_allowed";
  }
  return "unknown";
}

Result<> AskKeeper::set_roster(const protocol::Roster& roster) {
  std::map<DeviceId, Hub> hubs;
  Result<> result;
  for (const protocol::RosterHub& entry : roster.hubs) {
    const DeviceId id = entry.identity.id();
    if (roster.active(id) == nullptr) continue;
    const auto known = hubs_.find(id);
    if (known != hubs_.end() && known->second.verifier.key() == entry.identity) {
      known->second.may_switch_privacy = entry.may_switch_privacy;
      hubs.insert(hubs_.extract(known));
      continue;
    }
    auto verifier = crypto::Verifier::open(entry.identity);
    if (!verifier) {
      result = std::unexpected(verifier.error());
      continue;
    }
    hubs.emplace(id, Hub{.verifier = std::move(*verifier),
                         .window = {},
                         .last = {},
                         .may_switch_privacy = entry.may_switch_privacy});
  }
  hubs_ = std::move(hubs);
  return result;
}

void AskKeeper::set_epoch(std::optional<Epoch> epoch) {
  epoch_ = epoch;
  for (auto& [id, hub] : hubs_) hub.asked_in_epoch = false;
}

std::optional<AcceptedAsk> AskKeeper::offer(const DeviceId& hub, ByteView message) {
  const auto ask = check(hub, message);
  if (!ask) {
    ++counters_.refused[static_cast<std::size_t>(ask.error())];
    return std::nullopt;
  }
  ++counters_.accepted;
  return *ask;
}

static AskRefusal refusal_of(const Error& error) noexcept {
  if (error.code == Errc::bad_signature) return AskRefusal::bad_signature;
  if (error.code == Errc::wrong_key) return AskRefusal::foreign_signer;
  return AskRefusal::malformed;
}

std::expected<AcceptedAsk, AskRefusal> AskKeeper::check(const DeviceId& hub, ByteView message) {
  using std::unexpected;
  const auto found = hubs_.find(hub);
  if (found == hubs_.end()) return unexpected(AskRefusal::unknown_hub);
  if (message.size() > largest) return unexpected(AskRefusal::malformed);
  const auto signer = protocol::claimed_signer(message);
  if (!signer) return unexpected(AskRefusal::malformed);
  if (*signer != hub) return unexpected(AskRefusal::foreign_signer);
  // Before anything is counted: a hub that knows several epochs asks for each of them, and its asks for the others
  // must not use up what it may ask for this one.
  const auto claimed = protocol::claimed_ask(message);
  if (!claimed) return unexpected(AskRefusal::malformed);
  if (!epoch_ || claimed->epoch != *epoch_) return unexpected(AskRefusal::wrong_epoch);
  Hub& entry = found->second;
  const MonotonicTime now = clock_.monotonic();
  if (entry.window.full(now) || window_.full(now)) return unexpected(AskRefusal::too_often);
  entry.window.count(now);
  window_.count(now);
  ++counters_.verified;
  const auto ask = protocol::decode_ask(message, route_, entry.verifier);
  if (!ask) return unexpected(refusal_of(ask.error()));
  if (entry.any && ask->seq <= entry.last) return unexpected(AskRefusal::replayed);
  entry.any = true;
  entry.last = ask->seq;
  if (ask->want == protocol::Want::privacy_on || ask->want == protocol::Want::privacy_off) {
    if (!entry.may_switch_privacy) return unexpected(AskRefusal::not_allowed);
    return AcceptedAsk{.ask = *ask, .first_in_epoch = false};
  }
  return AcceptedAsk{.ask = *ask, .first_in_epoch = !std::exchange(entry.asked_in_epoch, true)};
}

}  // namespace sealcam::stream
