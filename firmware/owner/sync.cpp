// SPDX-License-Identifier: Apache-2.0
#include "owner/sync.hpp"

#include <algorithm>
#include <deque>
#include <format>

#include "crypto/sha256.hpp"
#include "owner/confirm.hpp"
#include "owner/exchange.hpp"
#include "owner/membership.hpp"
#include "owner/pending.hpp"
#include "owner/rosters.hpp"

namespace sealcam::owner {

namespace {

using namespace std::chrono_literals;
using protocol::Leaf;

/// Retained messages come at once; silence of this length says that there are no more.
constexpr auto longest_silence = 3s;

bool roster_waits(const CameraRecord& camera) { return camera.confirmed != camera.version; }

Outgoing outgoing(const Account& account, Leaf leaf, const DeviceId& camera, std::uint64_t number, Bytes message) {
  return {leaf, camera, number, protocol::topic({account.id(), camera}, leaf), std::move(message)};
}

Outcome<std::deque<Outgoing>> what_to_publish(const Account& account, const SyncOptions& options,
                                              const LostWifi& lost) {
  std::deque<Outgoing> out;
  if (!options.publish) return out;
  for (const auto& camera : account.file().cameras) {
    if (camera.unlearned) continue;
    const auto due = [&](bool acknowledged, bool waits) {
      return options.everything || !acknowledged || (options.again && waits);
    };
    if (due(camera.published == camera.version, roster_waits(camera))) {
      auto message = signed_roster(account, camera);
      if (!message) return std::unexpected(message.error());
      out.push_back(outgoing(account, Leaf::roster, camera.id, camera.version.value(), std::move(*message)));
    }
    const auto& command = camera.command;
    // One that was learned after a restore has a number and no content.
    if (command.newest == CommandSeq() ||
        (!command_waits(camera) && !command.name && !command.privacy && !command.settings && !command.reset))
      continue;
    if (!due(command.published == command.newest, command_waits(camera))) continue;
    if (std::ranges::contains(lost.at_broker, camera.id)) continue;
    auto message = signed_command(account, camera);
    if (!message) return std::unexpected(message.error());
    out.push_back(outgoing(account, Leaf::command, camera.id, command.newest.value(), std::move(*message)));
  }
  return out;
}

void note_published(AccountFile& file, const std::vector<Outgoing>& done) {
  for (const auto& item : done) {
    const auto it = std::ranges::find(file.cameras, item.camera, &CameraRecord::id);
    if (it == file.cameras.end()) continue;
    if (item.leaf == Leaf::roster) it->published = RosterVersion(item.number);
    else it->command.published = CommandSeq(item.number);
  }
}

std::optional<crypto::Digest> hash_of_roster(const Account& account, const CameraRecord& camera) {
  const auto message = signed_roster(account, camera);
  if (!message) return std::nullopt;
  const auto digest = crypto::sha256(*message);
  return digest ? std::optional(*digest) : std::nullopt;
}

/// A reset camera has no key left to confirm with: its goodbye is the last of it.
bool reset_is_over(const CameraRecord& camera, const Heard& heard) {
  return camera.command.reset && camera.command.published >= *camera.command.reset && heard.left;
}

/// Everything that was heard, in a copy of the account. Returns the cameras that went.
std::vector<DeviceId> note_all(const Account& account, AccountFile& file, const Hearing& hearing) {
  std::vector<DeviceId> gone;
  for (auto& camera : file.cameras) {
    const auto& heard = hearing.of(camera.id);
    (void)note_heard(camera, heard, hash_of_roster(account, camera));
    if (reset_is_over(camera, heard)) gone.push_back(camera.id);
  }
  for (const auto& camera : gone) forget_camera(file, camera);
  auto more = drop_finished(file);
  gone.insert(gone.end(), more.begin(), more.end());
  return gone;
}

void describe_cameras(const AccountFile& before, const AccountFile& now, SyncReport& report) {
  for (const auto& camera : now.cameras) {
    if (camera.unlearned) report.unlearned.push_back(camera.id);
    else if (camera.published != camera.version || camera.command.published != camera.command.newest)
      report.pending.push_back(camera.id);
    else if (camera.contradicted) report.contradicted.push_back(camera.id);
    else if (waits(camera)) report.waiting.push_back(camera.id);
    else if (const auto it = std::ranges::find(before.cameras, camera.id, &CameraRecord::id);
             it == before.cameras.end() || it->confirmed != camera.confirmed ||
             it->command.obeyed != camera.command.obeyed)
      report.confirmed.push_back(camera.id);
  }
}

Outcome<transport::MqttConfig> owners_connection(const Account& account) {
  auto config = broker_connection(account.files().owner());
  if (config) config->maximum_packet_size = 80U << 10;  // a control message and what is around it
  return config;
}

/// What a restore left open: the broker is asked what is there.
Outcome<> learn_again(Account& account, const SyncOptions& options, SyncReport& report) {
  auto hearing = Hearing::open(account.file(), account.key().public_key());
  if (!hearing) return failure(hearing.error(), account.files().account().string());
  const auto satisfied = [&] {
    return !account.file().learn && std::ranges::all_of(account.file().cameras, [&](const CameraRecord& camera) {
      const auto& heard = hearing->of(camera.id);
      return !camera.unlearned || heard.left || (heard.grants && heard.roster);
    });
  };
  auto config = owners_connection(account);
  if (!config) return std::unexpected(config.error());
  Exchange exchange(
      {}, {options.patience, options.patience, longest_silence, options.once},
      [&](const transport::Message& message) { hearing->hear(message); }, satisfied);
  std::vector<std::string> filters;
  // Rosters first: they name the keys of cameras that the backup does not know.
  for (const auto leaf : {Leaf::roster, Leaf::command, Leaf::grants, Leaf::status})
    filters.push_back(protocol::account_filter(account.id(), leaf));
  if (auto r = exchange.run(std::move(*config), filters); !r) return failure(r.error(), "Connecting to the broker");
  report.reached = exchange.reached();
  report.why_pending = exchange.reached() ? "" : exchange.why();
  if (!exchange.reached()) return {};
  auto next = account.file();
  for (const auto& camera : account.file().cameras)
    if (hearing->of(camera.id).left) report.gone.push_back(camera.id);
  for (const auto& camera : report.gone) forget_camera(next, camera);
  (void)learn(next, *hearing);
  next.learn = false;
  return account.store(std::move(next));
}

/// A camera that confirms meanwhile has its network, one that is gone needs none.
bool wants_wifi(const AccountFile& file, const DeviceId& id) {
  const auto it = std::ranges::find(file.cameras, id, &CameraRecord::id);
  return it != file.cameras.end() && it->command.wifi.has_value();
}

Outcome<> begin_learning(Account& account) {
  auto next = account.file();
  for (auto& camera : next.cameras) camera.unlearned = camera.unlearned || camera.contradicted;
  next.learn = true;
  return account.store(std::move(next));
}

/// Whether a camera that obeyed may have more to say: what came of a Wi-Fi network it knows only minutes later.
bool may_have_news(const CameraRecord& camera) { return !camera.unlearned && camera.command.obeyed != CommandSeq(); }

Outcome<> publish_and_listen(Account& account, const SyncOptions& options, SyncReport& report) {
  auto items = what_to_publish(account, options, report.lost_wifi);
  if (!items) return std::unexpected(items.error());
  const auto& cameras = account.file().cameras;
  const bool listens = options.listen > 0ms && (std::ranges::any_of(cameras, waits) ||
                                                (options.again && std::ranges::any_of(cameras, may_have_news)));
  if (items->empty() && !listens && options.publish) return {};
  auto hearing = Hearing::open(account.file(), account.key().public_key());
  if (!hearing) return failure(hearing.error(), account.files().account().string());
  auto config = owners_connection(account);
  if (!config) return std::unexpected(config.error());

  Exchange* running = nullptr;
  const auto heard_so_far = [&] {
    auto next = account.file();
    note_published(next, running->acknowledged());
    auto gone = note_all(account, next, *hearing);
    return std::pair(std::move(next), std::move(gone));
  };
  const auto satisfied = [&] {
    const auto [next, gone] = heard_so_far();
    return std::ranges::none_of(next.cameras, [&](const CameraRecord& camera) {
      return waits(camera) || (options.again && may_have_news(camera) && !hearing->of(camera.id).grants);
    });
  };
  Exchange exchange(
      std::move(*items), {options.patience, options.listen, 0ms, options.once},
      [&](const transport::Message& message) { hearing->hear(message); }, satisfied);
  running = &exchange;
  const std::vector<std::string> filters = {protocol::account_filter(account.id(), Leaf::grants),
                                            protocol::account_filter(account.id(), Leaf::status)};
  if (auto r = exchange.run(std::move(*config), listens ? filters : std::vector<std::string>()); !r)
    return failure(r.error(), "Connecting to the broker");
  report.reached = exchange.reached();
  report.why_pending = exchange.why();
  for (const auto& item : exchange.acknowledged())
    if (!std::ranges::contains(report.published, item.camera)) report.published.push_back(item.camera);
  auto [next, gone] = heard_so_far();
  report.gone.insert(report.gone.end(), gone.begin(), gone.end());
  return account.store(std::move(next));
}

}  // namespace

Outcome<SyncReport> sync(Account& account, const SyncOptions& options, const Clock& clock) {
  SyncReport report;
  if (options.learn)
    if (auto r = begin_learning(account); !r) return std::unexpected(r.error());
  const auto before = account.file();
  if (account.file().unlearned())
    if (auto r = learn_again(account, options, report); !r) return std::unexpected(r.error());
  if (options.publish)
    if (auto r = renew_rosters(account, clock); !r) return std::unexpected(r.error());
  if (options.publish && !account.file().learn) {
    auto lost = look_for_lost_wifi(account, options.everything);
    if (!lost) return std::unexpected(lost.error());
    report.lost_wifi = std::move(*lost);
  }
  if (!account.file().learn)
    if (auto r = publish_and_listen(account, options, report); !r) return std::unexpected(r.error());
  if (auto r = forget_wifi(account.files(), account.file()); !r) return std::unexpected(r.error());
  report.learning = account.file().learn;
  std::erase_if(report.lost_wifi.at_broker, [&](const DeviceId& id) { return !wants_wifi(account.file(), id); });
  std::erase_if(report.lost_wifi.left_out, [&](const DeviceId& id) { return !wants_wifi(account.file(), id); });
  describe_cameras(before, account.file(), report);
  if (report.reached && report.pending.empty()) report.why_pending.clear();
  return report;
}

}  // namespace sealcam::owner
