// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/request_validator.hpp"
#include "protocol/view_request.hpp"

#include <utility>

#include "base/types.hpp"
#include "crypto/psa.hpp"

namespace sealcam::stream {

using std::unexpected;

Result<> RequestValidator::set_roster(const protocol::Roster& roster) {
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
      result = unexpected(verifier.error());
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

void RequestValidator::set_epoch(std::optional<Epoch> epoch) {
  epoch_ = epoch;
  for (auto& [id, hub] : hubs_) {
    hub.reported.reset();
    hub.nonce = {};
  }
}

std::optional<AcceptedRequest> RequestValidator::offer(const DeviceId& hub, ByteView message) {
  const auto request = check(hub, message);
  if (!request) {
    counters_.rejected.add(request.error());
    return std::nullopt;
  }
  ++counters_.accepted;
  return *request;
}

RequestValidator::Checked RequestValidator::check(const DeviceId& hub, ByteView message) {
  const auto found = hubs_.find(hub);
  if (found == hubs_.end()) return unexpected(RejectReason::unknown_hub);
  if (message.size() > limits::max_view_request_size) return unexpected(RejectReason::malformed);
  const auto signer = protocol::claimed_signer(message);
  if (!signer) return unexpected(RejectReason::malformed);
  if (*signer != hub) return unexpected(RejectReason::other_signer);
  // Before the rate is counted: a hub with several grants sends one request per epoch. Requests for other epochs must
  // not use up the rate of this one.
  const auto claimed = protocol::claimed_view_request(message);
  if (!claimed) return unexpected(RejectReason::malformed);
  if (!epoch_ || claimed->epoch != *epoch_) {
    note_later_epoch(found->second, *claimed, message);
    return unexpected(RejectReason::wrong_epoch);
  }
  if (!take_turn(found->second, claimed->kind)) return unexpected(RejectReason::too_often);
  return verify(found->second, message);
}

bool RequestValidator::take_turn(Hub& hub, protocol::RequestKind kind) noexcept {
  const MonotonicTime now = clock_.monotonic();
  const auto take = [now](auto& of_hub, auto& of_all) {
    if (of_hub.full(now) || of_all.full(now)) return false;
    of_hub.count(now);
    of_all.count(now);
    return true;
  };
  return kind == protocol::RequestKind::past ? take(hub.past_window, past_window_) : take(hub.window, window_);
}

static RejectReason reason_of(const Error& error) noexcept {
  if (error.code == Errc::bad_signature) return RejectReason::bad_signature;
  if (error.code == Errc::wrong_key) return RejectReason::other_signer;
  return RejectReason::malformed;
}

RequestValidator::Checked RequestValidator::verify(Hub& hub, ByteView message) {
  ++counters_.verified;
  const auto request = protocol::decode_view_request(message, route_, hub.verifier);
  if (!request) return unexpected(reason_of(request.error()));
  if (hub.last && request->seq <= *hub.last) return unexpected(RejectReason::replayed);
  hub.last = request->seq;
  if (request->kind == protocol::RequestKind::past) return AcceptedRequest{.request = *request};
  if (!protocol::requests_pictures(request->kind)) return verify_privacy(hub, *request);
  return AcceptedRequest{.request = *request, .report_due = take_report(hub, request->kind)};
}

/// The first request in an epoch. While nothing moves, reports are also the only answers to requests of the kind
/// motion.
bool RequestValidator::take_report(Hub& hub, protocol::RequestKind kind) const noexcept {
  const MonotonicTime now = clock_.monotonic();
  const auto passed = [&](std::chrono::seconds time) { return hub.reported && now - *hub.reported >= time; };
  const bool again =
      (kind == protocol::RequestKind::motion && passed(report_interval)) || (past_listed_ && passed(past_interval));
  if (hub.reported && !again) return false;
  hub.reported = now;
  return true;
}

RequestValidator::Checked RequestValidator::verify_privacy(Hub& hub, const protocol::ViewRequest& request) {
  if (!hub.may_switch_privacy) return unexpected(RejectReason::not_allowed);
  AcceptedRequest accepted{.request = request, .report_due = false};
  if (request.kind == protocol::RequestKind::nonce) {
    std::array<std::byte, 8> random{};
    if (!crypto::random(random)) return unexpected(RejectReason::not_allowed);
    accepted.nonce = protocol::Nonce(load_be<std::uint64_t>(random) | 1U);  // never zero
    hub.nonce = accepted.nonce;
    hub.nonce_made = clock_.boot();
  }
  if (request.kind == protocol::RequestKind::privacy_off) {
    const bool quoted = hub.nonce != protocol::Nonce() && request.nonce == hub.nonce;
    if (!quoted || clock_.boot() - hub.nonce_made > nonce_lifetime) return unexpected(RejectReason::not_allowed);
    hub.nonce = {};
  }
  return accepted;
}

/// Checks one signature in ten seconds at most, so that such requests do not use up the rate of the current epoch.
void RequestValidator::note_later_epoch(const Hub& hub, const protocol::ViewRequest& claimed, ByteView message) {
  const auto counter = [](Epoch epoch) { return epoch.value() >> 32; };
  if (later_epoch_ || !epoch_ || counter(claimed.epoch) <= counter(*epoch_)) return;
  const MonotonicTime now = clock_.monotonic();
  if (later_epoch_checked_ && now - *later_epoch_checked_ < later_epoch_interval) return;
  later_epoch_checked_ = now;
  if (protocol::decode_view_request(message, route_, hub.verifier))
    later_epoch_ = LaterEpoch{hub.verifier.id(), claimed.epoch};
}

}  // namespace sealcam::stream
