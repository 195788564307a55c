// SPDX-License-Identifier: Apache-2.0
#include "owner/sync/sync.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <set>

#include "base/format.hpp"
#include "crypto/psa.hpp"
#include "owner/account/membership.hpp"
#include "owner/sync/exchange.hpp"
#include "owner/sync/observed_state.hpp"
#include "owner/sync/software.hpp"

namespace sealcam::owner {

namespace {

using namespace std::chrono_literals;
using protocol::Leaf;

/// The broker sends retained messages at once. After this time without a message, all of them have arrived.
constexpr auto max_silence = 3s;

Outgoing outgoing(const Account& account, Leaf leaf, const DeviceId& camera, std::uint64_t number, Bytes message) {
  return {leaf, camera, number, protocol::topic({account.id(), camera}, leaf), std::move(message)};
}

/// After a resynchronization, a command has a number but no content.
bool has_command(const CameraRecord& camera) {
  const auto& command = camera.command;
  return command.newest != protocol::CommandSeq() && (command_unconfirmed(camera) || command.name || command.privacy ||
                                                      command.settings || command.reset || command.update);
}

/// Lists of cameras are last, so that hubs find the rosters. Without `again`, only those that the broker does not have.
Outcome<> collect_indexes(const Account& account, bool again, std::deque<Outgoing>& out) {
  const auto add = [&](const IndexRecord& record, const DeviceId& hub, bool unlinked) -> Outcome<> {
    if (record.version == protocol::IndexVersion()) return {};
    if (record.published == record.version && (unlinked || !again)) return {};
    // The hub is on no roster, so the broker needs no list for it.
    auto message = unlinked ? Outcome<Bytes>(Bytes()) : signed_index(account, hub);
    if (!message) return std::unexpected(message.error());
    out.push_back({Leaf::index, hub, record.version.value(), protocol::index_topic(account.id(), hub),
                   std::move(*message), true});
    return {};
  };
  for (const auto& hub : account.file().hubs)
    if (auto r = add(hub.index, hub.id, hub.unlinked); !r) return r;
  return add(account.file().index, DeviceId(account.id().bytes()), false);
}

Outcome<std::deque<Outgoing>> collect_outgoing(const Account& account, const SyncOptions& options,
                                               const LostWifi& lost) {
  std::deque<Outgoing> out;
  if (!options.publish) return out;
  for (const auto& camera : account.file().cameras) {
    if (camera.out_of_sync) continue;
    const auto due = [&](bool acknowledged, bool unconfirmed) {
      return options.everything || !acknowledged || (options.again && unconfirmed);
    };
    if (due(camera.published == camera.version, roster_unconfirmed(camera))) {
      auto message = signed_roster(account, camera);
      if (!message) return std::unexpected(message.error());
      out.push_back(outgoing(account, Leaf::roster, camera.id, camera.version.value(), std::move(*message)));
    }
    const auto& command = camera.command;
    if (camera.gone || !has_command(camera)) continue;
    if (!due(command.published == command.newest, command_unconfirmed(camera))) continue;
    if (std::ranges::contains(lost.at_broker, camera.id)) continue;
    auto message = signed_command(account, camera);
    if (!message) return std::unexpected(message.error());
    out.push_back(outgoing(account, Leaf::command, camera.id, command.newest.value(), std::move(*message)));
  }
  if (auto r = collect_indexes(account, options.everything || options.again, out); !r)
    return std::unexpected(r.error());
  return out;
}

std::optional<crypto::Digest> hash_of_roster(const Account& account, const CameraRecord& camera) {
  const auto message = signed_roster(account, camera);
  if (!message) return std::nullopt;
  const auto digest = protocol::roster_hash(*message);
  return digest ? std::optional(*digest) : std::nullopt;
}

/// A reset camera has no key for a confirmation. Its deregistration notice is its last message.
bool reset_is_complete(const CameraRecord& camera, const Observed& observed) {
  return camera.command.reset && camera.command.published >= *camera.command.reset && observed.deregistered;
}

/// Records all observations in `file`.
void note_all(const Account& account, AccountFile& file, const ObservedState& state) {
  for (auto& camera : file.cameras) {
    const auto& observed = state.of(camera.id);
    (void)note_observed(camera, observed, hash_of_roster(account, camera));
    if (reset_is_complete(camera, observed)) mark_gone(camera);
  }
  note_confirmed(file);
}

void sort_cameras(const AccountFile& before, const AccountFile& now, SyncReport& report) {
  for (const auto& camera : now.cameras) {
    if (camera.out_of_sync) report.out_of_sync.push_back(camera.id);
    else if (camera.gone || camera.published != camera.version || camera.command.published != camera.command.newest)
      report.pending.push_back(camera.id);
    else if (camera.contradicted) report.contradicted.push_back(camera.id);
    else if (camera.not_stored) report.not_stored.push_back(camera.id);
    else if (is_unconfirmed(camera)) report.waiting.push_back(camera.id);
    else if (const auto it = std::ranges::find(before.cameras, camera.id, &CameraRecord::id);
             it == before.cameras.end() || it->confirmed != camera.confirmed ||
             it->command.applied != camera.command.applied)
      report.confirmed.push_back(camera.id);
  }
}

Outcome<transport::MqttConfig> owner_connection(const Account& account) {
  auto config = broker_connection(account.files().owner());
  if (config) config->maximum_packet_size = protocol::max_control_size + (16U << 10);  // with its MQTT headers
  return config;
}

std::vector<std::string> index_topics(const Account& account) {
  std::vector<std::string> topics = {protocol::index_topic(account.id(), DeviceId(account.id().bytes()))};
  for (const auto& hub : account.file().hubs) topics.push_back(protocol::index_topic(account.id(), hub.id));
  return topics;
}

/// The data that a restore reads about a camera. The roster is first, because it contains the key of an unknown camera.
std::vector<std::string> topics_of(const Account& account, const DeviceId& camera) {
  std::vector<std::string> topics;
  for (const auto leaf : {Leaf::roster, Leaf::command, Leaf::grants, Leaf::status})
    topics.push_back(protocol::topic({account.id(), camera}, leaf));
  return topics;
}

/// Completes a restore with the messages at the broker.
Outcome<> resync(Account& account, const SyncOptions& options, SyncReport& report) {
  auto state = ObservedState::open(account.file(), account.key().public_key());
  if (!state)
    return failure(state.error(), sealcam::format("cannot use the keys in {}", account.files().account().string()));
  const auto complete = [&] {
    return !account.file().resync_pending &&
           std::ranges::all_of(account.file().cameras, [&](const CameraRecord& camera) {
             const auto& observed = state->of(camera.id);
             return !camera.out_of_sync || observed.deregistered || (observed.grants && observed.roster);
           });
  };
  auto config = owner_connection(account);
  if (!config) return std::unexpected(config.error());
  std::set<DeviceId> subscribed;
  auto filters = index_topics(account);
  for (const auto& camera : account.file().cameras)
    if (subscribed.insert(camera.id).second)
      std::ranges::copy(topics_of(account, camera.id), std::back_inserter(filters));
  Exchange* running = nullptr;
  const auto receive = [&](const transport::Message& message) {
    state->observe(message);
    // Cameras that are not in the backup.
    for (const auto& camera : state->listed())
      if (subscribed.insert(camera).second)
        for (const auto& filter : topics_of(account, camera)) running->subscribe(filter);
  };
  Exchange exchange({}, {options.timeout, options.timeout, max_silence, options.once}, receive, complete);
  running = &exchange;
  if (auto r = exchange.run(std::move(*config), filters); !r) return failure(r.error(), "cannot connect to the broker");
  report.reached = exchange.reached();
  report.why_pending = exchange.reached() ? "" : exchange.why();
  if (!exchange.reached()) return {};
  auto next = account.file();
  for (const auto& camera : account.file().cameras)
    if (state->of(camera.id).deregistered) report.gone.push_back(camera.id);
  for (const auto& camera : report.gone) forget_camera(next, camera);
  (void)resync_account(next, *state);
  next.resync_pending = false;
  return account.store(std::move(next));
}

bool lost_roster(const CameraRecord& camera, const Observed& observed) {
  return !camera.out_of_sync && camera.version != protocol::RosterVersion() && camera.published == camera.version &&
         (!observed.roster || observed.roster->version < camera.version);
}

bool lost_command(const CameraRecord& camera, const Observed& observed) {
  return !camera.out_of_sync && !camera.gone && has_command(camera) &&
         camera.command.published == camera.command.newest &&
         observed.command.value_or(protocol::CommandSeq()) < camera.command.newest;
}

bool lost_index(const IndexRecord& record, const DeviceId& hub, const ObservedState& state) {
  return record.version != protocol::IndexVersion() && record.published == record.version &&
         state.index_of(hub) < record.version;
}

/// The broker needs no list for an unlinked hub.
bool lost_index(const HubRecord& hub, const ObservedState& state) {
  return !hub.unlinked && lost_index(hub.index, hub.id, state);
}

bool has_everything(const AccountFile& file, const ObservedState& state) {
  return std::ranges::none_of(file.cameras,
                              [&](const CameraRecord& camera) {
                                return lost_roster(camera, state.of(camera.id)) ||
                                       lost_command(camera, state.of(camera.id));
                              }) &&
         std::ranges::none_of(file.hubs, [&](const HubRecord& hub) { return lost_index(hub, state); }) &&
         !lost_index(file.index, DeviceId(file.account.bytes()), state);
}

/// Marks each message that the broker acknowledged and does not have as not published.
void note_lost(AccountFile& file, const ObservedState& state, SyncReport& report) {
  for (auto& camera : file.cameras) {
    const bool roster = lost_roster(camera, state.of(camera.id)), command = lost_command(camera, state.of(camera.id));
    if (roster) camera.published = protocol::RosterVersion();
    if (command) camera.command.published = protocol::CommandSeq();
    if (roster || command) report.lost.push_back(camera.id);
  }
  const auto note = [&](IndexRecord& record) {
    record.published = protocol::IndexVersion();
    report.lost_index = true;
  };
  for (auto& hub : file.hubs)
    if (lost_index(hub, state)) note(hub.index);
  if (lost_index(file.index, DeviceId(file.account.bytes()), state)) note(file.index);
}

/// Reads the owner's messages that the broker should have retained. A broker can lose them, for example because it
/// restarts without persistence.
Outcome<> find_lost(Account& account, const SyncOptions& options, SyncReport& report) {
  auto state = ObservedState::open(account.file(), account.key().public_key());
  if (!state)
    return failure(state.error(), sealcam::format("cannot use the keys in {}", account.files().account().string()));
  if (has_everything(account.file(), *state)) return {};  // no message was published yet
  auto config = owner_connection(account);
  if (!config) return std::unexpected(config.error());
  auto filters = index_topics(account);
  for (const auto& camera : account.file().cameras)
    for (const auto leaf : {Leaf::roster, Leaf::command})
      filters.push_back(protocol::topic({account.id(), camera.id}, leaf));
  Exchange exchange(
      {}, {options.timeout, options.timeout, max_silence, options.once},
      [&](const transport::Message& message) { state->observe(message); },
      [&] { return has_everything(account.file(), *state); });
  if (auto r = exchange.run(std::move(*config), filters); !r) return failure(r.error(), "cannot connect to the broker");
  report.reached = exchange.reached();
  report.why_pending = exchange.reached() ? "" : exchange.why();
  if (!exchange.reached() || has_everything(account.file(), *state)) return {};
  auto next = account.file();
  note_lost(next, *state, report);
  return options.publish ? account.store(std::move(next)) : Outcome<>();
}

/// Whether the network is still desired. The camera may have confirmed it, or left the account.
bool desires_wifi(const AccountFile& file, const DeviceId& id) {
  const auto it = std::ranges::find(file.cameras, id, &CameraRecord::id);
  return it != file.cameras.end() && it->command.wifi.has_value();
}

Outcome<> begin_resync(Account& account) {
  auto next = account.file();
  for (auto& camera : next.cameras) camera.out_of_sync = camera.out_of_sync || camera.contradicted;
  next.resync_pending = true;
  return account.store(std::move(next));
}

Outcome<> publish_and_listen(Account& account, const SyncOptions& options, SyncReport& report) {
  auto items = collect_outgoing(account, options, report.lost_wifi);
  if (!items) return std::unexpected(items.error());
  const auto& cameras = account.file().cameras;
  const auto awaited = [](const CameraRecord& camera) { return !camera.gone && is_unconfirmed(camera); };
  // A camera may report a Wi-Fi fault or the state of an update long after it confirmed everything.
  const auto may_report = [&](const CameraRecord& camera) { return options.again && !camera.out_of_sync; };
  const bool listens =
      options.listen > 0ms && (std::ranges::any_of(cameras, awaited) || std::ranges::any_of(cameras, may_report));
  if (items->empty() && !listens && (options.publish || report.reached)) return {};
  auto state = ObservedState::open(account.file(), account.key().public_key());
  if (!state)
    return failure(state.error(), sealcam::format("cannot use the keys in {}", account.files().account().string()));
  auto config = owner_connection(account);
  if (!config) return std::unexpected(config.error());

  Exchange* running = nullptr;
  const auto current_state = [&] {
    auto next = account.file();
    note_published(next, running->acknowledged());
    note_all(account, next, *state);
    return next;
  };
  const auto complete = [&] {
    return std::ranges::none_of(current_state().cameras, [&](const CameraRecord& camera) {
      return awaited(camera) || (may_report(camera) && !state->of(camera.id).grants);
    });
  };
  Exchange exchange(
      std::move(*items), {options.timeout, options.listen, 0ms, options.once},
      [&](const transport::Message& message) { state->observe(message); }, complete);
  running = &exchange;
  std::vector<std::string> filters;
  if (listens)
    for (const auto& camera : cameras)
      for (const auto leaf : {Leaf::grants, Leaf::status})
        filters.push_back(protocol::topic({account.id(), camera.id}, leaf));
  if (auto r = exchange.run(std::move(*config), filters); !r) return failure(r.error(), "cannot connect to the broker");
  report.reached = exchange.reached();
  report.why_pending = exchange.why();
  for (const auto& item : exchange.acknowledged())
    if (item.leaf != Leaf::index && !std::ranges::contains(report.published, item.camera))
      report.published.push_back(item.camera);
  if (auto r = account.store(current_state()); !r) return r;
  // The broker retains the grants. So the next sync completes what a power cut or a full disk prevents here.
  return store_grants(account.files(), account.file(), *state);
}

/// Publishes the last messages of cameras that are gone: a roster without hubs, which hubs that were offline receive
/// later, and nothing in place of the command. Then deletes the records. A camera that was reset signed no roster
/// without hubs before.
Outcome<> delete_gone(Account& account, const SyncOptions& options, const Clock& clock, SyncReport& report) {
  const auto leaves = [](const CameraRecord& camera) { return camera.gone && !camera.out_of_sync; };
  if (std::ranges::none_of(account.file().cameras, leaves)) return {};
  if (auto r = renew_rosters(account, clock); !r) return std::unexpected(r.error());
  if (auto r = renew_indexes(account, clock); !r) return std::unexpected(r.error());
  std::deque<Outgoing> items;
  for (const auto& camera : account.file().cameras) {
    if (!leaves(camera)) continue;
    auto roster = signed_roster(account, camera);
    if (!roster) return std::unexpected(roster.error());
    items.push_back(outgoing(account, Leaf::roster, camera.id, camera.version.value(), std::move(*roster)));
    items.push_back(outgoing(account, Leaf::command, camera.id, camera.command.newest.value(), {}));
  }
  if (auto r = collect_indexes(account, false, items); !r) return r;
  auto config = owner_connection(account);
  if (!config) return std::unexpected(config.error());
  Exchange exchange(
      std::move(items), {options.timeout, 0ms, 0ms, options.once}, [](const transport::Message&) {},
      [] { return true; });
  if (auto r = exchange.run(std::move(*config), {}); !r) return failure(r.error(), "cannot connect to the broker");
  report.reached = exchange.reached();
  report.why_pending = exchange.why();
  auto next = account.file();
  note_published(next, exchange.acknowledged());
  for (const auto& camera : account.file().cameras) {
    const auto sent = std::ranges::count(exchange.acknowledged(), camera.id, &Outgoing::camera);
    if (!leaves(camera) || sent < 2) continue;
    report.gone.push_back(camera.id);
    forget_camera(next, camera.id);
  }
  return account.store(std::move(next));
}

}  // namespace

Outcome<SyncReport> sync(Account& account, const SyncOptions& options, const Clock& clock) {
  SyncReport report;
  if (options.resync)
    if (auto r = begin_resync(account); !r) return std::unexpected(r.error());
  const auto before = account.file();
  if (account.file().out_of_sync())
    if (auto r = resync(account, options, report); !r) return std::unexpected(r.error());
  if (options.check && !account.file().resync_pending)
    if (auto r = find_lost(account, options, report); !r) return std::unexpected(r.error());
  if (options.publish)
    if (auto r = renew_rosters(account, clock); !r) return std::unexpected(r.error());
  if (options.publish)
    if (auto r = renew_indexes(account, clock); !r) return std::unexpected(r.error());
  if (options.publish && !account.file().resync_pending) {
    if (auto r = number_decisions(account); !r) return std::unexpected(r.error());
    auto lost = find_lost_wifi(account, options.everything);
    if (!lost) return std::unexpected(lost.error());
    report.lost_wifi = std::move(*lost);
  }
  const auto continues = [&] {
    return !account.file().resync_pending && (report.reached || report.why_pending.empty());
  };
  if (continues())
    if (auto r = publish_and_listen(account, options, report); !r) return std::unexpected(r.error());
  if (options.publish && continues()) {
    // A camera may have reported its software only now.
    const auto numbered = number_decisions(account);
    if (!numbered) return std::unexpected(numbered.error());
    if (*numbered)
      if (auto r = publish_and_listen(account, options, report); !r) return std::unexpected(r.error());
  }
  if (options.publish && continues())
    if (auto r = delete_gone(account, options, clock, report); !r) return std::unexpected(r.error());
  if (auto r = delete_applied_wifi(account.files(), account.file()); !r) return std::unexpected(r.error());
  report.resync_pending = account.file().resync_pending;
  std::erase_if(report.lost_wifi.at_broker, [&](const DeviceId& id) { return !desires_wifi(account.file(), id); });
  std::erase_if(report.lost_wifi.left_out, [&](const DeviceId& id) { return !desires_wifi(account.file(), id); });
  sort_cameras(before, account.file(), report);
  if (report.reached && report.pending.empty()) report.why_pending.clear();
  return report;
}

}  // namespace sealcam::owner
