// SPDX-License-Identifier: Apache-2.0
#include "owner/sync/software.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/record/recorder.hpp"
#include "owner/sync/sync.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::owner {

namespace {

/// The stored grants of a camera, verified. Errors: not_found, permission, io, those of decode_grants().
Result<protocol::Grants> stored_grants(const AccountFiles& files, const AccountId& account,
                                       const CameraRecord& camera) {
  const auto message = read_file(files.grants(camera.id), protocol::max_control_size);
  if (!message) return std::unexpected(message.error());
  const auto verifier = crypto::Verifier::open(camera.identity);
  if (!verifier) return std::unexpected(verifier.error());
  return protocol::decode_grants(*message, {account, camera.id}, *verifier);
}

std::string why_no_report(const Result<protocol::Grants>& grants) {
  if (!grants) return "run 'sealcam sync' when the camera is on";
  if (grants->grants.size() < protocol::Roster::max_hubs)
    return "the camera reports none, because its program is older than this one";
  return sealcam::format("with {} hubs, a camera has no space for its report; remove a hub with 'sealcam hub unlink'",
                         protocol::Roster::max_hubs);
}

std::uint64_t counter_of(protocol::Epoch epoch) { return epoch.value() >> 32; }

}  // namespace

Outcome<> store_grants(const AccountFiles& files, const AccountFile& account, const ObservedState& state) {
  for (const auto& camera : account.cameras) {
    const auto& observed = state.of(camera.id);
    if (!observed.grants) continue;
    const auto stored = stored_grants(files, account.account, camera);
    if (stored && counter_of(stored->epoch) >= counter_of(observed.grants->epoch)) continue;
    if (auto r = make_private_folder(files.grants()); !r)
      return failure(r.error(), sealcam::format("cannot make the folder {}", files.grants().string()));
    if (auto r = write(files.grants(camera.id), observed.grants_message); !r) return r;
  }
  std::error_code ec;
  std::vector<std::filesystem::path> old;
  for (std::filesystem::directory_iterator it(files.grants(), ec), end; !ec && it != end; it.increment(ec)) {
    const auto name = it->path().filename().string();
    if (std::ranges::none_of(account.cameras, [&](const auto& camera) { return camera.id.to_string() == name; }))
      old.push_back(it->path());
  }
  for (const auto& path : old) std::filesystem::remove(path, ec);
  return {};
}

std::string why_no_software(const AccountFiles& files, const AccountId& account, const CameraRecord& camera) {
  const auto grants = stored_grants(files, account, camera);
  return grants && !grants->software.empty() ? "" : why_no_report(grants);
}

bool reports_software(const AccountFiles& files, const AccountId& account, const CameraRecord& camera) {
  const auto grants = stored_grants(files, account, camera);
  return grants && !grants->software.empty();
}

Outcome<bool> number_decisions(Account& account) {
  auto next = account.file();
  bool changed = false;
  for (auto& camera : next.cameras) {
    auto& update = camera.command.update;
    if (!update || camera.out_of_sync) continue;
    const bool waits = update->since == protocol::CommandSeq();
    const bool reports = reports_software(account.files(), account.id(), camera);
    if (waits ? !reports : reports || update->since <= camera.command.applied) continue;
    desire_update(camera, update->value);
    if (!reports) update->since = protocol::CommandSeq();
    changed = true;
  }
  if (changed)
    if (auto r = account.store(std::move(next)); !r) return std::unexpected(r.error());
  return changed;
}

ObservedSoftware observed_software(const AccountFiles& files, const AccountId& account, const CameraRecord& camera,
                                   const crypto::DeviceKeys* hub) {
  ObservedSoftware observed;
  const auto grants = stored_grants(files, account, camera);
  if (!grants || grants->software.empty() || hub == nullptr) {
    observed.why = "version unknown: " + why_no_report(grants);
    return observed;
  }
  observed.created = grants->created;
  const protocol::Route route{account, camera.id};
  const auto content = protocol::open_grant(*grants, route, hub->identity.id(), hub->hpke);
  const auto report = content ? protocol::open_software_report(*grants, route, *content)
                              : Result<protocol::SoftwareReport>(std::unexpected(content.error()));
  if (report) observed.report = *report;
  else
    observed.why = sealcam::format(
        "version unknown: this machine cannot open the report ({}); check with 'sealcam hub list' that it may watch "
        "the camera, and run 'sealcam sync'",
        to_string(report.error()));
  return observed;
}

ObservedSoftware SoftwareReader::read(const AccountId& account, const CameraRecord& camera) {
  if (!hub_ && reports_software(files_, account, camera)) hub_.emplace(open_machine_hub(files_));
  if (hub_ && !*hub_) return {.report = {}, .created = {}, .why = "version unknown: " + hub_->error().message};
  return observed_software(files_, account, camera, hub_ ? &(*hub_)->keys() : nullptr);
}

std::string software_text(const ObservedSoftware& software) {
  if (!software.report) return software.why;
  const auto version = printable(software.report->version, protocol::UpdateStatus::max_version);
  if (!software.report->update) return sealcam::format("version {}", version);
  return sealcam::format("version {}, {}", version, protocol::to_text(*software.report->update));
}

}  // namespace sealcam::owner
