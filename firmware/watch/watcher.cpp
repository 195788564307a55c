// SPDX-License-Identifier: Apache-2.0
#include "watch/watcher.hpp"

#include <algorithm>
#include <array>

#include "base/log.hpp"

namespace sealcam::watch {
namespace {

using protocol::Leaf;
using protocol::to_reject_reason;

/// To verify a control message costs the network thread a millisecond. A camera needs no more of them than this.
constexpr std::uint32_t budget_burst = 20;
constexpr std::chrono::milliseconds budget_interval{100};
constexpr std::uint32_t roster_burst = 256;
/// A broker delivers retained messages at once.
constexpr std::chrono::seconds index_timeout{10};

}  // namespace

Result<std::unique_ptr<Watcher>> Watcher::create(const crypto::PublicKey& owner, const crypto::DeviceKeys& keys,
                                                 const WatcherDependencies& deps) {
  auto verifier = crypto::Verifier::open(owner);
  if (!verifier) return std::unexpected(verifier.error());
  auto watcher = std::unique_ptr<Watcher>(new Watcher(std::move(*verifier), keys, deps));
  if (auto r = watcher->load(); !r) return std::unexpected(r.error());
  return watcher;
}

Result<> Watcher::load() {
  const auto epochs = deps_.max_epochs.load();
  if (!epochs) return std::unexpected(epochs.error());
  for (const auto& [camera, counter] : *epochs) max_counters_.emplace(camera, counter);
  if (deps_.prekeys != nullptr) {
    auto prekeys = Prekeys::open(*deps_.prekeys, deps_.clock, deps_.log);
    if (!prekeys) return std::unexpected(prekeys.error());
    prekeys_ = std::move(*prekeys);
    camera_deps_.prekeys = &*prekeys_;
  }
  auto stored = deps_.rosters.load();
  if (!stored) return std::unexpected(stored.error());
  if (stored->size() > max_cameras)
    return fail(Errc::malformed, "the state folder has rosters of more than 1024 cameras");
  for (const auto& [camera, message] : *stored) {
    const protocol::Route route{account_, camera};
    const auto roster = protocol::decode_roster(message, route, owner_);
    if (!roster)
      return std::unexpected(located({roster.error().code, 0,
                                      "a stored roster is damaged: delete this file in the state folder, and the hub "
                                      "receives the roster again"},
                                     sealcam::format("rosters/{}/{}", account_.to_string(), camera.to_string())));
    const auto mark = mark_of(*roster, message);
    if (!mark) return std::unexpected(mark.error());
    adopt(route, *roster, *mark, message);
  }
  return {};
}

Result<RosterMark> Watcher::mark_of(const protocol::Roster& roster, ByteView message) {
  const auto hash = protocol::roster_hash(message);
  if (!hash) return std::unexpected(hash.error());
  return RosterMark{roster.version, *hash};
}

Watcher::Watcher(crypto::Verifier owner, const crypto::DeviceKeys& keys, const WatcherDependencies& deps)
    : deps_(deps),
      owner_(std::move(owner)),
      account_(owner_.key().account()),
      sequence_(deps.sequence),
      camera_deps_{keys,   nullptr,         deps.checker, sequence_, deps.clock,  deps.log,    deps.sink,
                   cache_, deps.max_epochs, deps.rule,    nullptr,   deps.frames, owner_.key()} {}

void Watcher::start(transport::MqttClient& client) {
  camera_deps_.client = &client;
  client.subscribe(protocol::index_topic(account_, id()), transport::Qos::at_least_once);
  update_subscriptions();
}

void Watcher::update_subscriptions() {
  if (camera_deps_.client == nullptr) return;
  std::set<DeviceId> desired;
  // First the stored ones, so that no index can hide them.
  for (const auto& [id, camera] : cameras_)
    if (camera->listed()) desired.insert(id);
  if (index_)
    for (const auto& id : index_->cameras)
      if (desired.size() < max_cameras) desired.insert(id);
  // In the order in which a broker should deliver its retained messages: roster, then key, then pictures.
  static constexpr std::array leaves = {Leaf::roster, Leaf::status, Leaf::grants, Leaf::still, Leaf::video};
  const auto qos = [](Leaf leaf) {
    return leaf == Leaf::still || leaf == Leaf::video ? transport::Qos::at_most_once : transport::Qos::at_least_once;
  };
  for (const auto& id : subscribed_)
    if (!desired.contains(id))
      for (const auto leaf : leaves) camera_deps_.client->unsubscribe(protocol::topic({account_, id}, leaf));
  for (const auto& id : desired)
    if (!subscribed_.contains(id))
      for (const auto leaf : leaves) camera_deps_.client->subscribe(protocol::topic({account_, id}, leaf), qos(leaf));
  subscribed_ = std::move(desired);
}

void Watcher::on_connected() {
  connected_ = true;
  index_due_ = deps_.clock.monotonic() + index_timeout;
  for (auto& [id, camera] : cameras_) camera->on_connected();
}

void Watcher::on_disconnected(const Error& why) {
  connected_ = false;
  deps_.log.debug("disconnected from the broker: {}", to_string(why));
  bool rejected = false;
  for (auto& [id, camera] : cameras_) rejected |= camera->on_disconnected();
  if (rejected)
    deps_.log.warning(
        "the broker ends the connection when this hub subscribes to kept pictures (topic 'past'): write the access "
        "list "
        "again, for example with 'sealcam broker authorize'; the hub tries again in {} min",
        PastReceiver::rejection_pause.count());
}

void Watcher::on_message(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || topic->route.account != account_) return rejected_.add(RejectReason::not_member);
  switch (topic->leaf) {
    case Leaf::index: on_index(topic->hub, message.payload); break;
    case Leaf::roster: on_roster(topic->route, message.payload); break;
    case Leaf::grants:
    case Leaf::status: on_control(*topic, message.payload); break;
    case Leaf::video:
    case Leaf::still:
      if (auto* camera = find(topic->route.camera)) camera->on_frame(message.payload, message.retained);
      else if (!message.payload.empty()) rejected_.add(RejectReason::not_member);
      break;
    case Leaf::past:
      if (auto* camera = find(topic->route.camera)) camera->on_past(message.payload);
      else rejected_.add(RejectReason::not_member);
      break;
    case Leaf::command:
    case Leaf::request: rejected_control_.add(RejectReason::malformed); break;
  }
  deps_.checker.drain();
}

void Watcher::on_index(const DeviceId& hub, ByteView message) {
  if (message.empty()) return;
  if (hub != id()) return rejected_control_.add(RejectReason::not_member);
  if (!within_budget({{account_, {}}, Leaf::roster, {}})) return;
  auto index = protocol::decode_index(message, account_, hub, owner_);
  if (!index) return rejected_control_.add(to_reject_reason(index.error()));
  if (index_ && index->version < index_->version) return rejected_control_.add(RejectReason::out_of_order);
  if (index_ && index->version == index_->version) {
    if (index->cameras != index_->cameras && index_log_limit_.allow(deps_.clock.monotonic()))
      deps_.log.error(
          "two lists of cameras have the same version, keeping the first one; run 'sealcam sync --resync'{}",
          index_log_limit_.note());
    return;
  }
  index_ = std::move(*index);
  update_subscriptions();
}

void Watcher::on_roster(const protocol::Route& route, ByteView message) {
  if (message.empty()) return;
  if (!within_budget({route, Leaf::roster, {}})) return overloaded(route);
  const auto roster = protocol::decode_roster(message, route, owner_);
  if (!roster) return reject_roster(route, to_reject_reason(roster.error()));
  const auto mark = mark_of(*roster, message);
  if (!mark) return reject_roster(route, RejectReason::malformed);
  if (const auto known = marks_.find(route.camera); known != marks_.end()) {
    if (mark->version < known->second.version) return reject_roster(route, RejectReason::out_of_order);
    if (*mark == known->second) return;
    if (mark->version == known->second.version) return find_or_add(route).on_roster_conflict();
  } else if (cameras_.size() >= max_cameras) {
    return deps_.log.error("more than {} cameras in the account, skipping camera {}", max_cameras,
                           route.camera.to_string());
  }
  if (auto r = deps_.rosters.store(route.camera, message); !r)
    return deps_.log.error("cannot store a roster, not applying it: {}", to_string(r.error()));
  adopt(route, *roster, *mark, message);
}

void Watcher::adopt(const protocol::Route& route, const protocol::Roster& roster, const RosterMark& mark,
                    ByteView message) {
  auto& camera = find_or_add(route);
  if (auto r = camera.on_roster(roster, mark, message); !r) return reject_roster(route, to_reject_reason(r.error()));
  marks_.insert_or_assign(route.camera, mark);
  update_subscriptions();
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
  if (!within_budget(topic)) return overloaded(topic.route);
  auto* camera = find(topic.route.camera);
  if (camera == nullptr || !camera->member()) return keep_early(topic, message);
  if (topic.leaf == Leaf::grants) camera->on_grants(message);
  else camera->on_status(message);
}

// A broker may deliver retained messages in any order. They are verified when the roster has named the camera's key.
void Watcher::keep_early(const protocol::Topic& topic, ByteView message) {
  const std::pair key{topic.route.camera, topic.leaf};
  if (message.size() > protocol::max_control_size) return rejected_control_.add(RejectReason::malformed);
  const auto before = early_.find(key);
  if (before != early_.end() && equal(before->second, message)) return;
  if (before != early_.end() || early_.size() >= max_early) rejected_control_.add(RejectReason::not_member);
  if (before != early_.end()) before->second.assign(message.begin(), message.end());
  else if (early_.size() < max_early) early_.emplace(key, Bytes(message.begin(), message.end()));
}

bool Watcher::within_budget(const protocol::Topic& topic) {
  const bool roster = topic.leaf == Leaf::roster;
  if (!roster && !cameras_.contains(topic.route.camera)) return true;  // it is stored without a check
  auto& budget = roster ? rosters_budget_ : control_budgets_[topic.route.camera];
  const auto now = deps_.clock.monotonic();
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

void Watcher::reject_roster(const protocol::Route& route, RejectReason rejection) {
  if (auto* camera = find(route.camera)) camera->reject_control(rejection);
  else rejected_control_.add(rejection);
}

/// A hub with cameras needs no list for them.
void Watcher::report_missing_index() {
  if (!connected_ || !index_due_ || deps_.clock.monotonic() < *index_due_) return;
  index_due_.reset();
  if (index_ || !cameras_.empty()) return;
  deps_.log.warning(
      "the broker has no list of cameras for this hub, so it shows none; on the owner's machine, run: sealcam sync");
}

void Watcher::tick() {
  report_missing_index();
  if (prekeys_) prekeys_->tick();
  for (auto& [id, camera] : cameras_) camera->tick();
  deps_.checker.drain();
}

void Watcher::set_watched(bool all, std::set<DeviceId> cameras) {
  watch_all_ = all;
  watched_ = std::move(cameras);
  update_requested();
}

void Watcher::set_recorded(std::map<DeviceId, protocol::RequestKind> cameras) {
  recorded_ = std::move(cameras);
  update_requested();
}

std::optional<protocol::RequestKind> Watcher::requested(const DeviceId& camera) const {
  return watch_all_ || watched_.contains(camera) ? protocol::RequestKind::live : recorded(camera);
}

std::optional<protocol::RequestKind> Watcher::recorded(const DeviceId& camera) const {
  const auto found = recorded_.find(camera);
  return found == recorded_.end() ? std::nullopt : std::optional(found->second);
}

void Watcher::update_requested() {
  for (auto& [id, camera] : cameras_) {
    camera->set_recorded(recorded(id));
    camera->set_requested(requested(id));
  }
}

Result<> Watcher::switch_privacy(const DeviceId& id, bool on) {
  auto* camera = find(id);
  if (camera == nullptr) return fail(Errc::not_found, "this account has no such camera");
  return camera->switch_privacy(on);
}

CameraWatch* Watcher::find(const DeviceId& camera) noexcept {
  const auto found = cameras_.find(camera);
  return found == cameras_.end() ? nullptr : found->second.get();
}

CameraWatch& Watcher::find_or_add(const protocol::Route& route) {
  auto& camera = cameras_[route.camera];
  if (!camera) {
    const auto found = max_counters_.find(route.camera);
    camera = std::make_unique<CameraWatch>(camera_deps_, route, found == max_counters_.end() ? 0 : found->second);
    camera->set_recorded(recorded(route.camera));
    camera->set_requested(requested(route.camera));
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

RejectCounts Watcher::rejected() const {
  auto sum = rejected_;
  for (const auto& [id, camera] : cameras_) sum += camera->status().counters.rejected;
  return sum;
}

RejectCounts Watcher::rejected_control() const {
  auto sum = rejected_control_;
  for (const auto& [id, camera] : cameras_) sum += camera->status().counters.rejected_control;
  return sum;
}

}  // namespace sealcam::watch
