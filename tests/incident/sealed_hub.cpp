// SPDX-License-Identifier: Apache-2.0
#include "device/hub_stores.hpp"
#include "devices.hpp"
#include "forced_opening.hpp"
#include "support/hub_stores.hpp"
#include "watch/watcher.hpp"
#include "watched_checker.hpp"

namespace sealcam::incident {
namespace {

constexpr std::uint32_t max_incoming = 32U << 10;

class SealedHub final : public Hub, private transport::MqttListener, private watch::PictureSink {
 public:
  SealedHub(const Site& site, std::uint32_t account, const Witness::Dependencies& witness)
      : site_(site),
        person_(site.people[account]),
        witness_(account, witness),
        checker_(site.checker, witness_),
        forced_(person_),
        watcher_(test::must(watch::Watcher::create(
            person_.owner.identity(), person_.hub.keys(),
            {checker_, rosters_, sequence_, epochs_, &prekeys_, site.clock, site.log, *this}))) {}

  void connect() override {
    auto config = client_config(site_.people, *person_.hub_tls, person_.hub.id().to_string(), site_.brokers.delivery(),
                                max_incoming);
    client_ = test::must(transport::Mqtt5Client::open(site_.io, std::move(config), *this, site_.log));
    watcher_->start(*client_);
  }
  [[nodiscard]] bool connected() const override { return client_ && client_->connected(); }
  /// The first opened grant contains the name.
  [[nodiscard]] bool ready() const override {
    const auto camera = watcher_->camera(person_.camera.id());
    return camera && camera->member && !camera->name.empty();
  }
  void set_watched(bool watched) override { watcher_->set_watched(watched, {}); }
  void tick() override { watcher_->tick(); }
  void finish() override {
    for (const auto rejection : protocol::hub_reject_reasons)
      witness_.tally().rejected[std::string(protocol::name(rejection))] += watcher_->rejected()[rejection];
  }
  [[nodiscard]] Witness& witness() override { return witness_; }

 private:
  void on_connected() override { watcher_->on_connected(); }
  void on_disconnected(const Error& why) override { watcher_->on_disconnected(why); }
  void on_message(const transport::Message& message) override {
    observe(message);
    watcher_->on_message(message);
  }
  void on_picture(const DeviceId&, const watch::PictureInfo& picture, ByteView access_unit) override {
    witness_.shown(picture.header.number, picture.starts_group(), access_unit);
  }
  void on_state(const watch::CameraStatus&) override {}

  void observe(const transport::Message& message) {
    const auto topic = protocol::parse_topic(message.topic);
    if (!topic) return;
    if (topic->leaf == protocol::Leaf::grants) forced_.on_grants(message.payload);
    if (topic->leaf != protocol::Leaf::still && topic->leaf != protocol::Leaf::video) return;
    const auto* const origin = witness_.arrived(message.payload);
    if (origin == nullptr || (origin->kind != Kind::still && origin->kind != Kind::key)) return;
    auto& tally = witness_.tally();
    const auto opened = forced_.open(message.payload, site_.routes.at(origin->source));
    if (!witness_.is_own(*origin)) {
      ++tally.forced;
      if (opened) ++tally.forced_opened;
    } else if (opened && !origin->damaged) {
      ++tally.forced_control;
      witness_.own_arrived(opened->number);
    }
  }

  const Site& site_;
  const Person& person_;
  Witness witness_;
  WatchedChecker checker_;
  ForcedOpening forced_;
  test::MemoryHubRosterStore rosters_;
  test::MemorySequenceStore sequence_;
  test::MemoryMaxEpochStore epochs_;
  test::MemoryPrekeyStore prekeys_;
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<transport::Mqtt5Client> client_;  // last: it calls this object
};

}  // namespace

std::unique_ptr<Hub> make_sealed_hub(const Site& site, std::uint32_t account, const Witness::Dependencies& witness) {
  return std::make_unique<SealedHub>(site, account, witness);
}

}  // namespace sealcam::incident
