// SPDX-License-Identifier: Apache-2.0
/// Checks what a camera publishes. It reads messages only, and opens them as the hubs do.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "protocol/frame.hpp"
#include "protocol/status.hpp"
#include "support/actors.hpp"
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::fuzz {

using protocol::Leaf;
using test::must;

class CameraJudge {
 public:
  /// All arguments must outlive it. The keys of the prekeys are those of the hubs.
  CameraJudge(const protocol::Route& route, const test::Actor& camera, std::vector<const test::Actor*> hubs)
      : route_(route), verifier_(camera.verifier()), hubs_(std::move(hubs)) {}

  /// The roster that the camera follows. Older ones may be in use only after a restart.
  void follows(const protocol::Roster* roster) { roster_ = roster == nullptr ? std::nullopt : std::optional(*roster); }
  void delivered(protocol::Challenge challenge) { challenges_.insert(challenge); }
  void restarted() { current_.reset(); }
  /// Frames that the camera seals now and does not publish have counters, too.
  void disconnected() { may_miss_ = true; }
  /// The sensor is closed, and that is stored: no kept frame of an earlier picture may leave the camera any more.
  void closed_before(FrameNumber picture) { first_allowed_ = picture; }

  /// A publication, and whether the sensor is closed at that moment.
  void check(const transport::Publication& p, bool closed) {
    const auto topic = must(protocol::parse_topic(p.topic));
    SC_ASSERT(topic.route == route_);
    switch (topic.leaf) {
      case Leaf::grants: return check_grants(p.payload);
      case Leaf::video:
      case Leaf::still: return check_frame(p.payload, closed);
      case Leaf::past: return check_past(p.payload, closed);
      case Leaf::status: {
        const auto status = must(protocol::decode_status(p.payload, route_, verifier_));
        return SC_ASSERT(!status.online || status.privacy == closed);
      }
      default: SC_ASSERT(false);
    }
  }
  /// The nonce of the newest report, and the epoch of it. Zero if there was none.
  [[nodiscard]] protocol::Nonce nonce() const noexcept { return nonce_; }

 private:
  struct Open {
    protocol::Epoch epoch;
    crypto::sframe::OpeningKey key;
    std::uint64_t next = 0;
  };

  // An epoch number is never used again, and its grants are for the active hubs of the roster alone.
  void check_grants(ByteView message) {
    const auto grants = must(protocol::decode_grants(message, route_, verifier_));
    const bool again = current_ && current_->epoch == grants.epoch;
    SC_ASSERT(again || (grants.epoch.value() >> 32) > newest_counter_);
    newest_counter_ = grants.epoch.value() >> 32;
    SC_ASSERT(roster_ && grants.roster_version == roster_->version);
    if (again) return;
    current_.reset();
    for (const auto* hub : hubs_) {
      const auto content =
          protocol::open_grant(grants, route_, hub->id(), [&](protocol::PrekeyNumber) { return &hub->keys().hpke; });
      SC_ASSERT(content.has_value() == (roster_->active(hub->id()) != nullptr));
      if (content && !current_)
        current_ =
            Open{grants.epoch, must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content->base_key))};
      if (content) keep_key(grants, *content);
    }
    if (!current_)
      current_ = Open{grants.epoch, must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, {}))};
    opens_ = std::ranges::any_of(hubs_, [&](const auto* hub) { return roster_->active(hub->id()) != nullptr; });
  }

  // A frame belongs to the newest grants, its counter has no gap without an outage, and there is no picture while the
  // sensor is closed.
  void check_frame(ByteView message, bool closed) {
    const auto frame = must(protocol::parse_frame(message));
    const protocol::FrameOpener opener(route_);
    must(opener.verify(frame, verifier_));
    const auto counter = frame.counter.value();
    SC_ASSERT(current_ && frame.epoch == current_->epoch && counter >= current_->next);
    SC_ASSERT(std::exchange(may_miss_, false) || counter == current_->next);
    current_->next = counter + 1;
    SC_ASSERT(frame.kind == protocol::FrameKind::report || !closed);
    SC_ASSERT(opens_);  // without an active hub nothing requests frames
    Bytes out(frame.sealed.size());
    const auto opened = must(opener.open(out, frame, current_->key));
    for (const auto challenge : opened.header.echoes) SC_ASSERT(challenges_.contains(challenge));
    if (frame.kind != protocol::FrameKind::report) return;
    const auto report = must(protocol::decode_report(opened.content));
    SC_ASSERT(report.roster_version == roster_->version);
    SC_ASSERT(report.privacy == closed);
    if (report.nonce) nonce_ = *report.nonce;
  }

  void keep_key(const protocol::Grants& grants, const protocol::GrantContent& content) {
    keys_.insert_or_assign(grants.epoch,
                           must(crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, content.base_key)));
  }

  // Kept grants are for active hubs alone. Kept frames are of the camera, have no picture from before privacy, and do
  // not leave the camera while the sensor is closed.
  void check_past(ByteView message, bool closed) {
    SC_ASSERT(!closed && roster_);
    const auto frame = protocol::parse_frame(message);
    if (!frame) {
      const auto grants = must(protocol::decode_grants(message, route_, verifier_));
      for (const auto& grant : grants.grants) SC_ASSERT(roster_->active(grant.hub) != nullptr);
      for (const auto* hub : hubs_)
        if (const auto content = protocol::open_grant(grants, route_, hub->id(),
                                                      [&](protocol::PrekeyNumber) { return &hub->keys().hpke; }))
          keep_key(grants, *content);
      return;
    }
    const protocol::FrameOpener opener(route_);
    must(opener.verify(*frame, verifier_));
    const auto key = keys_.find(frame->epoch);
    SC_ASSERT(key != keys_.end());
    Bytes out(frame->sealed.size());
    const auto opened = must(opener.open(out, *frame, key->second));
    if (frame->kind != protocol::FrameKind::report) SC_ASSERT(opened.header.number.value() >= first_allowed_.value());
  }

  const protocol::Route& route_;
  crypto::Verifier verifier_;
  std::vector<const test::Actor*> hubs_;
  std::optional<protocol::Roster> roster_;
  std::optional<Open> current_;
  std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys_;  ///< of all epochs whose grants were published
  FrameNumber first_allowed_;
  bool opens_ = false, may_miss_ = false;
  std::uint64_t newest_counter_ = 0;
  std::set<protocol::Challenge> challenges_;
  protocol::Nonce nonce_;
};

}  // namespace sealcam::fuzz
