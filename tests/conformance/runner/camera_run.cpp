// SPDX-License-Identifier: Apache-2.0
// Runs a case against the shipped Publisher with its validators.
#include <optional>
#include <set>

#include "conformance/runner/case.hpp"
#include "conformance/runner/moves.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/frame.hpp"
#include "protocol/status.hpp"
#include "protocol/view_request.hpp"
#include "support/camera_stores.hpp"
#include "support/fake_mqtt_client.hpp"

namespace sealcam::conformance {
namespace {

using std::chrono::milliseconds;
using test::must;

/// The grants of one epoch, as its hubs open them.
struct Granted {
  std::set<std::string> hubs;
  std::optional<crypto::sframe::OpeningKey> key;
};

class CameraRun final : public Run {
 public:
  explicit CameraRun(const Json& json)
      : case_(json), owner_(case_.party("owner")), camera_(case_.party(case_.device())), stores_(camera_) {
    for (const auto& [name, keys] : json.at("parties").items())
      if (name.starts_with("hub")) hubs_.emplace(name, case_.party(name));
    if (const auto roster = case_.start("roster"); !roster.is_null())
      stores_.roster.content = case_.message({{"message", roster}});
    connected_ = case_.start("connected") != false;
    start();
  }

 private:
  Json do_event(const Json& event) override {
    perform(event);
    follow_settings();
    return verdict();
  }

  void start() {
    run_.reset();
    client_.waiting.clear();
    const stream::PublisherConfig config{.route = case_.route(), .rate = {}};
    run_.emplace(clock_, log_, owner_, camera_, stores_, test::CameraOptions{.publisher = config});
    counted_ = {};
    run_->publisher.attach(client_);
    must(run_->privacy.load());
    must(run_->publisher.start());
    areas_.reset();
    follow_settings();
    connect(connected_);
  }

  /// The camera paints these masks, and its detector has this sensitivity, from the next picture on.
  void follow_settings() {
    const auto& settings = stores_.actions.changed;
    if (!settings || settings == areas_) return;
    areas_ = settings;
    run_->control.set_areas({.masks = FewAreas(settings->masks.value_or(PictureAreas())),
                             .sensitivity = settings->motion.value_or(protocol::CameraSettings::usual_motion),
                             .zones = FewAreas(settings->zones.value_or(PictureAreas()))});
  }

  void connect(bool connected) {
    connected_ = connected;
    client_.is_connected = connected;
    if (connected) run_->publisher.on_connected();
    settle();
  }

  void settle() {
    if (answers_) client_.settle();
  }

  void perform(const Json& event) {
    const std::string what = event.at("do");
    if (move_clock(clock_, event, [&] { run_->publisher.tick(); })) return settle();
    if (what == "deliver") deliver(event);
    else if (what == "capture") capture(event);
    else if (what == "connect") connect(true);
    else if (what == "disconnect") disconnect();
    else if (what == "restart") start();
    else if (what == "fault") set_fault(event.at("number"));
    else if (what == "sensor") set_slow(event.at("slow"));
    else if (what == "encoding_sensor") run_->control.set_sensor_encodes(event.at("on"));
    else if (what == "broker") answers_ = event.at("answers");
    else if (what == "storage") break_stores(event.at("fails"));
    else if (what == "take") take(event);
    else if (what != "check") throw std::runtime_error("unknown event '" + what + "'");
    settle();
  }

  void disconnect() {
    connected_ = client_.is_connected = false;
    client_.waiting.clear();
    run_->publisher.on_disconnected(Error{.code = Errc::connection, .what = "the connection ended"});
  }

  void set_fault(const Json& number) {
    std::optional<protocol::CameraFault> fault;
    if (!number.is_null()) fault = static_cast<protocol::CameraFault>(number.get<int>());
    run_->control.set_fault(fault);
  }

  /// The capture thread, which opens and closes the sensor.
  void set_slow(bool slow) {
    if (!slow) return run_->control.end_source();
    if (!run_->control.begin_source()) throw std::runtime_error("the sensor is closed");
  }

  void break_stores(const Json& names) {
    const auto broken = [&](const char* name) { return std::ranges::contains(names, Json(name)); };
    stores_.roster.broken = broken("roster");
    stores_.epochs.broken = broken("epoch");
    stores_.privacy.broken = broken("privacy");
    stores_.commands.writes_left = broken("command") ? 0 : -1;
    stores_.prekeys.broken = broken("prekey");
    stores_.actions.broken = broken("network");
  }

  void deliver(const Json& event) {
    const std::string topic = event.at("topic");
    const auto message = event.contains("request") ? request(event.at("request")) : case_.message(event);
    run_->publisher.on_message({topic, message, event.value("retained", false)});
  }

  /// A view request, for an epoch of the camera. Its form is that of the page, without the encoder under test.
  Bytes request(const Json& r) {
    const auto by = case_.party(r.at("by"));
    const std::string kind = r.at("kind");
    const int number = kind == "live"          ? 1
                       : kind == "still"       ? 2
                       : kind == "privacy-on"  ? 3
                       : kind == "privacy-off" ? 4
                       : kind == "nonce"       ? 5
                       : kind == "record"      ? 6
                       : kind == "motion"      ? 7
                                               : 8;
    const std::string epoch_name = r.at("epoch");
    const auto epoch = epochs_.contains(epoch_name) ? epochs_.at(epoch_name) : case_.epoch(epoch_name).number;
    crypto::CborWriter writer;
    writer.map(4U + (r.contains("nonce") ? 1U : 0U) + (r.contains("prekey") ? 1U : 0U) +
               (r.contains("receiver") ? 1U : 0U) + (r.value("cannot_open", false) ? 1U : 0U) +
               (r.contains("past") ? 1U : 0U));
    writer.integer(1).integer(number).integer(2).bytes(bytes_of(r.at("challenge")));
    writer.integer(3).unsigned_integer(epoch.value()).integer(4).unsigned_integer(r.at("seq").get<std::uint64_t>());
    if (r.contains("nonce")) writer.integer(5).bytes(nonce(r.at("nonce")));
    if (r.contains("prekey")) {
      const auto& prekey = r.at("prekey");
      writer.integer(6).array(2).unsigned_integer(prekey.at("number").get<std::uint64_t>());
      if (prekey.contains("point")) writer.bytes(bytes_of(prekey.at("point")));
      else writer.bytes(case_.party(prekey.at("party")).hpke().bytes());
    }
    if (r.contains("receiver")) {
      writer.integer(7).array(3);
      for (const auto& n : r.at("receiver")) writer.unsigned_integer(n.get<std::uint64_t>());
    }
    if (r.value("cannot_open", false)) writer.integer(8).boolean(true);
    if (r.contains("past")) {
      writer.integer(9).array(r.at("past").size());
      for (const auto& range : r.at("past")) {
        writer.array(range.size());
        for (const auto& n : range) writer.unsigned_integer(n.get<std::uint64_t>());
      }
    }
    const auto header = protocol::protected_header(case_.party(r.value("claims", r.at("by").get<std::string>())).id());
    const auto aad = protocol::external_aad(protocol::MessageName::request, case_.route());
    return must(crypto::cose::sign1(by.keys().identity, header, aad, writer.view()));
  }

  /// A nonce that the camera issued, or a number in the case.
  Bytes nonce(const std::string& name) const {
    const auto found = nonces_.find(name);
    return found == nonces_.end() ? bytes_of(name) : found->second;
  }

  void capture(const Json& event) {
    const auto captured = clock_.monotonic();
    const bool key = event.at("kind") == "key";
    const std::uint32_t earlier = event.value("earlier_masks", false) ? 1 : 0;
    const Bytes unit(100, std::byte{7});
    run_->queue.push(unit, {FrameNumber(number_++),
                            captured,
                            run_->challenges.pick(captured),
                            {64, 48},
                            key,
                            event.value("motion", false),
                            run_->control.areas_version() - earlier});
    run_->publisher.frames_ready();
  }

  void take(const Json& event) {
    if (last_nonce_.empty()) throw std::runtime_error("the camera sent no report with a nonce");
    nonces_[event.at("as")] = last_nonce_;
  }

  Json grants(ByteView message) {
    const auto granted = must(protocol::decode_grants(message, case_.route(), camera_.verifier()));
    Granted& entry = granted_[granted.epoch];
    for (const auto& [name, hub] : hubs_) {
      const auto content = open(granted, name, hub);
      if (!content) continue;
      entry.hubs.insert(content->first);
      entry.key.emplace(must(crypto::sframe::OpeningKey::open(granted.suite, granted.epoch, content->second.base_key)));
    }
    Json result{{"epoch", name_of(granted.epoch)},
                {"roster", granted.roster_version.value()},
                {"hubs", entry.hubs},
                {"not_stored", granted.not_stored}};
    if (granted.command) result["command"] = granted.command->value();
    return result;
  }

  /// The hub's name and the content. With a prekey, the name of the party that has the prekey follows.
  std::optional<std::pair<std::string, protocol::GrantContent>> open(const protocol::Grants& granted,
                                                                     const std::string& name, const test::Actor& hub) {
    std::string used;
    const auto keys = [&](protocol::PrekeyNumber number) -> const crypto::AgreementKey* {
      if (number == protocol::PrekeyNumber()) return &hub.keys().hpke;
      const auto party = name + "-prekey-" + std::to_string(number.value());
      const auto found = hubs_.find(party);
      if (found == hubs_.end()) return nullptr;
      used = " with " + party;
      return &found->second.keys().hpke;
    };
    auto content = protocol::open_grant(granted, case_.route(), hub.id(), keys);
    if (!content) return std::nullopt;
    return std::pair(name + used, std::move(*content));
  }

  std::string frame(ByteView message, std::string_view leaf) {
    const auto view = must(protocol::parse_frame(message));
    const protocol::FrameOpener opener(case_.route());
    must(opener.verify(view, camera_.verifier()));
    std::string text(leaf);
    text += " " + name_of(view.epoch) + "/" + std::to_string(view.counter.value()) + " ";
    text += view.kind == protocol::FrameKind::key     ? "key"
            : view.kind == protocol::FrameKind::delta ? "delta"
            : view.kind == protocol::FrameKind::still ? "still"
                                                      : "report";
    auto& granted = granted_[view.epoch];
    if (!granted.key) return text + " no recipient";
    Bytes out(view.sealed.size());
    const auto opened = must(opener.open(out, view, *granted.key));
    if (view.kind == protocol::FrameKind::delta) text += " depends " + std::to_string(opened.header.depends.value());
    std::set<std::string> echoes;
    for (const auto challenge : opened.header.echoes) echoes.insert(hex(challenge.value()));
    for (const auto& echo : echoes) text += " echo " + echo;
    if (opened.header.motion) text += " motion";
    if (view.kind != protocol::FrameKind::report) return text;
    const auto report = must(protocol::decode_report(opened.content));
    text += " roster " + std::to_string(report.roster_version.value());
    if (report.nonce) {
      text += " nonce";
      last_nonce_.resize(8);
      store_be(MutableBytes(last_nonce_), report.nonce->value());
    }
    if (report.privacy) text += " privacy";
    if (report.fault) text += " fault " + std::to_string(static_cast<int>(*report.fault));
    if (!report.detects_motion) text += " no_motion";
    return text;
  }

  std::string name_of(Epoch epoch) {
    for (const auto& [name, number] : epochs_)
      if (number == epoch) return name;
    const auto name = "E" + std::to_string(epochs_.size() + 1);
    epochs_[name] = epoch;
    return name;
  }

  std::vector<std::string> rejected() {
    std::vector<std::string> all;
    const auto add = [&](const std::string& name, std::uint64_t now) {
      for (auto& before = counted_[name]; before < now; ++before) all.push_back(name);
    };
    add("roster", run_->publisher.counters().rosters_rejected);
    add("command", run_->executor.rejected());
    return all;
  }

  std::vector<std::string> requests() {
    std::vector<std::string> all;
    const auto& counters = run_->requests.counters();
    const auto add = [&](const std::string& name, std::uint64_t now) {
      for (auto& before = counted_["request " + name]; before < now; ++before) all.push_back(name);
    };
    add("accepted", counters.accepted);
    for (const auto reason : protocol::request_reject_reasons)
      add(std::string(protocol::name(reason)), counters.rejected[reason]);
    return all;
  }

  /// The hubs to whose topics the camera subscribes. Any other filter appears with its full text.
  std::set<std::string> subscribed() {
    std::set<std::string> all;
    const auto names = case_.names();
    for (const auto& filter : client_.filters) {
      const auto topic = protocol::parse_topic(filter);
      if (topic && topic->leaf != protocol::Leaf::request) continue;
      all.insert(topic && names.contains(topic->hub) ? names.at(topic->hub) : filter);
    }
    return all;
  }

  Json verdict() {
    Json granted = Json::array(), sent = Json::array(), status = Json();
    // A camera publishes the grants of an epoch before its first frame.
    for (std::size_t i = sent_before_; i < client_.sent.size(); ++i) {
      const auto& message = client_.sent[i];
      const auto leaf = message.topic.substr(message.topic.rfind('/') + 1);
      if (leaf == "grants") granted.push_back(grants(message.payload));
      else if (leaf == "video" || leaf == "still") sent.push_back(frame(message.payload, leaf));
      else if (leaf == "status") {
        const auto decoded = must(protocol::decode_status(message.payload, case_.route(), camera_.verifier()));
        status = Json{{"online", decoded.online}, {"privacy", decoded.privacy}, {"deregistered", decoded.reset}};
      }
    }
    sent_before_ = client_.sent.size();
    const auto current = run_->epochs.current();
    return {{"request", requests()},
            {"rejected", rejected()},
            {"grants", std::move(granted)},
            {"sent", std::move(sent)},
            {"status", std::move(status)},
            {"epoch", current ? Json(name_of(*current)) : Json()},
            {"subscribed", subscribed()},
            {"sensor", run_->control.closed() && !run_->control.source_open() ? "closed" : "open"},
            {"roster", run_->rosters.current() != nullptr ? run_->rosters.current()->version.value() : 0},
            {"command", run_->executor.applied().value_or(protocol::CommandSeq()).value()},
            {"update", stores_.actions.decided ? Json(*stores_.actions.decided) : Json()},
            {"old_copy", run_->requests.later_epoch().has_value()}};
  }

  Case case_;
  FakeClock clock_;
  MemoryLog log_;
  test::Actor owner_, camera_;
  std::map<std::string, test::Actor> hubs_;  ///< also the parties that have prekeys of hubs
  test::CameraStores stores_;
  test::FakeMqttClient client_;
  std::optional<test::CameraRun> run_;
  std::map<std::string, Epoch> epochs_;
  std::map<Epoch, Granted> granted_;
  std::optional<protocol::CameraSettings> areas_;  ///< that the capture control has
  std::map<std::string, Bytes> nonces_;
  std::map<std::string, std::uint64_t> counted_;
  Bytes last_nonce_;
  std::size_t sent_before_ = 0;
  std::uint32_t number_ = 0;
  bool connected_ = true;
  bool answers_ = true;
};

}  // namespace

std::unique_ptr<Run> run_camera(const Json& json) { return std::make_unique<CameraRun>(json); }

}  // namespace sealcam::conformance
