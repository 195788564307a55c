// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ranges>

#include "base/config.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "owner/account/membership.hpp"
#include "owner/commands/change.hpp"
#include "owner/console.hpp"
#include "owner/sync/software.hpp"
#include "owner/sync/sync.hpp"

namespace sealcam::owner {

namespace {

/// Finds a camera that may receive commands.
Outcome<CameraRecord*> find_mutable(AccountFile& next, const std::string& text) {
  if (auto r = check_in_sync(next); !r) return std::unexpected(r.error());
  const auto found = find_camera(next, text);
  if (!found) return std::unexpected(found.error());
  auto& camera = next.cameras[static_cast<std::size_t>(*found - next.cameras.data())];
  if (camera.removed || camera.command.reset)
    return failure(EX_USAGE, sealcam::format("'{}' is being removed from the account; see the progress with 'sealcam "
                                             "sync'",
                                             camera.name));
  return &camera;
}

/// Changes the desired state of one camera.
Outcome<> change_camera(const Dependencies& deps, const CameraArguments& arguments,
                        const std::function<Outcome<>(const Account&, AccountFile&, CameraRecord&)>& change) {
  return make_change(deps, arguments.change, [&](const Account& account, AccountFile& next) -> Outcome<> {
    const auto camera = find_mutable(next, arguments.camera);
    if (!camera) return std::unexpected(camera.error());
    return change(account, next, **camera);
  });
}

/// A reset and a transfer differ only in their notes.
Outcome<> reset(const Dependencies& deps, const CameraArguments& arguments, bool transfer) {
  DeviceId id;
  const auto change = [&](const Account&, AccountFile& next) -> Outcome<> {
    const auto camera = find_mutable(next, arguments.camera);
    if (!camera) return std::unexpected(camera.error());
    id = (*camera)->id;
    desire_reset(**camera);
    return {};
  };
  const auto afterwards = [&](Account& account, const SyncReport& report) -> Outcome<std::string> {
    if (!std::ranges::contains(report.gone, id))
      return sealcam::format(
          "the camera has not published its deregistration notice; if you can see that the camera is "
          "reset, run: sealcam camera remove {} --forget",
          arguments.camera);
    auto note = revoke_at_broker(account.file(), arguments.change, id);
    if (note && transfer)
      *note +=
          std::string(note->empty() ? "" : "\n") + "the camera is unpaired; its new owner runs: sealcam camera pair";
    return note;
  };
  return make_change(deps, arguments.change, change, afterwards);
}

/// The areas of an option: nothing without it, an empty list to remove all.
Outcome<std::optional<PictureAreas>> parse_areas(const std::vector<std::string>& texts, bool none) {
  if (texts.empty()) return none ? std::optional(PictureAreas()) : std::nullopt;
  if (none) return failure(EX_USAGE, "areas cannot be set and removed at the same time");
  if (texts.size() > max_picture_areas)
    return failure(EX_USAGE,
                   sealcam::format("a camera has at most {} masks and as many zones; give fewer", max_picture_areas));
  PictureAreas areas;
  for (const auto& text : texts) {
    const auto area = parse_picture_area(text);
    if (!area)
      return failure(
          EX_USAGE, sealcam::format("'{}' is not an area: {}; the left half is 0,0,500,1000", text, area.error().what));
    areas.push_back(*area);
  }
  return areas;
}

/// The motion detector compares blocks of the picture. A thin zone has too few of them, so that it never reports
/// motion.
Outcome<> check_zones(const PictureAreas& zones) {
  constexpr auto width = protocol::CameraSettings::min_zone_width, height = protocol::CameraSettings::min_zone_height;
  for (const auto& zone : zones)
    if (zone.width < width || zone.height < height)
      return failure(EX_USAGE,
                     sealcam::format(
                         "the zone '{}' is too small to find motion in it: make each zone at least {} wide and {} high",
                         to_string(zone), width, height));
  return {};
}

std::string areas_text(const std::optional<PictureAreas>& areas) {
  std::string text;
  for (const auto& area : areas.value_or(PictureAreas())) text += (text.empty() ? "" : " ") + to_string(area);
  return text;
}

/// For the list of cameras.
std::string area_settings_text(const CameraRecord& camera) {
  const auto settings = camera.command.settings ? camera.command.settings->value : protocol::CameraSettings();
  std::string text;
  if (const auto masks = settings.masks.value_or(PictureAreas()).size(); masks > 0)
    text += sealcam::format(", {} privacy masks", masks);
  const auto motion = settings.motion.value_or(protocol::CameraSettings::usual_motion);
  text += motion == 0 ? ", motion off (a hub with the mode 'motion' records nothing)"
                      : sealcam::format(", motion {}", motion);
  if (const auto zones = settings.zones.value_or(PictureAreas()).size(); zones > 0)
    text += sealcam::format(" in {} zones", zones);
  return text;
}

JsonObject desired_json(const CommandRecord& command) {
  JsonObject json;
  json.add("newest", command.newest.value())
      .add("published", command.published.value())
      .add("applied", command.applied.value());
  if (command.privacy) json.add("privacy", command.privacy->value);
  if (command.settings && command.settings->value.bitrate)
    json.add("bitrate", command.settings->value.bitrate->value());
  if (command.settings && command.settings->value.size)
    json.add("size",
             sealcam::format("{}x{}", command.settings->value.size->width, command.settings->value.size->height));
  if (command.settings && command.settings->value.frames_per_second)
    json.add("rate", *command.settings->value.frames_per_second);
  if (command.settings) {
    json.add("masks", areas_text(command.settings->value.masks))
        .add("motion", command.settings->value.motion.value_or(protocol::CameraSettings::usual_motion))
        .add("zones", areas_text(command.settings->value.zones));
  }
  if (command.wifi) json.add("wifi", command.wifi_lost ? "lost" : "waits");
  if (command.reset) json.add("reset", true);
  return json;
}

/// The date of this program. A camera with another version has another date.
JsonObject support_json(CaptureTime now) {
  JsonObject json;
  json.add("of", "this program")
      .add("version", device::version())
      .add("until", device::support_until())
      .add("ended", device::support_ended(now));
  return json;
}

/// A camera is hostile once it was taken over, so its texts are made printable.
JsonObject software_json(const ObservedSoftware& software) {
  const auto clean = [](std::string_view text) { return printable(text, protocol::UpdateStatus::max_reason); };
  JsonObject json;
  json.add("text", software_text(software)).add("reported_us", software.created.since_epoch.count());
  if (!software.report) return json;
  json.add("version", clean(software.report->version));
  if (!software.report->update) return json;
  const auto& update = *software.report->update;
  json.add("image", clean(update.version)).add("state", name(update.state)).add("offer", clean(update.offer));
  if (!update.last) return json;
  JsonObject last;
  last.add("version", clean(update.last->version))
      .add("result", name(update.last->result))
      .add("reason", clean(update.last->reason))
      .add("at_us", update.last->at.since_epoch.count());
  json.add("last", last);
  return json;
}

JsonObject to_json(const AccountFile& account, const CameraRecord& camera, const ObservedSoftware& software,
                   CaptureTime now) {
  const auto why = pending_text(camera);
  JsonObject json;
  json.add("id", camera.id.to_string())
      .add("name", camera.name)
      .add("roster", camera.version.value())
      .add("published", camera.published.value())
      .add("confirmed", camera.confirmed.value())
      .add("pending", !why.empty())
      .add("why_pending", why)
      .add("not_stored", camera.not_stored)
      .add("removed", camera.removed)
      .add("wifi_fault", wifi_text(camera))
      .add("command", desired_json(camera.command))
      .add("hubs", watchers(account, camera))
      .add("software", software_json(software))
      .add("support", support_json(now));
  return json;
}

}  // namespace

Outcome<> rename_camera(const Dependencies& deps, const CameraArguments& arguments) {
  if (auto r = check_name(arguments.name); !r) return r;
  return change_camera(deps, arguments, [&](const Account&, AccountFile& next, CameraRecord& camera) -> Outcome<> {
    for (const auto& other : next.cameras)
      if (&other != &camera && other.name == arguments.name)
        return failure(EX_USAGE,
                       sealcam::format("another camera has the name '{}'; choose another name", arguments.name));
    desire_name(camera, arguments.name);
    return {};
  });
}

Outcome<> switch_privacy(const Dependencies& deps, const CameraArguments& arguments) {
  return change_camera(deps, arguments, [&](const Account&, AccountFile&, CameraRecord& camera) -> Outcome<> {
    desire_privacy(camera, arguments.privacy == "on");
    return {};
  });
}

Outcome<> change_settings(const Dependencies& deps, const CameraArguments& arguments) {
  protocol::CameraSettings settings;
  if (arguments.bitrate != 0) settings.bitrate = BitsPerSecond(arguments.bitrate);
  if (arguments.rate != 0) settings.frames_per_second = arguments.rate;
  if (!arguments.size.empty()) {
    const auto size = parse_size(arguments.size);
    if (!size || size->width == 0 || size->height == 0 || size->width > 65535 || size->height > 65535)
      return failure(EX_USAGE, sealcam::format("'{}' is not a size; write it like 1280x720", arguments.size));
    settings.size = {size->width, size->height};
  }
  auto masks = parse_areas(arguments.masks, arguments.no_masks);
  if (!masks) return std::unexpected(masks.error());
  auto zones = parse_areas(arguments.zones, arguments.no_zones);
  if (!zones) return std::unexpected(zones.error());
  if (auto r = check_zones(zones->value_or(PictureAreas())); !r) return r;
  settings.masks = std::move(*masks);
  settings.zones = std::move(*zones);
  if (arguments.motion >= 0) settings.motion = static_cast<std::uint32_t>(arguments.motion);
  if (settings == protocol::CameraSettings())
    return failure(EX_USAGE, "no setting was given; see: sealcam camera settings --help");
  return change_camera(deps, arguments, [&](const Account&, AccountFile&, CameraRecord& camera) -> Outcome<> {
    desire_settings(camera, settings);
    return {};
  });
}

namespace {

/// Whether an updater could offer this version: three numbers without leading zeros. An updater ignores a decision
/// about another text.
bool is_release(std::string_view version) {
  int numbers = 0;
  for (const auto part : std::views::split(version, '.')) {
    const std::string_view digits(part);
    if (digits.empty() || digits.size() > 9 || (digits.size() > 1 && digits.front() == '0') ||
        digits.find_first_not_of("0123456789") != std::string_view::npos)
      return false;
    ++numbers;
  }
  return numbers == 3 && version.size() <= protocol::UpdateConsent::max_version;
}

}  // namespace

Outcome<> decide_update(const Dependencies& deps, const CameraArguments& arguments) {
  using protocol::UpdateAction, protocol::UpdateConsent;
  UpdateConsent consent;
  if (arguments.start) consent.action = UpdateAction::start;
  else if (arguments.defer > 0)
    consent = {.action = UpdateAction::defer,
               .until = CaptureTime{deps.clock.wall().since_epoch + std::chrono::days(arguments.defer)}};
  else if (!arguments.automatic) {
    if (!is_release(arguments.reject))
      return failure(EX_USAGE,
                     sealcam::format("'{}' is not a version like 0.2.0; see the offer with 'sealcam camera list'",
                                     arguments.reject));
    consent = {.action = UpdateAction::reject, .version = arguments.reject};
  }
  return change_camera(deps, arguments, [&](const Account& account, AccountFile&, CameraRecord& camera) -> Outcome<> {
    if (const auto why = why_no_software(account.files(), account.id(), camera); !why.empty())
      return failure(EX_UNAVAILABLE,
                     sealcam::format("'{}' has not reported its version, and an older camera would reject the command: "
                                     "{}",
                                     camera.name, why));
    desire_update(camera, consent);
    return {};
  });
}

Outcome<> change_wifi(const Dependencies& deps, const CameraArguments& arguments) {
  const auto ssid = parse_ssid(arguments.ssid);
  if (!ssid) return std::unexpected(ssid.error());
  const auto passphrase = read_wifi_passphrase(arguments.password_file, "--password-file");
  if (!passphrase) return std::unexpected(passphrase.error());
  return change_camera(deps, arguments, [&](const Account& account, AccountFile&, CameraRecord& camera) {
    desire_wifi(camera, *ssid);
    return store_wifi(account.files(), camera.id, *passphrase);
  });
}

Outcome<> reset_camera(const Dependencies& deps, const CameraArguments& arguments) {
  if (!arguments.confirmed)
    return failure(EX_USAGE,
                   sealcam::format("a reset deletes the keys of '{}' and removes it from the account; confirm "
                                   "it with --yes",
                                   arguments.camera));
  return reset(deps, arguments, false);
}

Outcome<> transfer_camera(const Dependencies& deps, const CameraArguments& arguments) {
  return reset(deps, arguments, true);
}

Outcome<> take_camera_out(const Dependencies& deps, const CameraArguments& arguments) {
  DeviceId id;
  const bool forget = arguments.change.forget;
  const auto change = [&](const Account&, AccountFile& next) -> Outcome<> {
    // --forget works while the account is out of sync, because a camera that no longer exists never reports its roster.
    if (!forget)
      if (auto r = check_in_sync(next); !r) return r;
    const auto removed = remove_camera(next, arguments.camera);
    if (!removed) return std::unexpected(removed.error());
    id = *removed;
    for (auto& camera : next.cameras)
      if (forget && camera.id == id) mark_gone(camera);
    return {};
  };
  const auto afterwards = [&](Account& account, const SyncReport& report) -> Outcome<std::string> {
    const auto record = std::ranges::find(account.file().cameras, id, &CameraRecord::id);
    // After a restore, the version of its roster is not known, so no last roster can be signed.
    if (forget && record != account.file().cameras.end() && record->out_of_sync) {
      auto next = account.file();
      forget_camera(next, id);
      if (auto r = account.store(std::move(next)); !r) return std::unexpected(r.error());
    } else if (!std::ranges::contains(report.gone, id)) {
      return forget ? "the broker does not have the camera's last messages; run 'sealcam sync' when it is reachable"
                    : "the camera stays in the list until it confirms; to delete it at once, use --forget";
    }
    return revoke_at_broker(account.file(), arguments.change, id);
  };
  return make_change(deps, arguments.change, change, afterwards);
}

Outcome<> list_cameras(const Dependencies& deps, const CameraArguments&) {
  const auto account = read_account(deps.account().account());
  if (!account) return std::unexpected(account.error());
  const auto now = deps.clock.wall();
  SoftwareReader reader(deps.account());
  JsonArray json;
  for (const auto& camera : account->cameras) {
    const auto software = reader.read(account->account, camera);
    if (deps.json) {
      json.add(to_json(*account, camera, software, now));
      continue;
    }
    const auto why = pending_text(camera), fault = wifi_text(camera);
    const auto hubs = watchers(*account, camera).size();
    sealcam::println(
        "{} '{}', {} may watch{}{}; {}{}{}{}{}", camera.id.to_string(), camera.name,
        hubs == 1 ? "1 hub" : sealcam::format("{} hubs", hubs),
        camera.command.privacy && camera.command.privacy->value ? ", privacy on in the owner's command" : "",
        area_settings_text(camera), software_text(software), why.empty() ? "" : "; ", why, fault.empty() ? "" : "; ",
        fault);
  }
  if (deps.json) print_json(json);
  else if (account->cameras.empty()) sealcam::println("no cameras; pair one with 'sealcam camera pair'");
  else
    sealcam::println("this program: {}{}{}; 'sealcam-camera --doctor' on a camera reports the date of that camera",
                     device::support_text(now), device::support_ended(now) ? "; " : "",
                     device::support_ended(now) ? device::support_step : "");
  return {};
}

}  // namespace sealcam::owner
