// SPDX-License-Identifier: Apache-2.0
#include "watch/watcher.hpp"

#include <algorithm>

#include "core/log.hpp"
#include "crypto/cose.hpp"

namespace sealcam::watch {
namespace {

using protocol::Leaf;

/// Verifying a control message costs the network thread a millisecond; nobody needs more of them than this.
constexpr std::uint32_t budget_burst = 20;
constexpr std::chrono::milliseconds budget_interval{100};
constexpr std::uint32_t roster_burst = 256;

}  // namespace

Result<std::unique_ptr<Watcher>> Watcher::create(const crypto::PublicKey& owner, const crypto::DeviceKeys& keys,
                                                 const WatcherSeams& seams) {
  auto verifier = crypto::Verifier::open(owner);
  if (!verifier) return std::unexpected(verifier.error());
  auto watcher = std::unique_ptr<Watcher>(new Watcher(std::move(*verifier), keys, seams));
  if (auto r = watcher->load_rosters(); !r) return std::unexpected(r.error());
  return watcher;
}

Result<> Watcher::load_rosters() {
  auto stored = seams_.rosters.load();
  if (!stored) return std::unexpected(stored.error());
  if (stored->size() > max_cameras) return fail(Errc::malformed, "too many stored rosters");
  for (const auto& [camera, message] : *stored) {
    const protocol::Route route{account_, camera};
    const auto roster = protocol::decode_roster(message, route, owner_);
    if (!roster) return std::unexpected(roster.error());
    const auto mark = mark_of(*roster, message);
    if (!mark) return std::unexpected(mark.error());
    adopt(route, *roster, *mark);
  }
  return {};
}

Result<Watcher::RosterMark> Watcher::mark_of(const protocol::Roster& roster, ByteView message) {
  const auto parts = crypto::cose::parse_sign1(message);
  if (!parts) return std::unexpected(parts.error());
  const auto digest = crypto::sha256(parts->payload);
  if (!digest) return std::unexpected(digest.error());
  return RosterMark{roster.version, *digest};
}

Watcher::Watcher(crypto::Verifier owner, const crypto::DeviceKeys& keys, const WatcherSeams& seams)
    : seams_(seams),
      owner_(std::move(owner)),
      account_(owner_.key().account()),
      sequence_(seams.sequence),
      context_{keys, nullptr, seams.checker, sequence_, seams.clock, seams.log, seams.sink, cache_} {}

void Watcher::start(transport::MqttClient& client) {
  context_.client = &client;
  // In the order in which a broker should deliver what it retained: who, which key, then pictures.
  for (const auto leaf : {Leaf::roster, Leaf::status, Leaf::grants})
    client.subscribe(protocol::account_filter(account_, leaf), transport::Qos::at_least_once);
  for (const auto leaf : {Leaf::still, Leaf::video})
    client.subscribe(protocol::account_filter(account_, leaf), transport::Qos::at_most_once);
}

void Watcher::on_connected() {
  connected_ = true;
  for (auto& [id, camera] : cameras_) camera->on_connected();
}

void Watcher::on_disconnected(const Error& why) {
  connected_ = false;
  seams_.log.debug("no connection to the broker: {}", to_string(why));
}

void Watcher::on_message(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || topic->route.account != account_) return refused_.add(Refusal::not_member);
  switch (topic->leaf) {
    case Leaf::roster: on_roster(topic->route, message.payload); break;
    case Leaf::grants:
    case Leaf::status: on_control(*topic, message.payload); break;
    case Leaf::video:
    case Leaf::still:
      if (auto* camera = find(topic->route.camera)) camera->on_frame(message.payload, message.retained);
      else if (!message.payload.empty()) refused_.add(Refusal::not_member);
      break;
    case Leaf::command:
    case Leaf::ask: refused_control_.add(Refusal::malformed); break;
  }
  seams_.checker.drain();
}

void Watcher::on_roster(const protocol::Route& route, ByteView message) {
  if (message.empty()) return;
  if (!budget({route, Leaf::roster, {}})) return overloaded(route);
  const auto roster = protocol::decode_roster(message, route, owner_);
  if (!roster) return refuse_roster(route, to_refusal(roster.error()));
  const auto mark = mark_of(*roster, message);
  if (!mark) return refuse_roster(route, Refusal::malformed);
  if (const auto known = marks_.find(route.camera); known != marks_.end()) {
    if (mark->version < known->second.version) return refuse_roster(route, Refusal::out_of_order);
    if (*mark == known->second) return;
    if (mark->version == known->second.version) return find_or_make(route).on_roster_conflict();
  } else if (cameras_.size() >= max_cameras) {
    return seams_.log.error("more than {} cameras: one is left out", max_cameras);
  }
  if (auto r = seams_.rosters.save(route.camera, message); !r)
    return seams_.log.error("roster not obeyed, since it cannot be stored: {}", to_string(r.error()));
  adopt(route, *roster, *mark);
}

void Watcher::adopt(const protocol::Route& route, const protocol::Roster& roster, const RosterMark& mark) {
  auto& camera = find_or_make(route);
  if (auto r = camera.on_roster(roster); !r) return refuse_roster(route, to_refusal(r.error()));
  marks_.insert_or_assign(route.camera, mark);
  if (!camera.member()) return;
  for (const auto leaf : {Leaf::status, Leaf::grants}) {
    auto early = early_.extract({route.camera, leaf});
    if (early.empty()) continue;
    if (leaf == Leaf::status) camera.on_status(early.mapped());
    else camera.on_grants(early.mapped());
  }
}

void Watcher::on_control(const protocol::Topic& topic, ByteView message) {
  if (message.empty()) return;
  if (!budget(topic)) return overloaded(topic.route);
  auto* camera = find(topic.route.camera);
  if (camera == nullptr || !camera->member()) return keep_early(topic, message);
  if (topic.leaf == Leaf::grants) camera->on_grants(message);
  else camera->on_status(message);
}

// Retained messages may come in any order. Nothing of these is believed before the roster names the camera's key.
void Watcher::keep_early(const protocol::Topic& topic, ByteView message) {
  const std::pair key{topic.route.camera, topic.leaf};
  if (message.size() > protocol::max_control_size) return refused_control_.add(Refusal::malformed);
  const auto before = early_.find(key);
  if (before != early_.end() && equal(before->second, message)) return;
  if (before != early_.end() || early_.size() >= max_early) refused_control_.add(Refusal::not_member);
  if (before != early_.end()) before->second.assign(message.begin(), message.end());
  else if (early_.size() < max_early) early_.emplace(key, Bytes(message.begin(), message.end()));
}

bool Watcher::budget(const protocol::Topic& topic) {
  const bool roster = topic.leaf == Leaf::roster;
  if (!roster && !cameras_.contains(topic.route.camera)) return true;  // costs nothing yet
  auto& budget = roster ? rosters_budget_ : control_budgets_[topic.route.camera];
  const auto now = seams_.clock.monotonic();
  const auto burst = roster ? roster_burst : budget_burst;
  const auto gained = (now - budget.filled) / budget_interval;
  if (gained > 0) {
    budget.left = static_cast<std::uint32_t>(std::min<std::int64_t>(burst, budget.left + gained));
    budget.filled = now;
  }
  if (budget.left == 0) return false;
  --budget.left;
  return true;
}

void Watcher::overloaded(const protocol::Route& route) {
  if (auto* camera = find(route.camera)) camera->count_overload();
}

void Watcher::refuse_roster(const protocol::Route& route, Refusal refusal) {
  if (auto* camera = find(route.camera)) camera->refuse_control(refusal);
  else refused_control_.add(refusal);
}

void Watcher::tick() {
  for (auto& [id, camera] : cameras_) camera->tick();
  seams_.checker.drain();
}

void Watcher::want(bool all, std::set<DeviceId> cameras) {
  want_all_ = all;
  wanted_ = std::move(cameras);
  for (auto& [id, camera] : cameras_) camera->set_wanted(wanted(id));
}

Result<> Watcher::switch_privacy(const DeviceId& id, bool on) {
  auto* camera = find(id);
  if (camera == nullptr) return fail(Errc::not_found, "no such camera");
  return camera->switch_privacy(on);
}

CameraWatch* Watcher::find(const DeviceId& camera) noexcept {
  const auto found = cameras_.find(camera);
  return found == cameras_.end() ? nullptr : found->second.get();
}

CameraWatch& Watcher::find_or_make(const protocol::Route& route) {
  auto& camera = cameras_[route.camera];
  if (!camera) {
    camera = std::make_unique<CameraWatch>(context_, route);
    camera->set_wanted(wanted(route.camera));
  }
  return *camera;
}

std::vector<CameraStatus> Watcher::cameras() const {
  std::vector<CameraStatus> all;
  for (const auto& [id, camera] : cameras_) {
    auto status = camera->status();
    if (status.listed()) all.push_back(std::move(status));
  }
  return all;
}

std::optional<CameraStatus> Watcher::camera(const DeviceId& id) const {
  const auto found = cameras_.find(id);
  if (found == cameras_.end()) return std::nullopt;
  return found->second->status();
}

const PictureGroup* Watcher::newest(const DeviceId& camera) const {
  const auto found = cameras_.find(camera);
  return found == cameras_.end() ? nullptr : cache_.find(found->second->key());
}

RefusalCounts Watcher::refused() const {
  auto sum = refused_;
  for (const auto& [id, camera] : cameras_) sum += camera->status().counters.refused;
  return sum;
}

RefusalCounts Watcher::refused_control() const {
  auto sum = refused_control_;
  for (const auto& [id, camera] : cameras_) sum += camera->status().counters.refused_control;
  return sum;
}

}  // namespace sealcam::watch
