// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "base/format.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "owner/account/backup.hpp"
#include "owner/commands/change.hpp"
#include "owner/commands/commands.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

namespace {

/// The result of one check.
struct Finding {
  std::string what;       ///< short name of the check
  int exit_code = EX_OK;  ///< EX_OK: no problem
  std::string message;
  std::string next_step;  ///< empty: no problem, or the message has it
};

Finding ok(std::string what, std::string message) { return {std::move(what), EX_OK, std::move(message), ""}; }

std::string day(CaptureTime time) {
  const auto since = std::chrono::floor<std::chrono::days>(time.since_epoch);
  return sealcam::format("{:%F}", std::chrono::sys_days(since));
}

/// Checks the certificate, its name and its authority. The check of the broker shows whether the key matches.
Finding diagnose_certificate(const std::string& what, const device::StateFiles& files, const DeviceId& id) {
  const auto enrollment = device::read_enrollment(files);
  if (!enrollment && enrollment.error().code == Errc::not_found)
    return {what, EX_CONFIG, "not authorized at a broker",
            "pair a device with 'sealcam camera pair', or run: sealcam account connect --broker DIR"};
  if (!enrollment)
    return {what, EX_CONFIG, sealcam::format("{}: {}", files.enrollment().string(), to_string(enrollment.error())),
            "delete the file and run: sealcam account connect --broker DIR"};
  const auto name = transport::certificate_name(enrollment->certificate_pem);
  const auto authority = transport::certificate_name(enrollment->ca_pem);
  if (!name || !authority || *name != id.to_string())
    return {what, EX_CONFIG, "the certificate is damaged, or it is for another device",
            sealcam::format("delete {} and run: sealcam account connect --broker DIR", files.enrollment().string())};
  return ok(what, sealcam::format("certificate of '{}' for the broker at {} port {}", *authority,
                                  enrollment->broker_host, enrollment->broker_port));
}

/// Nothing if all files are complete. Account::open() checked the owner's own keys.
std::optional<Finding> diagnose_files(const AccountFiles& files) {
  constexpr const char* next_step =
      "restore the folder from a copy, or the account in a new folder from a backup: sealcam account restore FILE "
      "--account DIR";
  if (const auto empty = device::find_empty_file(files.folder))
    return Finding{"files", EX_CONFIG, sealcam::format("{} is empty, as after a power cut", empty->string()),
                   next_step};
  if (const auto key = device::read_tls_key(files.hub()); !key)
    return Finding{"files", EX_CONFIG, to_string(key.error()), next_step};
  return std::nullopt;
}

Finding diagnose_clock(CaptureTime now) {
  if (is_plausible(now)) return ok("clock", sealcam::format("{}", day(now)));
  return {"clock", EX_CONFIG, sealcam::format("the date {} is wrong", day(now)),
          "set the clock, for example with: timedatectl set-ntp true"};
}

Finding diagnose_backup(const AccountFile& account) {
  constexpr std::string_view next_step = "run 'sealcam account backup FILE', and keep FILE on another machine";
  if (!account.backup)
    return {"backup", EX_CONFIG, "there is no backup, so the account is lost if this disk fails",
            std::string(next_step)};
  if (!backup_is_current(account))
    return {"backup", EX_CONFIG,
            sealcam::format("the backup of {} is old: devices or names changed after it", day(account.backup->made)),
            std::string(next_step)};
  return ok("backup", sealcam::format("made on {}, and still current", day(account.backup->made)));
}

Finding diagnose_cameras(const AccountFile& account) {
  std::string message;
  for (const auto& camera : account.cameras) {
    auto why = pending_text(camera);
    if (why.empty() && camera.command.wifi_lost) why = wifi_text(camera);
    if (!why.empty()) message += sealcam::format("{}'{}': {}", message.empty() ? "" : "; ", camera.name, why);
  }
  if (account.resync_pending) message = "restored from a backup, and the cameras at the broker were not read yet";
  if (message.empty())
    return ok("cameras", account.cameras.empty()
                             ? "no cameras"
                             : sealcam::format("{}, and all confirmed their desired state", account.cameras.size()));
  return {"cameras", EX_TEMPFAIL, message, "switch these cameras on, then run: sealcam sync"};
}

Finding diagnose_broker(Account& account, const Clock& clock, std::chrono::milliseconds timeout) {
  const auto report =
      sync(account,
           {.once = true,
            .check = true,
            .publish = false,
            .timeout = timeout,
            .listen = diagnose_cameras(account.file()).exit_code == EX_OK ? std::chrono::milliseconds(0) : timeout},
           clock);
  if (!report) return {"broker", report.error().exit_code, report.error().message, ""};
  if (!report->lost.empty() || report->lost_index)
    return {"broker", EX_TEMPFAIL,
            report->lost.empty()
                ? "it lost the lists of cameras for hubs"
                : sealcam::format("it lost rosters or commands of {}", names_of(account.file(), report->lost)),
            "run: sealcam sync; the broker must store retained messages (Mosquitto: 'persistence true')"};
  if (report->reached) return ok("broker", "reached, with a certificate of the operator");
  return {"broker", EX_UNAVAILABLE, sealcam::format("not reachable: {}", report->why_pending),
          "start the broker, and check the network of this machine and the broker's address above"};
}

/// Makes all checks. A check that depends on a failed one is left out. Publishes nothing.
std::vector<Finding> diagnose(const AccountFiles& files, const Clock& clock, std::chrono::milliseconds timeout) {
  std::vector<Finding> out = {diagnose_clock(clock.wall())};
  auto account = Account::open(files);
  if (!account) {
    out.push_back({"account", account.error().exit_code, account.error().message, ""});
    return out;
  }
  out.push_back(
      ok("account", sealcam::format("{}, keys and files in {}", account->id().to_string(), files.folder.string())));
  if (auto finding = diagnose_files(files)) out.push_back(std::move(*finding));
  const auto hub = read_device_descriptor(files.hub(), protocol::Role::hub);
  if (!hub) out.push_back({"this machine's hub", hub.error().exit_code, hub.error().message, ""});
  out.push_back(diagnose_certificate("owner's certificate", files.owner(), account->key().id()));
  const bool enrolled = out.back().exit_code == EX_OK;
  if (hub) out.push_back(diagnose_certificate("this machine's certificate", files.hub(), hub->identity.id()));
  if (enrolled) out.push_back(diagnose_broker(*account, clock, timeout));
  out.push_back(diagnose_cameras(account->file()));
  out.push_back(diagnose_backup(account->file()));
  return out;
}

}  // namespace

Outcome<> run_doctor(const Dependencies& deps, const DoctorArguments& arguments) {
  const auto findings = diagnose(deps.account(), deps.clock,
                                 std::chrono::milliseconds(static_cast<std::int64_t>(arguments.seconds * 1000)));
  JsonArray json;
  int exit_code = EX_OK;
  for (const auto& finding : findings) {
    if (exit_code == EX_OK) exit_code = finding.exit_code;
    const bool is_well = finding.exit_code == EX_OK;
    if (deps.json)
      json.add(JsonObject()
                   .add("what", finding.what)
                   .add("well", is_well)
                   .add("message", finding.message)
                   .add("next_step", finding.next_step));
    else
      sealcam::println("{} {}: {}{}{}", is_well ? "ok  " : "FAIL", finding.what, finding.message,
                       finding.next_step.empty() ? "" : "\n     next step: ", finding.next_step);
  }
  if (deps.json) print_json(json);
  return exit_code == EX_OK ? Outcome<>() : failure(exit_code, "");
}

}  // namespace sealcam::owner
