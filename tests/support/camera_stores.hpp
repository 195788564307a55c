// SPDX-License-Identifier: Apache-2.0
/// Stores of a camera in memory, and the network side of a camera on the shipped code above them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "device/past_store.hpp"
#include "device/stores.hpp"
#include "stream/publish/publisher.hpp"
#include "support/actors.hpp"

namespace sealcam::test {

using protocol::Counter;
using protocol::Epoch;
using protocol::RequestSeq;

class MemoryEpochStore final : public device::EpochStore {
 public:
  std::uint32_t counter = 0;  ///< the last reserved one
  bool broken = false;
  int writes = 0;

 private:
  [[nodiscard]] Result<std::uint32_t> do_reserve(std::uint32_t count) override {
    if (broken) return fail(Errc::io, "the disk is full");
    if (counter > UINT32_MAX - count) return fail(Errc::exhausted, "all epoch numbers are used");
    ++writes;
    counter += count;
    return counter - count + 1;
  }
};

/// The roster of one camera.
class MemoryRosterStore final : public device::RosterStore {
 public:
  explicit MemoryRosterStore(const DeviceId& camera) : camera_(camera) {}
  Bytes content;
  bool broken = false;

 private:
  [[nodiscard]] Result<std::vector<device::StoredRoster>> do_load() const override {
    if (content.empty()) return {};
    return std::vector{device::StoredRoster{camera_, content}};
  }
  [[nodiscard]] Result<> do_store(const DeviceId& camera, ByteView message) override {
    if (camera != camera_) return fail(Errc::invalid_argument, "the roster of another camera");
    if (broken) return fail(Errc::io, "the disk is full");
    content.assign(message.begin(), message.end());
    return {};
  }
  DeviceId camera_;
};

class MemoryCommandStore final : public device::CommandStore {
 public:
  std::optional<device::CommandRecord> content;
  int writes_left = -1;  ///< before the disk is full; negative: no limit

 private:
  [[nodiscard]] Result<device::CommandRecord> do_load() const override {
    if (!content) return fail(Errc::not_found, "no command");
    return *content;
  }
  Result<> do_store(const device::CommandRecord& record) override {
    if (writes_left == 0) return fail(Errc::io, "the disk is full");
    if (writes_left > 0) --writes_left;
    content = record;
    return {};
  }
};

class MemoryPrivacyStore final : public device::PrivacyStore {
 public:
  bool content = false;
  bool broken = false;

 private:
  [[nodiscard]] Result<bool> do_load() const override {
    if (broken) return fail(Errc::malformed, "damaged");
    return content;
  }
  Result<> do_store(bool on) override {
    if (broken) return fail(Errc::io, "the disk is full");
    content = on;
    return {};
  }
};

class MemoryHubKeyStore final : public device::HubKeyStore {
 public:
  std::vector<device::HubKey> content;
  bool broken = false;
  int writes = 0;

 private:
  [[nodiscard]] Result<std::vector<device::HubKey>> do_load() const override {
    if (broken) return fail(Errc::malformed, "damaged");
    return content;
  }
  Result<> do_store(std::span<const device::HubKey> all) override {
    if (broken) return fail(Errc::io, "the disk is full");
    ++writes;
    content.assign(all.begin(), all.end());
    return {};
  }
};

/// Records the applied items.
class RecordingActions final : public stream::CommandActions {
 public:
  std::vector<std::string> done;
  std::optional<protocol::CameraSettings> changed;  ///< the newest settings
  std::optional<std::string> decided;               ///< the newest decision about updates
  bool broken = false;
  stream::Quality best;

 private:
  Result<> record(std::string item) {
    if (broken) return fail(Errc::io, "the disk is full");
    done.push_back(std::move(item));
    return {};
  }
  Result<> do_rename(std::string_view name) override { return record("name " + std::string(name)); }
  Result<stream::Quality> do_change(const protocol::CameraSettings& settings) override {
    if (auto r = record("settings"); !r) return std::unexpected(r.error());
    if (settings.bitrate) best.bitrate = *settings.bitrate;
    changed = settings;
    return best;
  }
  Result<> do_join(const protocol::Wifi& wifi) override { return record("wifi " + std::string(as_text(wifi.ssid))); }
  Result<> do_decide_update(const protocol::CommandItem<protocol::UpdateConsent>& consent) override {
    static constexpr std::array actions{"automatic", "start", "defer", "reject"};
    std::string text = actions.at(static_cast<std::size_t>(consent.value.action) - 1);
    if (!consent.value.version.empty()) text += " " + consent.value.version;
    if (consent.value.action == protocol::UpdateAction::defer)
      text += " " + std::to_string(consent.value.until.since_epoch.count());
    if (auto r = record("update " + text); !r) return r;
    decided = text;
    return {};
  }
};

/// State that outlives a restart of the camera.
struct CameraStores {
  explicit CameraStores(const Actor& camera) : roster(camera.id()) {}
  MemoryEpochStore epochs;
  MemoryRosterStore roster;
  MemoryCommandStore commands;
  MemoryPrivacyStore privacy;
  MemoryHubKeyStore prekeys;
  RecordingActions actions;
};

struct CameraOptions {
  stream::PublisherConfig publisher;
  stream::QueueLimits queue{};
  stream::Quality quality{};
  device::PastStore* past = nullptr;
};

/// One run of a camera's network side. All arguments must outlive it.
struct CameraRun {
  CameraRun(const Clock& clock, Log& log, const Actor& owner, const Actor& camera, CameraStores& stores,
            const CameraOptions& options)
      : queue(options.queue),
        control(options.quality),
        rosters(stores.roster, options.publisher.route, owner.verifier(), camera.keys()),
        epochs(stores.epochs, clock, options.publisher.route, camera.keys().identity, "garden"),
        requests(options.publisher.route, clock),
        prekeys(stores.prekeys, clock, log),
        commands(stores.commands, options.publisher.route, owner.verifier(), camera.keys().hpke),
        privacy_store(stores.privacy, options.past),
        privacy(privacy_store, control),
        executor({clock, log, commands, stores.actions, privacy, epochs}),
        publisher(options.publisher, {clock, log, queue, challenges, control, rosters, epochs, requests,
                                      camera.keys().identity, executor, prekeys, options.past}) {}

  stream::AccessUnitQueue queue;
  stream::ReceivedChallenges challenges;
  stream::CaptureControl control;
  stream::RosterValidator rosters;
  stream::Epochs epochs;
  stream::RequestValidator requests;
  stream::Prekeys prekeys;
  stream::CommandValidator commands;
  device::PastPrivacyStore privacy_store;
  stream::Privacy privacy;
  stream::CommandExecutor executor;
  stream::Publisher publisher;
};

}  // namespace sealcam::test
