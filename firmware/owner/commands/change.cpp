// SPDX-License-Identifier: Apache-2.0
#include "owner/commands/change.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.hpp"
#include "owner/broker/authorization.hpp"

namespace sealcam::owner {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_text(double number) { return nlohmann::json(number).dump(); }

std::string json_text(const std::vector<DeviceId>& ids) {
  auto json = nlohmann::json::array();
  for (const auto& id : ids) json.push_back(id.to_string());
  return json.dump();
}

namespace {

/// Cameras with a new roster or a new command.
std::vector<DeviceId> affected_cameras(const AccountFile& before, const AccountFile& now) {
  std::vector<DeviceId> out;
  for (const auto& camera : now.cameras) {
    const auto it = std::ranges::find(before.cameras, camera.id, &CameraRecord::id);
    if (it == before.cameras.end() || it->version != camera.version || it->command.newest != camera.command.newest)
      out.push_back(camera.id);
  }
  return out;
}

bool all_confirmed(const AccountFile& account, const std::vector<DeviceId>& cameras) {
  return std::ranges::none_of(account.cameras, [&](const CameraRecord& camera) {
    return std::ranges::contains(cameras, camera.id) && is_unconfirmed(camera);
  });
}

void print_report(const SyncReport& report, const AccountFile& account, const std::string& note, bool done) {
  const auto text = report_text(report, account);
  if (!text.empty()) sealcam::println("{}", text);
  if (!note.empty()) sealcam::println("{}", note);
  if (done && report.confirmed.empty() && report.gone.empty()) sealcam::println("done");
}

}  // namespace

Outcome<> check_in_sync(const AccountFile& account) {
  if (!account.out_of_sync()) return {};
  return failure(
      EX_TEMPFAIL,
      "the account was restored from a backup, and not all cameras have reported their rosters; run 'sealcam "
      "sync', or 'sealcam camera remove NAME --forget' for a camera that no longer exists");
}

Outcome<> remember_broker(Account& account, const Operator& broker) {
  const auto folder = broker.folder().string();
  if (folder.empty() || account.file().broker_folder == folder) return {};
  auto next = account.file();
  next.broker_folder = folder;
  return account.store(std::move(next));
}

Outcome<> publish_new(const Dependencies& deps, Account& account, std::string_view kind, const std::string& name,
                      const Enrolled& enrolled) {
  const auto report =
      sync(account, {.everything = false, .once = true, .timeout = std::chrono::seconds(5)}, deps.clock);
  if (!report) return std::unexpected(report.error());
  if (deps.json) {
    JsonObject json;
    json.add("id", enrolled.id.to_string())
        .add("name", name)
        .add("role", kind)
        .add("account", account.id().to_string())
        .add("broker_reloaded", enrolled.reloaded)
        .add("published", report->published)
        .add("pending", report->pending)
        .add("why_pending", report->why_pending);
    if (!enrolled.model.empty()) json.add("model", enrolled.model);
    print_json(json);
    return {};
  }
  sealcam::println("{} '{}' is in the account; its id is {}", kind, name, enrolled.id.to_string());
  if (const auto text = report_text(*report, account.file()); !text.empty()) sealcam::println("{}", text);
  return {};
}

Outcome<> make_change(const Dependencies& deps, const ChangeOptions& options, const Change& change,
                      const Afterwards& afterwards) {
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  const auto before = account->file();
  auto next = before;
  if (auto r = change(*account, next); !r) return r;
  if (auto r = account->store(std::move(next)); !r) return r;
  const auto report = sync(*account,
                           {.once = true,
                            .timeout = std::chrono::seconds(5),
                            .listen = std::chrono::milliseconds(static_cast<std::int64_t>(options.wait * 1000))},
                           deps.clock);
  if (!report) return std::unexpected(report.error());
  const auto affected = affected_cameras(before, account->file());
  std::string note;
  if (afterwards) {
    auto text = afterwards(*account, *report);
    if (!text) return std::unexpected(text.error());
    note = std::move(*text);
  }
  const bool done = all_confirmed(account->file(), affected);
  if (deps.json) print_json(report_json(*report).add("affected", affected).add("done", done).add("note", note));
  else print_report(*report, account->file(), note, done);
  return done ? Outcome<>() : failure(EX_TEMPFAIL, "");
}

Outcome<std::string> revoke_at_broker(const AccountFile& account, const ChangeOptions& options,
                                      const DeviceId& device) {
  const auto folder = options.broker.empty() ? account.broker_folder : options.broker;
  std::error_code ec;
  if (folder.empty() || (options.broker.empty() && !std::filesystem::exists(folder, ec)))
    return sealcam::format("the broker still accepts the device; ask its operator to run: sealcam broker revoke DIR {}",
                           device.to_string());
  const auto revoked = revoke({folder}, device);
  if (revoked && revoked->cleared) return sealcam::format("revoked at the broker in {}", folder);
  if (revoked)
    return sealcam::format(
        "revoked in {}, but the broker {} ({}): the device may still be connected; when the broker runs, run: sealcam "
        "broker revoke {} {}",
        folder, revoked->reloaded ? "did not end its session" : "did not read the new lists", revoked->why_not, folder,
        device.to_string());
  if (revoked.error().exit_code == EX_NOINPUT) return "";  // was not authorized
  return std::unexpected(revoked.error());
}

JsonObject report_json(const SyncReport& report) {
  JsonObject json;
  json.add("reached", report.reached)
      .add("lost", report.lost)
      .add("lost_index", report.lost_index)
      .add("published", report.published)
      .add("pending", report.pending)
      .add("waiting", report.waiting)
      .add("confirmed", report.confirmed)
      .add("contradicted", report.contradicted)
      .add("not_stored", report.not_stored)
      .add("out_of_sync", report.out_of_sync)
      .add("gone", report.gone)
      .add("wifi_left_out", report.lost_wifi.left_out)
      .add("wifi_at_broker", report.lost_wifi.at_broker)
      .add("settled", report.settled())
      .add("why_pending", report.why_pending);
  return json;
}

}  // namespace sealcam::owner
