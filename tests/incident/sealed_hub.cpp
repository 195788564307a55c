// SPDX-License-Identifier: Apache-2.0
#include "devices.hpp"
#include "forced_opening.hpp"
#include "watch/watcher.hpp"
#include "watched_checker.hpp"

namespace sealcam::incident {
namespace {

constexpr std::uint32_t largest_incoming = 64U << 10;

class MemoryRosters final : public watch::RosterStore {
  [[nodiscard]] Result<std::vector<watch::StoredRoster>> do_load() const override { return stored_; }
  [[nodiscard]] Result<> do_save(const DeviceId& camera, ByteView message) override {
    stored_ = {{camera, Bytes(message.begin(), message.end())}};
    return {};
  }
  std::vector<watch::StoredRoster> stored_;
};

class MemorySequence final : public watch::SequenceStore {
  [[nodiscard]] Result<AskSeq> do_reserve(std::uint64_t count) override {
    const AskSeq first(free_);
    free_ += count;
    return first;
  }
  std::uint64_t free_ = 1;
};

class SealedHub final : public Hub, private transport::MqttListener, private watch::PictureSink {
 public:
  SealedHub(const Site& site, std::uint32_t account, const Witness::Parts& witness)
      : site_(site),
        person_(site.people[account]),
        witness_(account, witness),
        checker_(site.checker, witness_),
        forced_(person_),
        watcher_(test::must(watch::Watcher::create(person_.owner.identity(), person_.hub.keys(),
                                                   {checker_, rosters_, sequence_, site.clock, site.log, *this}))) {}

  void connect() override {
    auto config = client_config(site_.people, *person_.hub_tls, person_.hub.id().to_string(), site_.brokers.delivery(),
                                largest_incoming);
    client_ = test::must(transport::Mqtt5Client::open(site_.io, std::move(config), *this, site_.log));
    watcher_->start(*client_);
  }
  [[nodiscard]] bool connected() const override { return client_ && client_->connected(); }
  /// The name comes with the first grant that opens.
  [[nodiscard]] bool ready() const override {
    const auto camera = watcher_->camera(person_.camera.id());
    return camera && camera->member && !camera->name.empty();
  }
  void want(bool wanted) override { watcher_->want(wanted, {}); }
  void tick() override { watcher_->tick(); }
  void finish() override {
    for (const auto refusal : watch::all_refusals)
      witness_.tally().refused[std::string(watch::name(refusal))] += watcher_->refused()[refusal];
  }
  [[nodiscard]] Witness& witness() override { return witness_; }

 private:
  void on_connected() override { watcher_->on_connected(); }
  void on_disconnected(const Error& why) override { watcher_->on_disconnected(why); }
  void on_message(const transport::Message& message) override {
    look_on(message);
    watcher_->on_message(message);
  }
  void on_picture(const DeviceId&, const watch::PictureInfo& picture, ByteView access_unit) override {
    witness_.shown(picture.header.number, picture.starts_group(), access_unit);
  }
  void on_state(const watch::CameraStatus&) override {}

  void look_on(const transport::Message& message) {
    const auto topic = protocol::parse_topic(message.topic);
    if (!topic) return;
    if (topic->leaf == protocol::Leaf::grants) forced_.on_grants(message.payload);
    if (topic->leaf != protocol::Leaf::still && topic->leaf != protocol::Leaf::video) return;
    const auto* const origin = witness_.arrived(message.payload);
    if (origin == nullptr || (origin->kind != Kind::still && origin->kind != Kind::key)) return;
    auto& tally = witness_.tally();
    const auto opened = forced_.open(message.payload, site_.people[origin->source].route);
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
  MemoryRosters rosters_;
  MemorySequence sequence_;
  std::unique_ptr<watch::Watcher> watcher_;
  std::unique_ptr<transport::Mqtt5Client> client_;  // last: it calls this object
};

}  // namespace

std::unique_ptr<Hub> make_sealed_hub(const Site& site, std::uint32_t account, const Witness::Parts& witness) {
  return std::make_unique<SealedHub>(site, account, witness);
}

}  // namespace sealcam::incident
