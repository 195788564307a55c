// SPDX-License-Identifier: Apache-2.0
#include "owner/doctor.hpp"

#include <format>

#include "owner/backup.hpp"
#include "owner/connection.hpp"
#include "owner/pending.hpp"
#include "owner/sync.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {

namespace {

Finding well(std::string what, std::string sentence) { return {std::move(what), EX_OK, std::move(sentence), ""}; }

std::string day(CaptureTime time) {
  const auto since = std::chrono::floor<std::chrono::days>(time.since_epoch);
  return std::format("{:%F}", std::chrono::sys_days(since));
}

/// Certificate, its name and its authority; whether the key belongs to it shows when the broker is visited.
Finding examine_certificate(const std::string& what, const pairing::StateFiles& files, const DeviceId& id) {
  const auto enrolment = pairing::read_enrolment(files);
  if (!enrolment && enrolment.error().code == Errc::not_found)
    return {what, EX_CONFIG, "not admitted at any broker yet",
            "Enrol a device (sealcam camera enroll), or: sealcam account connect --broker DIR"};
  if (!enrolment)
    return {what, EX_CONFIG, std::format("{}: {}", files.enrolment().string(), to_string(enrolment.error())),
            "Delete the file and run: sealcam account connect --broker DIR"};
  const auto name = transport::certificate_name(enrolment->certificate_pem);
  const auto authority = transport::certificate_name(enrolment->ca_pem);
  if (!name || !authority || *name != id.to_string())
    return {what, EX_CONFIG, "the certificate is damaged or another device's",
            std::format("Delete {} and run: sealcam account connect --broker DIR", files.enrolment().string())};
  return well(what, std::format("certified by '{}' for the broker at {} port {}", *authority, enrolment->broker_host,
                                enrolment->broker_port));
}

Finding examine_broker(Account& account, const Clock& clock, std::chrono::milliseconds patience) {
  const auto report =
      sync(account,
           {.once = true,
            .publish = false,
            .patience = patience,
            .listen = examine_cameras(account.file()).exit_code == EX_OK ? std::chrono::milliseconds(0) : patience},
           clock);
  if (!report) return {"broker", report.error().exit_code, report.error().message, "See above"};
  if (report->reached) return well("broker", "reached, and its certificate is the operator's");
  return {"broker", EX_UNAVAILABLE, std::format("not reached: {}", report->why_pending),
          "Start it, check this machine's network, and that its address is the one above"};
}

}  // namespace

Finding examine_clock(CaptureTime now) {
  using namespace std::chrono;
  constexpr auto first = sys_days(year(2025) / 1 / 1), last = sys_days(year(2125) / 1 / 1);
  const auto today = sys_days(floor<days>(now.since_epoch));
  if (today >= first && today < last) return well("clock", std::format("{}, plausible", day(now)));
  return {"clock", EX_CONFIG, std::format("says {}, which cannot be", day(now)),
          "Set it; it stands in rosters and on backups. Mostly: timedatectl set-ntp true"};
}

Finding examine_backup(const AccountFile& account) {
  constexpr std::string_view next_step = "sealcam account backup FILE, and keep FILE on another machine";
  if (!account.backup)
    return {"backup", EX_CONFIG, "none was made: with this disk the account and its cameras are lost",
            std::string(next_step)};
  if (!backup_is_current(account))
    return {"backup", EX_CONFIG,
            std::format("made on {}; the account's devices or names changed since", day(account.backup->made)),
            std::string(next_step)};
  return well("backup", std::format("made on {}, and nothing changed since", day(account.backup->made)));
}

Finding examine_cameras(const AccountFile& account) {
  std::string sentence;
  for (const auto& camera : account.cameras) {
    auto why = pending_sentence(camera);
    if (why.empty() && camera.command.wifi_lost) why = wifi_sentence(camera);
    if (!why.empty()) sentence += std::format("{}'{}': {}", sentence.empty() ? "" : "; ", camera.name, why);
  }
  if (account.learn) sentence = "restored from a backup, and the broker was not asked yet which cameras there are";
  if (sentence.empty())
    return well("cameras", account.cameras.empty()
                               ? "none yet"
                               : std::format("{}, each follows its newest roster and command", account.cameras.size()));
  return {"cameras", EX_TEMPFAIL, sentence, "Start what is off, then: sealcam sync"};
}

std::vector<Finding> examine(const AccountFiles& files, const Clock& clock, std::chrono::milliseconds patience) {
  std::vector<Finding> out = {examine_clock(clock.wall())};
  auto account = Account::open(files);
  if (!account) {
    out.push_back({"account", account.error().exit_code, account.error().message, "As it says"});
    return out;
  }
  out.push_back(
      well("account", std::format("{}, keys and files in {}", account->id().to_string(), files.folder.string())));
  const auto hub = read_card(files.hub(), protocol::Role::hub);
  if (!hub) out.push_back({"this machine's hub", hub.error().exit_code, hub.error().message, "As it says"});
  out.push_back(examine_certificate("owner's certificate", files.owner(), account->key().id()));
  const bool enrolled = out.back().exit_code == EX_OK;
  if (hub) out.push_back(examine_certificate("this machine's certificate", files.hub(), hub->identity.id()));
  if (enrolled) out.push_back(examine_broker(*account, clock, patience));
  out.push_back(examine_cameras(account->file()));
  out.push_back(examine_backup(account->file()));
  return out;
}

}  // namespace sealcam::owner
