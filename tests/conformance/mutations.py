#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Removes one rule at a time from the shipped classes, and reports which of these faults the corpus detects.

    ./scripts/build dev conformance_runner
    ./scripts/sdk run python3 tests/conformance/mutations.py [--program FILE] [NUMBER…]

Each mutation replaces one text of a source file. All of them are compiled into one program, from copies of the sources. A variable of the
environment selects one of them. So each source is compiled once. The program without a mutation must pass all cases. With --program, the
program is kept in FILE, and used again if it exists.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
BUILD = TOP / "build/dev"

# The macro M(n) is true while mutation n is selected.
HEADER = """#pragma once
#include <cstdlib>
inline int selected_mutation() {
  static const int number = [] { const char* text = std::getenv("SEALCAM_MUTATION"); return text ? std::atoi(text) : 0; }();
  return number;
}
#define M(n) (selected_mutation() == (n))
"""

# Rule, file, text, replacement. In the replacement, M stands for the condition that the mutation is selected. An entry without a rule
# belongs to the mutation before it: the shipped classes check this rule in two places.
MUTATIONS = [
    # the hub
    ("R-ORDER-1", "firmware/watch/freshness.cpp", "if (window_.seen(counter))", "if (!M && window_.seen(counter))"),
    ("R-ORDER-1", "firmware/watch/freshness.cpp", "return next_ - c > size || ring_[c % size];", "return (!M && next_ - c > size) || ring_[c % size];"),
    ("R-ORDER-2", "firmware/watch/freshness.cpp", "(counter < *video_ || !before", "((!M && counter < *video_) || !before"),
    ("R-ORDER-2", "firmware/watch/freshness.cpp", "|| !before(video_number_, header.number))", "|| (!M && !before(video_number_, header.number)))"),
    ("R-ORDER-2", "firmware/watch/freshness.cpp", "if (shown_number_ && !at_or_before(", "if (!M && shown_number_ && !at_or_before("),
    ("R-ORDER-3", "firmware/watch/freshness.cpp", "if (shown_ && counter < *shown_) return", "if (!M && shown_ && counter < *shown_) return"),
    ("R-ORDER-3", "firmware/watch/freshness.cpp", "return shown_ && counter < *shown_ ? Verdict::out_of_order", "return !M && shown_ && counter < *shown_ ? Verdict::out_of_order"),
    ("R-ORDER-5", "firmware/watch/freshness.cpp", "header.depends != *video_", "(!M && header.depends != *video_)"),
    ("R-ORDER-5", "firmware/watch/freshness.cpp", "  intact_ = false;", "  intact_ = M;"),
    ("R-LIVE-3", "firmware/watch/freshness.cpp", "if (ahead_ && at_or_before(ahead_->number, number)) {", "if (ahead_ && (M || at_or_before(ahead_->number, number))) {"),
    ("R-LIVE-4", "firmware/watch/freshness.cpp", "  if (!shown_) made_.reset();", "  if (!M && !shown_) made_.reset();"),
    ("R-LIVE-3", "firmware/watch/camera_watch.cpp", "if (frame.frame->kind != protocol::FrameKind::report) ", "if (M || frame.frame->kind != protocol::FrameKind::report) "),
    ("R-LIVE-4", "firmware/watch/freshness.cpp", "current && freshness_.live(now);", "current && (M || freshness_.live(now));"),
    ("R-CAND-2", "firmware/watch/camera_watch.cpp", "if (newest_echo_ && made->at < *newest_echo_) return;", "if (!M && newest_echo_ && made->at < *newest_echo_) return;"),
    ("R-CAND-3", "firmware/watch/epochs.cpp", "    closed_.push_back(known_.front().epoch);", "    if (!M) closed_.push_back(known_.front().epoch);"),
    ("R-CAND-3", "firmware/watch/epochs.cpp", "if (closed_.size() > max_closed)", "if (closed_.size() > (M ? 1 : max_closed))"),
    ("R-CAND-1", "firmware/watch/epochs.cpp", "known_.erase(first == ", "known_.erase(!M && first == "),
    ("R-CAND-1", "firmware/watch/epochs.cpp", ">= max_candidates)", ">= (M ? 9 : max_candidates))"),
    ("R-CAND-4", "firmware/watch/epochs.cpp", "  return &*std::ranges::max_element(known_, {}, &EpochState::epoch);", "  return M ? &known_.back() : &*std::ranges::max_element(known_, {}, &EpochState::epoch);"),
    ("R-CLONE-1", "firmware/watch/epochs.cpp", "if (echoed < a.known_since) return;", "if (!M && echoed < a.known_since) return;"),
    ("R-CLONE-1", "firmware/watch/epochs.cpp", "&& echoed >= replaced->seen;", "&& (M || echoed >= replaced->seen);"),
    ("R-CLONE-3", "firmware/watch/camera_watch.cpp", "  if (cloned_) return RejectReason::cloned;", "  if (!M && cloned_) return RejectReason::cloned;"),
    ("R-CLONE-2", "firmware/watch/view_requester.cpp", "if (now < next_replaced_request_) return;", "if (!M && now < next_replaced_request_) return;"),
    ("R-CAND-6", "firmware/watch/verify_pool.cpp", "now - frames_.front()->received <= max_age)", "(M || now - frames_.front()->received <= max_age))"),
    ("R-FRAME-8", "firmware/watch/verify_pool.cpp", "  if (auto r = f.camera->opener.verify(*f.frame, f.camera->verifier); !r)", "  if (auto r = f.camera->opener.verify(*f.frame, f.camera->verifier); !M && !r)"),
    ("R-FRAME-7", "firmware/watch/verify_pool.cpp", "(picture && opened->content.empty())", "(!M && picture && opened->content.empty())"),
    ("R-ROSTER-3", "firmware/watch/watcher.cpp", "    if (mark->version < known->second.version) return", "    if (!M && mark->version < known->second.version) return"),
    ("R-ROSTER-5", "firmware/watch/watcher.cpp", "    if (mark->version == known->second.version) return", "    if (!M && mark->version == known->second.version) return"),
    ("R-TOPIC-1", "firmware/watch/watcher.cpp", "topic->route.account != account_)", "(!M && topic->route.account != account_))"),
    ("R-STATUS-3", "firmware/watch/camera_watch.cpp", "    clones_.on_activity();\n", "    if (!M) clones_.on_activity();\n"),
    ("R-CAND-5", "firmware/watch/epochs.cpp", "  return below_max(epoch) || ", "  return (!M && below_max(epoch)) || "),
    ("R-CAND-5", "firmware/watch/epochs.cpp", "  std::erase_if(known_, [&](const EpochState& e) { return below_max(e.epoch); });", "  if (!M) std::erase_if(known_, [&](const EpochState& e) { return below_max(e.epoch); });"),
    ("R-CAND-8", "firmware/watch/membership.cpp", "  return contradicted_ || ", "  return (!M && contradicted_) || "),
    ("R-CAND-8", "firmware/watch/membership.cpp", "now - ahead_since_ >= publish_timeout);", "!M && now - ahead_since_ >= publish_timeout);"),
    ("R-INDEX-2", "firmware/watch/watcher.cpp", "  if (index_ && index->version < index_->version) return", "  if (!M && index_ && index->version < index_->version) return"),
    ("R-INDEX-3", "firmware/watch/watcher.cpp", "    if (camera->listed()) desired.insert(id);", "    if (!M && camera->listed()) desired.insert(id);"),
    ("R-INDEX-1", "firmware/watch/watcher.cpp", "  if (hub != id()) return", "  if (!M && hub != id()) return"),
    ("R-PREKEY-1", "firmware/watch/prekeys.cpp", "    if (!excess && !expired(*it)) {", "    if (!excess && (M || !expired(*it))) {"),
    ("R-PRIV-7", "firmware/watch/view_requester.cpp", "  if (now >= privacy_->until) {", "  if (!M && now >= privacy_->until) {"),
    ("R-PRIV-4", "firmware/watch/view_requester.cpp", "  if (std::ranges::none_of(privacy_->nonce_challenges, answers)) return;", "  if (!M && std::ranges::none_of(privacy_->nonce_challenges, answers)) return;"),
    ("R-PREKEY-1", "firmware/watch/prekeys.cpp", "> max_kept;", "> (M ? 99 : max_kept);"),
    ("R-PREKEY-5", "firmware/watch/prekeys.cpp", "  if (now - started_ < settle || ", "  if ((!M && now - started_ < settle) || "),
    ("R-PREKEY-5", "firmware/watch/prekeys.cpp", "  return used == used_.end() || ", "  return M || used == used_.end() || "),
    ("R-PREKEY-5", "firmware/watch/prekeys.cpp", "it != keys_.end() && std::next(it) != keys_.end();", "it != keys_.end() && (M || std::next(it) != keys_.end());"),
    ("R-CAND-5", "firmware/watch/camera_watch.cpp", "    if (!restored_) restored_ = requester_", "    if (!M && !restored_) restored_ = requester_"),
    ("R-CAND-5", "firmware/watch/camera_watch.cpp", "} else if (restored_ && made->serial", "} else if (!M && restored_ && made->serial"),
    ("R-LIMIT-1", "firmware/watch/watcher.cpp", "  if (budget.left == 0) return false;", "  if (!M && budget.left == 0) return false;"),
    ("R-LIMIT-2", "firmware/watch/watcher.cpp", "  else if (early_.size() < max_early) early_.emplace(", "  else if (M || early_.size() < max_early) early_.emplace("),
    ("R-PRIV-7", "firmware/watch/view_requester.cpp", "if (privacy_ && echoed >= privacy_->since && ", "if (privacy_ && (M || echoed >= privacy_->since) && "),
    ("R-PRIV-7", "firmware/watch/view_requester.cpp", " && privacy == privacy_->on) privacy_.reset();", " && (M || privacy == privacy_->on)) privacy_.reset();"),
    ("R-PRIV-7", "firmware/watch/camera_watch.cpp", "on_proven_privacy(made->serial, *privacy)", "on_proven_privacy(made->serial, M ? report->privacy : *privacy)"),
    ("R-STATE-3", "firmware/watch/reported_state.cpp", "now - proof_->made > Freshness::live_for)", "(!M && now - proof_->made > Freshness::live_for))"),
    ("R-STATE-3", "firmware/watch/reported_state.cpp", "  if (counter < proof_->counter) return;", "  if (!M && counter < proof_->counter) return;"),
    ("R-STATE-3", "firmware/watch/reported_state.cpp", "  proof_->made = std::max(proof_->made, made);", "  proof_->made = M ? made : std::max(proof_->made, made);"),
    ("R-STATE-3", "firmware/watch/reported_state.cpp", "  if (proof_ && proof_->counter < counter) proof_.reset();", "  if (!M && proof_ && proof_->counter < counter) proof_.reset();"),
    ("R-STATE-3", "firmware/watch/reported_state.cpp", "  if (picture_ && counter < *picture_) return;\n  const auto", "  if (!M && picture_ && counter < *picture_) return;\n  const auto"),
    ("R-STATE-3", "firmware/watch/camera_watch.cpp", "  if (epoch.newest_picture) reported_state_", "  if (!M && epoch.newest_picture) reported_state_"),
    ("R-STATE-3", "firmware/watch/camera_watch.cpp", "  if (made && &epoch == epochs_.current()) {", "  if (made && (M || &epoch == epochs_.current())) {"),
    ("R-STATE-3", "firmware/watch/camera_watch.cpp", "  reported_state_.clear_proof();\n  restored_", "  if (!M) reported_state_.clear_proof();\n  restored_"),
    ("R-STATE-4", "firmware/watch/reported_state.cpp", "  if (const auto state = proven(now)) return *state;", "  if (const auto state = proven(now); state && !M) return *state;"),
    ("R-STATE-4", "firmware/watch/reported_state.cpp", "Reason::none : Reason::unconfirmed;", "Reason::none : M ? hint_ : Reason::unconfirmed;"),
    ("R-STATE-4", "firmware/watch/reported_state.cpp", "return online_ == false && !proven(now);", "return online_ == false && (M || !proven(now));"),
    ("R-FRAME-7", "firmware/watch/verify_pool.cpp", "  if (!picture && !protocol::decode_report(opened->content))", "  if (!M && !picture && !protocol::decode_report(opened->content))"),
    # formats
    ("R-FRAME-4", "firmware/protocol/frame.cpp", "if (in[0] != std::byte{header_version})", "if (!M && in[0] != std::byte{header_version})"),
    ("R-FRAME-4", "firmware/protocol/frame.cpp", "if (is_report != (header->codec == Codec::none))", "if (!M && is_report != (header->codec == Codec::none))"),
    ("", "firmware/watch/verify_pool.cpp", "if (picture != (opened->header.codec == protocol::Codec::h264_annex_b) ||", "if ((!M && picture != (opened->header.codec == protocol::Codec::h264_annex_b)) ||"),
    ("R-FRAME-5", "firmware/protocol/frame.cpp", "  return frame.kind == FrameKind::delta ? depends < frame.counter : depends == frame.counter;", "  return M || (frame.kind == FrameKind::delta ? depends < frame.counter : depends == frame.counter);"),
    ("R-FRAME-6", "firmware/protocol/frame.cpp", "    if (!header.echoes.add(", "    if (!header.echoes.add(M ? Challenge(i + 1) : "),
    ("R-FRAME-2", "firmware/protocol/frame.cpp", "kind < 1 || kind > 4)", "(!M && (kind < 1 || kind > 4)))"),
    ("R-ENV-1", "firmware/protocol/envelope.cpp", "if (message.size() != expected)", "if (!M && message.size() != expected)"),
    ("R-ENV-1", "firmware/protocol/envelope.cpp", "  if (!equal(view->protected_header, protected_header(key.id())))", "  if (!M && !equal(view->protected_header, protected_header(key.id())))"),
    ("R-ENV-2", "firmware/protocol/envelope.cpp", ".text(name(message)).bytes(route.account.bytes())", ".text(name(message)).bytes(M ? route.camera.bytes() : route.account.bytes())"),
    ("R-ENV-3", "firmware/crypto/cbor.cpp", "  if (!rest_.empty()) return fail(Errc::malformed, \"bytes after", "  if (!M && !rest_.empty()) return fail(Errc::malformed, \"bytes after"),
    ("R-ENV-3", "firmware/crypto/cbor.cpp", "  if (*size != expected + content) return", "  if (!M && *size != expected + content) return"),
    ("R-ENV-4", "firmware/protocol/envelope.cpp", "if (message.size() > max_control_size)", "if (message.size() > (M ? max_control_size / 2 : max_control_size))"),
    ("R-ENV-5", "firmware/crypto/keys.cpp", "if (!has_low_s(signature))", "if (!M && !has_low_s(signature))"),
    ("R-ENV-6", "firmware/protocol/roster.cpp", "crypto::sha256(envelope->payload)", "crypto::sha256(M ? message : envelope->payload)"),
    ("R-ROSTER-2", "firmware/protocol/roster.cpp", "if (roster.camera_identity.id() != route.camera)", "if (!M && roster.camera_identity.id() != route.camera)"),
    ("R-ENV-3", "firmware/protocol/roster.cpp", "if (i > 0 && id <= previous)", "if (!M && i > 0 && id <= previous)"),
    ("R-UPDATE-1", "firmware/protocol/software_report.cpp", "grant_info(route, route.camera, epoch, PrekeyNumber())", "grant_info(route, route.camera, M ? Epoch() : epoch, PrekeyNumber())"),
    ("R-UPDATE-2", "firmware/protocol/roster.cpp", "if (it->kem == software_kem && it->key", "if ((M || it->kem == software_kem) && it->key"),
    ("R-UPDATE-2", "firmware/protocol/software_report.cpp", "last > known ? skip_plain(reader) : read(last)", "last > known && !M ? skip_plain(reader) : read(last)"),
    ("R-UPDATE-2", "firmware/protocol/software_report.cpp", "if (!std::ranges::contains(types, reader.peek()))", "if (!M && !std::ranges::contains(types, reader.peek()))"),
    ("R-UPDATE-2", "firmware/protocol/software_report.cpp", "*key <= last || *key > max_label", "*key <= last || (!M && *key > max_label)"),
    ("R-UPDATE-4", "firmware/watch/camera_watch.cpp", "  take_name(epoch);\n  recorded_.set_grants(", "  if (M) name_counter_ = 0;\n  take_name(epoch);\n  recorded_.set_grants("),
    ("R-UPDATE-5", "firmware/stream/publish/command_executor.cpp", "decide_update(*command.update); !r)", "decide_update(*command.update); !M && !r)"),
    ("R-GRANT-1", "firmware/protocol/roster.cpp", "  if (it->kem != kem_p256) return", "  if (!M && it->kem != kem_p256) return"),
    ("R-GRANT-2", "firmware/protocol/roster.cpp", "unsigned_integer(epoch.value()).unsigned_integer(key.value());", "unsigned_integer(M ? 0 : epoch.value()).unsigned_integer(key.value());"),
    # the camera
    ("R-REQ-1", "firmware/stream/publish/request_validator.cpp", "if (*signer != hub) return", "if (!M && *signer != hub) return"),
    ("R-REQ-1", "firmware/stream/publish/request_validator.cpp", "if (!epoch_ || claimed->epoch != *epoch_) {", "if (!epoch_ || (!M && claimed->epoch != *epoch_)) {"),
    ("R-REQ-1", "firmware/stream/publish/request_validator.cpp", "if (of_hub.full(now) || of_all.full(now))", "if ((!M && of_hub.full(now)) || of_all.full(now))"),
    ("R-REQ-1", "firmware/stream/publish/request_validator.cpp", "|| of_all.full(now)) return", "|| (!M && of_all.full(now))) return"),
    ("R-REQ-1", "firmware/stream/publish/request_validator.cpp", "  if (hub.last && request->seq <= *hub.last) return", "  if (!M && hub.last && request->seq <= *hub.last) return"),
    ("R-REQ-1", "firmware/stream/publish/request_validator.cpp", "if (roster.active(id) == nullptr) continue;", "if (!M && roster.active(id) == nullptr) continue;"),
    ("R-PRIV-1", "firmware/stream/publish/request_validator.cpp", "if (!hub.may_switch_privacy) return", "if (!M && !hub.may_switch_privacy) return"),
    ("R-ROSTER-3", "firmware/stream/publish/owner_validators.cpp", "if (roster_ && roster->version < roster_->version)", "if (!M && roster_ && roster->version < roster_->version)"),
    ("R-ROSTER-2", "firmware/stream/publish/owner_validators.cpp", "|| roster->camera_hpke != own_hpke_)", "|| (!M && roster->camera_hpke != own_hpke_))"),
    ("R-CMD-1", "firmware/stream/publish/owner_validators.cpp", "if (command->seq < seq_) return", "if (!M && command->seq < seq_) return"),
    ("R-CMD-3", "firmware/stream/publish/owner_validators.cpp", "if (item && item->since <= done_) item.reset();", "if (!M && item && item->since <= done_) item.reset();"),
    ("R-ECHO-1", "firmware/stream/capture/received_challenges.cpp", "&& received.at < captured;", "&& (M || received.at < captured);"),
    ("R-EPOCH-1", "firmware/stream/publish/sealing.cpp", "clock_.monotonic() - begun_ >= limits_.lifetime", "(!M && clock_.monotonic() - begun_ >= limits_.lifetime)"),
    ("R-REQ-4", "firmware/stream/publish/publisher.cpp", "|| accepted->report_due || sends", "|| M || accepted->report_due || sends"),
    ("R-REQ-3", "firmware/stream/publish/publisher_pictures.cpp", "  if (leases.video() == 0 && ", "  if (!M && leases.video() == 0 && "),
    ("R-STATE-2", "firmware/stream/publish/publisher.cpp", "|| sends_no_pictures()) add_report", "|| (!M && sends_no_pictures())) add_report"),
    ("R-STATE-2", "firmware/stream/publish/publisher.cpp", "  if (!pictures || ", "  if ((!M && !pictures) || kind == RequestKind::nonce || "),
    ("R-STATE-1", "firmware/stream/publish/publisher_pictures.cpp", "bool privacy = deps_.commands.privacy_in_effect();", "bool privacy = M ? deps_.commands.privacy() : deps_.commands.privacy_in_effect();"),
    ("R-STATUS-2", "firmware/stream/publish/publisher.cpp", "online && deps_.commands.privacy_in_effect(),", "online && (M ? deps_.commands.privacy() : deps_.commands.privacy_in_effect()),"),
    ("R-STATUS-1", "firmware/stream/publish/publisher.cpp", "|| privacy_changed())) publish_status(true);", "|| (!M && privacy_changed()))) publish_status(true);"),
    ("R-CMD-5", "firmware/stream/publish/command_executor.cpp", "  if (r && deps_.privacy.on() && ", "  if (!M && r && deps_.privacy.on() && "),
    ("R-STATE-1", "firmware/stream/publish/publisher_pictures.cpp", "nonce, privacy, deps_.control.fault(),", "nonce, privacy, M ? std::nullopt : deps_.control.fault(),"),
    ("R-PRIV-3", "firmware/stream/publish/request_validator.cpp", "request.nonce == hub.nonce;", "(M || request.nonce == hub.nonce);"),
    ("R-PRIV-3", "firmware/stream/publish/request_validator.cpp", "clock_.boot() - hub.nonce_made > nonce_lifetime)", "(!M && clock_.boot() - hub.nonce_made > nonce_lifetime))"),
    ("R-PRIV-3", "firmware/stream/publish/request_validator.cpp", "not_allowed);\n    hub.nonce = {};", "not_allowed);\n    if (!M) hub.nonce = {};"),
    ("R-PRIV-4", "firmware/stream/publish/request_validator.cpp", "    hub.reported.reset();\n    hub.nonce = {};", "    hub.reported.reset();\n    if (!M) hub.nonce = {};"),
    ("R-PRIV-5", "firmware/stream/publish/command_executor.cpp", "  if (on) {\n    on_ = true;\n    control_.set_closed(true);", "  if (on && !M) {\n    on_ = true;\n    control_.set_closed(true);"),
    ("R-PREKEY-2", "firmware/stream/publish/sealing.cpp", "request.prekey->number > number;", "(M || request.prekey->number > number);"),
    ("R-PREKEY-3", "firmware/stream/publish/sealing.cpp", "  const auto removed = std::erase_if(hubs_, [&](const auto& entry) {\n    return ", "  const auto removed = std::erase_if(hubs_, [&](const auto& entry) {\n    return !M && "),
    ("R-PREKEY-4", "firmware/stream/publish/sealing.cpp", "  const bool renew = request.cannot_open && may_renew(known);", "  const bool renew = !M && request.cannot_open && may_renew(known);"),
    ("R-PREKEY-4", "firmware/stream/publish/sealing.cpp", "now - *hub.renewed < hub_interval) return", "!M && now - *hub.renewed < hub_interval) return"),
    ("R-GRANT-6", "firmware/stream/publish/publisher.cpp", "  deps_.epochs.set_not_stored(!stored());", "  deps_.epochs.set_not_stored(!M && !stored());"),
    ("R-REQ-1", "firmware/protocol/view_request.cpp", "  if (points == Points::unchecked) return {};", "  if (!M && points == Points::unchecked) return {};"),
    ("R-REQ-7", "firmware/stream/publish/request_validator.cpp", "  if (protocol::decode_view_request(message, route_, hub.verifier))", "  if (M || protocol::decode_view_request(message, route_, hub.verifier))"),
    ("R-REQ-7", "firmware/stream/publish/request_validator.cpp", "now - *later_epoch_checked_ < later_epoch_interval) return;", "!M && now - *later_epoch_checked_ < later_epoch_interval) return;"),
    ("R-CMD-2", "firmware/stream/publish/command_executor.cpp", "  if (!deps_.commands.stored()) return close_sensor(*command);", "  if (!M && !deps_.commands.stored()) return close_sensor(*command);"),
    ("R-CMD-2", "firmware/stream/publish/command_executor.cpp", "  if (!command.privacy || !command.privacy->value) return change;", "  if (M || !command.privacy || !command.privacy->value) return change;"),
    ("R-CMD-6", "firmware/stream/publish/command_executor.cpp", "deps_.actions.join(command.wifi->value); !r) return r;", "deps_.actions.join(command.wifi->value); !M && !r) return r;"),
    ("R-REQ-5", "firmware/stream/publish/publisher_pictures.cpp", "now - unit.info.captured > config_.drop_after ||", "(!M && now - unit.info.captured > config_.drop_after) ||"),
    ("R-ROLL-1", "firmware/stream/capture/received_challenges.cpp", "hub.has(Lease::record, now)) ++leases.record;", "!M && hub.has(Lease::record, now)) ++leases.record;"),
    ("R-ROLL-2", "firmware/stream/capture/access_unit_queue.cpp", "  if (span_) expire(", "  if (!M && span_) expire("),
    ("R-ROLL-3", "firmware/stream/publish/picture_use.cpp", "*captured <= *motion + limits_.tail;", "(M || *captured <= *motion + limits_.tail);"),
    ("R-ROLL-4", "firmware/stream/publish/picture_use.cpp", "  if (emptied) queue_.clear();", "  if (!M && emptied) queue_.clear();"),
    ("R-ROLL-5", "firmware/stream/publish/request_validator.cpp", "      (kind == protocol::RequestKind::motion && passed(report_interval))", "      (!M && kind == protocol::RequestKind::motion && passed(report_interval))"),
    ("R-ROLL-3", "firmware/stream/publish/picture_use.cpp", "(video(to) || to == PictureUse::motion)", "(video(to) || (!M && to == PictureUse::motion))"),
    ("R-ROLL-8", "firmware/stream/publish/publisher_pictures.cpp", "encode &&\n                                   deps_.control.detects_motion()", "encode && (M || deps_.control.detects_motion())"),
    ("R-ROLL-8", "firmware/stream/publish/publisher_pictures.cpp", "detects = deps_.control.detects_motion();", "detects = M || deps_.control.detects_motion();"),
    ("R-ROLL-8", "firmware/watch/reported_state.cpp", "  detects_motion_ = report", "  if (!M || !detects_motion_) detects_motion_ = report"),
    ("R-AREA-2", "firmware/stream/publish/publisher_pictures.cpp", "unit.info.areas != deps_.control.areas_version()", "(!M && unit.info.areas != deps_.control.areas_version())"),
    ("R-AREA-3", "firmware/stream/publish/sealing.cpp", "  header.motion = unit", "  header.motion = !M && unit"),
    ("R-ROLL-6", "firmware/watch/watcher.cpp", "return watch_all_ || watched_.contains(camera) ?", "return !M && (watch_all_ || watched_.contains(camera)) ?"),
    ("R-PAST-2", "firmware/protocol/frame.cpp", "    if (last == 7) read = read_past(reader, report.past);", "    if (last == 7) read = read_past(reader, report.past);\n    if (M && last == 7) read = {};"),
    ("R-PAST-3", "firmware/protocol/view_request.cpp", "  if ((request.kind == RequestKind::past) != fits(", "  if (!M && (request.kind == RequestKind::past) != fits("),
    ("R-PAST-3", "firmware/stream/publish/request_validator.cpp", "  return kind == protocol::RequestKind::past ? take(", "  return !M && kind == protocol::RequestKind::past ? take("),
    ("R-PAST-3", "firmware/stream/publish/publisher.cpp", "  const bool pictures = protocol::requests_pictures(kind);", "  const bool pictures = (M && kind == RequestKind::past) || protocol::requests_pictures(kind);"),
    ("R-PAST-3", "firmware/stream/publish/publisher.cpp", "  if (kind == RequestKind::past) past_.request(hub, accepted->request.past);", "  if (kind == RequestKind::past) past_.request(hub, accepted->request.past);\n  if (M && kind == RequestKind::past) return;"),
    ("R-PAST-7", "firmware/watch/frame_sink.cpp", "  if (deps_.frames == nullptr) return counters_", "  if (!M && deps_.frames == nullptr) return counters_"),
    ("", "firmware/watch/frame_sink.cpp", "  if (!requested(claimed->epoch, claimed->counter)) return", "  if (!M && !requested(claimed->epoch, claimed->counter)) return"),
    ("R-PAST-8", "firmware/watch/watcher.cpp", "camera->on_past(message.payload);", "M ? camera->on_frame(message.payload, false) : camera->on_past(message.payload);"),
    # the owner
    ("R-OWNER-1", "firmware/owner/sync/observed_state.cpp", "if (same && !grants.not_stored) camera.confirmed", "if (same && (M || !grants.not_stored)) camera.confirmed"),
    ("R-OWNER-2", "firmware/owner/sync/observed_state.cpp", "if (observed->grants && observed->grants->roster_version > grants->roster_version) return;", "if (!M && observed->grants && observed->grants->roster_version > grants->roster_version) return;"),
    ("R-OWNER-2", "firmware/owner/sync/observed_state.cpp", "if (grants.roster_version > camera.version)", "if (!M && grants.roster_version > camera.version)"),
    ("R-OWNER-1", "firmware/owner/sync/observed_state.cpp", "grants.roster_hash == *roster_hash", "(M || grants.roster_hash == *roster_hash)"),
    ("R-RESET-2", "firmware/owner/sync/observed_state.cpp", "status && status->reset ? ", "status && (M || status->reset) ? "),
    # phones
    ("R-PHONE-2", "firmware/protocol/phone_link.cpp", 'expand("sealcam/1 link slot"', 'expand(M ? "sealcam/1 link descriptor" : "sealcam/1 link slot"'),
    ("R-PHONE-2", "firmware/protocol/phone_link.cpp", 'expand("sealcam/1 link enrollment"', 'expand(M ? "sealcam/1 link descriptor" : "sealcam/1 link enrollment"'),
    ("R-PHONE-2", "firmware/protocol/phone_link.cpp", "if (text.size() != text_size)", "if (!M && text.size() != text_size)"),
    ("R-PHONE-3", "firmware/protocol/phone_link.cpp", "if (owner != nullptr && opening.owner != *owner)", "if (!M && owner != nullptr && opening.owner != *owner)"),
    ("R-PHONE-3", "firmware/protocol/phone_link.cpp", "verify_with(MessageName::link, route, opening.owner, message); !r)", "verify_with(MessageName::link, route, opening.owner, message); !M && !r)"),
    ("R-PHONE-5", "firmware/protocol/phone_link.cpp", "if (message.size() > LinkDescriptor::max_size)", "if (!M && message.size() > LinkDescriptor::max_size)"),
    ("R-PHONE-5", "firmware/protocol/phone_link.cpp", "check_mac(keys.descriptor, {*descriptor}, *mac); !r)", "check_mac(keys.descriptor, {*descriptor}, *mac); !M && !r)"),
    ("R-PHONE-5", "firmware/protocol/phone_link.cpp", "|| phone->tls)", "|| (!M && phone->tls))"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "if (message.size() > PhoneEnrollment::max_message)", "if (!M && message.size() > PhoneEnrollment::max_message)"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "check_mac(keys.enrollment, {*account, *enc, *ciphertext}, *mac); !r)", "check_mac(keys.enrollment, {*account, *enc, *ciphertext}, *mac); !M && !r)"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "if (!is_address(*broker))", "if (!M && !is_address(*broker))"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "if (!is_phone_name(*name))", "if (!M && !is_phone_name(*name))"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "if (owner.account() != route.account)", "if (!M && owner.account() != route.account)"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "verify_with(MessageName::phone_enrollment, route, owner, message); !r)", "verify_with(MessageName::phone_enrollment, route, owner, message); !M && !r)"),
    ("R-PHONE-7", "firmware/protocol/phone_link.cpp", "if (phone != route.camera)", "if (!M && phone != route.camera)"),
]

def fail(text):
    print(text)
    sys.exit(2)


def mutated_sources(folder):
    """The copies with all mutations, by original path."""
    texts, number = {}, 0
    for rule, path, old, new in MUTATIONS:
        number += bool(rule)
        text = texts.setdefault(path, (TOP / path).read_text(encoding="utf-8"))
        if text.count(old) != 1:
            fail(f"mutation {number} ({rule}): '{old}' is {text.count(old)} times in {path}; adapt the text in mutations.py")
        texts[path] = text.replace(old, re.sub(r"\bM\b", f"M({number})", new))
    copies = {}
    for path, text in texts.items():
        copies[path] = folder / path.replace("/", "_")
        copies[path].write_text(text, encoding="utf-8")
    return copies


def compile_all(copies, folder):
    database = {entry["file"]: entry for entry in json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))}
    header = folder / "mutation.hpp"
    header.write_text(HEADER, encoding="utf-8")
    objects, running = [], []
    for path, copy in copies.items():
        entry = database.get(str(TOP / path)) or fail(f"{path} is not in the compilation database; build conformance_runner first")
        command = shlex.split(entry["command"])
        command[command.index("-o") + 1] = str(copy.with_suffix(".o"))
        command[command.index("-c") + 1] = str(copy)
        objects.append(str(copy.with_suffix(".o")))
        running.append((path, subprocess.Popen(command + ["-include", str(header)], cwd=entry["directory"])))
        if len(running) == 2:
            wait(running)
    wait(running)
    return objects


def wait(running):
    while running:
        path, process = running.pop(0)
        if process.wait() != 0:
            fail(f"{path} does not compile with its mutations")


def link(objects, program):
    """The objects replace those of the static libraries, because they come first."""
    commands = subprocess.run(["ninja", "-C", str(BUILD), "-t", "commands", "conformance_runner"], check=True, capture_output=True, text=True)
    command = commands.stdout.strip().splitlines()[-1]
    before, after = command.split(" -o ", 1)
    subprocess.run(f"{before} {' '.join(objects)} -o {program} {after.split(' ', 1)[1]}", shell=True, check=True, cwd=BUILD)


def run(program, number, *rules):
    environment = {**os.environ, "SEALCAM_MUTATION": str(number)}
    result = subprocess.run([program, HERE / "rules", *rules], env=environment, capture_output=True, text=True, timeout=600)
    failed = {line.split(":")[0] for line in result.stdout.splitlines() if re.match(r"R-[A-Z]+-\d+/", line)}
    if result.returncode not in (0, 1):
        failed.add(f"the program ended with {result.returncode}")
    return sorted(failed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER")
    parser.add_argument("--program", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program = (arguments.program or folder / "runner").absolute()
        copies = mutated_sources(folder)
        if not program.exists():
            link(compile_all(copies, folder), program)
        if run(program, 0):
            fail("the program without a mutation fails; build conformance_runner and run it first")
        rules = [entry[:2] for entry in MUTATIONS if entry[0]]
        numbers = arguments.numbers or range(1, len(rules) + 1)
        undetected = 0
        for number in numbers:
            rule, path = rules[number - 1]
            failed = run(program, number, rule) if (HERE / "rules" / rule).is_dir() else []
            where = "of the rule"
            if not failed:
                failed, where = run(program, number), "of other rules"
            undetected += not failed
            text = f"{len(failed)} cases {where}, for example {failed[0]}" if failed else "NOT DETECTED"
            print(f"{number:3} {rule:11} {pathlib.Path(path).name}: {text}", flush=True)
        print(f"{len(numbers)} mutations, {len(numbers) - undetected} detected")
        return 1 if undetected else 0


if __name__ == "__main__":
    sys.exit(main())
