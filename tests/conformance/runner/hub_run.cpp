// SPDX-License-Identifier: Apache-2.0
// Runs a case against the shipped Watcher.
#include <set>

#include "conformance/runner/case.hpp"
#include "conformance/runner/moves.hpp"
#include "support/hub_scene.hpp"

namespace sealcam::conformance {
namespace {

std::string text_of(const protocol::SoftwareReport& software) {
  std::string text = software.version;
  if (!software.update) return text;
  const auto& update = *software.update;
  if (!update.version.empty()) text += ", image " + update.version;
  text += ", state " + std::to_string(static_cast<int>(update.state));
  if (!update.offer.empty()) text += ", offer " + update.offer;
  if (update.last)
    text += ", last " + update.last->version + " result " + std::to_string(static_cast<int>(update.last->result)) +
            " at " + std::to_string(update.last->at.since_epoch.count()) + " because " + update.last->reason;
  return text;
}

class HubRun final : public Run {
 public:
  explicit HubRun(const Json& json)
      : case_(json), scene_(case_.party("owner"), case_.party("camera"), case_.party(case_.device())) {
    const auto watched = case_.start("watched");
    if (watched == false) scene_.watcher->set_watched(false, {});
  }

 private:
  struct Request {
    std::string kind;
    std::string epoch;
    protocol::ViewRequest content;
  };

  Json do_event(const Json& event) override {
    const auto sent_before = scene_.client.sent.size();
    scene_.sink.shown.clear();
    perform(event);
    return verdict(sent_before);
  }

  void perform(const Json& event) {
    const std::string what = event.at("do");
    if (move_clock(scene_.clock, event, [&] { scene_.watcher->tick(); })) return;
    if (what == "deliver") return deliver(event);
    if (what == "connect" || what == "disconnect") {
      scene_.client.is_connected = what == "connect";
      if (what == "connect") return scene_.watcher->on_connected();
      return scene_.watcher->on_disconnected(Error{.code = Errc::connection, .what = "the connection ended"});
    }
    if (what == "restart") {
      scene_.client.filters.clear();  // a new connection
      scene_.restart();
      counted_ = {};
      return;
    }
    if (what == "watch") return scene_.watcher->set_watched(event.at("on"), {});
    if (what == "record") return record(event.at("mode"));
    if (what == "storage") {
      scene_.rosters.broken = std::ranges::contains(event.at("fails"), Json("roster"));
      scene_.prekeys.full = std::ranges::contains(event.at("fails"), Json("prekey"));
      return;
    }
    if (what == "take") return take(event);
    if (what == "privacy") {
      permitted_ = scene_.watcher->switch_privacy(scene_.camera.id(), event.at("on")).has_value();
      return;
    }
    if (what != "check") throw std::runtime_error("unknown event '" + what + "'");
  }

  void record(const std::string& mode) {
    std::map<DeviceId, protocol::RequestKind> cameras;
    if (mode != "off")
      cameras[scene_.camera.id()] = mode == "motion" ? protocol::RequestKind::motion : protocol::RequestKind::record;
    scene_.watcher->set_recorded(std::move(cameras));
  }

  void deliver(const Json& event) {
    const std::string topic = event.at("topic");
    scene_.watcher->on_message({topic, case_.message(event), event.value("retained", false)});
  }

  [[nodiscard]] std::vector<Request> requests(std::size_t from) const {
    std::vector<Request> all;
    const auto verifier = scene_.hub.verifier();
    for (std::size_t i = from; i < scene_.client.sent.size(); ++i) {
      const auto& sent = scene_.client.sent[i];
      const auto topic = test::must(protocol::parse_topic(sent.topic));
      const auto request = test::must(protocol::decode_view_request(sent.payload, topic.route, verifier));
      all.push_back({std::string(protocol::name(request.kind)), case_.name_of(request.epoch), request});
    }
    return all;
  }

  void take(const Json& event) {
    const auto all = requests(0);
    const std::string kind = event.at("request"), epoch = event.at("epoch");
    const auto newest =
        std::find_if(all.rbegin(), all.rend(), [&](const Request& r) { return r.kind == kind && r.epoch == epoch; });
    if (newest == all.rend()) throw std::runtime_error("the hub sent no such request");
    case_.bind(event.at("as"), newest->content.challenge);
    if (newest->content.prekey) case_.bind_prekey(event.at("as"), *newest->content.prekey);
  }

  /// The cameras to whose topics the hub subscribes.
  [[nodiscard]] std::set<std::string> subscribed() const {
    std::set<std::string> all;
    const auto names = case_.names();
    for (const auto& filter : scene_.client.filters) {
      const auto topic = protocol::parse_topic(filter);
      if (!topic || topic->leaf == protocol::Leaf::index) continue;
      const auto name = names.find(topic->route.camera);
      all.insert(name == names.end() ? topic->route.camera.to_string() : name->second);
    }
    return all;
  }

  [[nodiscard]] std::vector<std::string> new_counts(std::vector<std::pair<std::string, std::uint64_t>> now) {
    std::vector<std::string> all;
    for (const auto& [name, count] : now) {
      for (auto i = counted_[name]; i < count; ++i) all.push_back(name);
      counted_[name] = count;
    }
    std::ranges::sort(all);
    return all;
  }

  Json verdict(std::size_t sent_before) {
    const auto status = scene_.watcher->camera(scene_.camera.id()).value_or(watch::CameraStatus{});
    std::vector<std::pair<std::string, std::uint64_t>> rejected;
    const auto frames = scene_.watcher->rejected();
    const auto control = scene_.watcher->rejected_control();
    for (const auto reason : protocol::hub_reject_reasons)
      rejected.emplace_back(protocol::name(reason), frames[reason] + control[reason]);
    std::vector<std::string> shown;
    for (const auto& s : scene_.sink.shown)
      shown.push_back(case_.name_of(s.picture.epoch) + "/" + std::to_string(s.picture.counter.value()) + " " +
                      std::string(watch::name(s.picture.state)));
    std::set<std::string> sent;
    for (const auto& request : requests(sent_before)) {
      const auto& content = request.content;
      sent.insert(request.kind + " " + request.epoch + (content.cannot_open ? " cannot_open" : "") +
                  (content.nonce ? " nonce " + hex(content.nonce->value()) : ""));
    }
    return {{"rejected", new_counts(rejected)},
            {"shown", shown},
            {"not_shown", new_counts({{"held", status.counters.held_back},
                                      {"wait_for_key", status.counters.waiting_for_key},
                                      {"nothing_new", status.counters.nothing_new}})},
            {"requests", sent},
            {"current", status.epoch ? Json(case_.name_of(*status.epoch)) : Json()},
            {"state", watch::name(status.state)},
            {"reason", status.reason == watch::Reason::none ? "none" : watch::name(status.reason)},
            {"detects_motion", status.detects_motion ? Json(*status.detects_motion) : Json()},
            {"software", status.software ? Json(text_of(*status.software)) : Json()},
            {"permitted", permitted_},
            {"subscribed", subscribed()},
            {"member", status.member},
            {"roster_version", status.roster_version.value()}};
  }

  Case case_;
  test::HubScene scene_;
  std::map<std::string, std::uint64_t> counted_;
  Json permitted_;  ///< the answer to the last request of a person
};

}  // namespace

std::unique_ptr<Run> run_hub(const Json& json) { return std::make_unique<HubRun>(json); }

}  // namespace sealcam::conformance
