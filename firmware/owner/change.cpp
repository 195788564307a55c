// SPDX-License-Identifier: Apache-2.0
#include "owner/change.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/admission.hpp"
#include "owner/pending.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

/// Cameras that have something new to follow since `before`.
std::vector<DeviceId> concerned(const AccountFile& before, const AccountFile& now) {
  std::vector<DeviceId> out;
  for (const auto& camera : now.cameras) {
    const auto it = std::ranges::find(before.cameras, camera.id, &CameraRecord::id);
    if (it == before.cameras.end() || it->version != camera.version || it->command.newest != camera.command.newest)
      out.push_back(camera.id);
  }
  return out;
}

std::vector<DeviceId> still_waiting(const AccountFile& account, const std::vector<DeviceId>& cameras) {
  std::vector<DeviceId> out;
  for (const auto& camera : account.cameras)
    if (std::ranges::contains(cameras, camera.id) && waits(camera)) out.push_back(camera.id);
  return out;
}

void say(const std::string& words) {
  if (!words.empty()) std::println("{}", words);
}

}  // namespace

Outcome<> may_change(const AccountFile& account) {
  if (!account.unlearned()) return {};
  return failure(EX_TEMPFAIL,
                 "This account was restored from a backup, and not every camera said yet which roster it follows. Run: "
                 "sealcam sync (a camera that is gone for good: sealcam camera remove NAME --forget)");
}

Outcome<> remember_broker(Account& account, const Operator& broker) {
  const auto folder = broker.folder().string();
  if (folder.empty() || account.file().broker_folder == folder) return {};
  auto next = account.file();
  next.broker_folder = folder;
  return account.store(std::move(next));
}

void add_wait_option(CLI::App& command, const std::shared_ptr<ChangeOptions>& options) {
  command.add_option("--wait", options->wait, "Seconds to wait for the cameras to confirm it")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  command.fallthrough();
}

void add_expel_options(CLI::App& command, const std::shared_ptr<ChangeOptions>& options) {
  add_wait_option(command, options);
  // Absolute at once: opening an account changes the working folder.
  command.add_option_function<std::string>(
      "--broker", [options](const std::string& folder) { options->broker = absolute(folder).string(); },
      "Folder of the broker, to take its access away (default: where devices were enrolled)");
}

Outcome<> make_change(const Context& context, const ChangeOptions& options, const Change& change,
                      const Afterwards& afterwards) {
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  const auto before = account->file();
  auto next = before;
  if (auto r = change(*account, next); !r) return r;
  if (auto r = account->store(std::move(next)); !r) return r;
  const auto report = sync(*account,
                           {.once = true,
                            .patience = std::chrono::seconds(5),
                            .listen = std::chrono::milliseconds(static_cast<std::int64_t>(options.wait * 1000))},
                           context.clock);
  if (!report) return std::unexpected(report.error());
  const auto cameras = concerned(before, account->file());
  std::string words;
  if (afterwards) {
    auto more = afterwards(*account, *report);
    if (!more) return std::unexpected(more.error());
    words = std::move(*more);
  }
  const auto waiting = still_waiting(account->file(), cameras);
  if (context.json) {
    auto json = Json::parse(report_json(*report));
    json["concerned"] = texts(cameras);
    json["done"] = waiting.empty();
    json["note"] = words;
    std::println("{}", json.dump());
  } else {
    say(describe(*report, account->file()));
    say(words);
    if (waiting.empty() && report->confirmed.empty() && report->gone.empty()) say("done");
  }
  return waiting.empty() ? Outcome<>() : failure(EX_TEMPFAIL, "");
}

Outcome<std::string> expel_where_known(const AccountFile& account, const ChangeOptions& options,
                                       const DeviceId& device) {
  const auto folder = options.broker.empty() ? account.broker_folder : options.broker;
  std::error_code ec;
  if (folder.empty() || (options.broker.empty() && !std::filesystem::exists(folder, ec)))
    return std::format("The broker still lets it in. Ask its operator for: sealcam broker expel DIR {}",
                       device.to_string());
  const auto reloaded = expel({folder}, device);
  if (reloaded) return std::format("the broker in {} lets it in no more", folder);
  if (reloaded.error().exit_code == EX_NOINPUT) return "";  // was not admitted there
  return std::unexpected(reloaded.error());
}

}  // namespace sealcam::owner
