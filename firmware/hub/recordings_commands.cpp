// SPDX-License-Identifier: Apache-2.0
#include "hub/commands.hpp"

#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>

#include "base/format.hpp"
#include "base/types.hpp"
#include "device/enrollment.hpp"
#include "device/program.hpp"
#include "hub/access/open_socket.hpp"
#include "hub/web/live_stream.hpp"
#include "recordings/verifier.hpp"

namespace sealcam::hub {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using recordings::all_times;

namespace {

std::string text_of(CaptureTime time) { return web::rfc3339(time).value_or("?"); }

std::string size_text(std::uint64_t bytes) {
  const auto size = static_cast<double>(bytes) / (1U << 20);
  return size < 1024 ? sealcam::format("{:.1f} MiB", size) : sealcam::format("{:.1f} GiB", size / 1024);
}

/// Replaces one line of a terminal. False never: a check without changes may be interrupted by a signal.
bool show_progress(std::uint64_t done, std::uint64_t all) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (terminal && all > 0)
    sealcam::print(stderr, "\r{} of {} checked{}", size_text(done), size_text(all), done == all ? "\n" : "   ");
  return true;
}

Json to_json(const recordings::Fault& fault) {
  Json json = {{"kind", recordings::name(fault.kind)}};
  if (fault.file) json["file"] = fault.file->below({}).string();
  json["offset"] = fault.offset;
  json["text"] = fault.text;
  return json;
}

Json to_json(const recordings::Gap& gap) {
  return {{"begin", text_of(gap.time.begin)},
          {"end", text_of(gap.time.end)},
          {"epoch", sealcam::format("{:016x}", gap.epoch.value())},
          {"first", gap.first.value()},
          {"frames", gap.frames}};
}

/// The folder of the recordings, by the options and the configuration.
std::expected<fs::path, int> folder_of(const RecordingsOptions& options, const fs::path& state, Log& log) {
  if (!options.folder.empty()) return fs::absolute(options.folder);
  std::string why;
  const auto settings =
      read_settings(device::path_option(options.config, [] { return configuration_folder() / "hub.json"; }),
                    options.config.empty(), why);
  if (!settings) {
    log.error("{}", why);
    return std::unexpected(EX_CONFIG);
  }
  return RecordingFolders(settings->recordings, state).recordings;
}

std::expected<AccountId, int> account_of(const RecordingsOptions& options, const fs::path& state, Log& log) {
  if (!options.account.empty()) {
    const auto account = AccountId::parse(options.account);
    if (account) return *account;
    log.error("--account {}: use the id of the account; 'sealcam doctor' prints it", printable(options.account, 64));
    return std::unexpected(EX_USAGE);
  }
  const auto enrollment = device::read_enrollment(device::StateFiles{state});
  if (enrollment) return enrollment->owner.account();
  return std::unexpected(fail_with(enrollment.error(), log));
}

bool same_clock(const std::tm& a, const std::tm& b) {
  return a.tm_mday == b.tm_mday && a.tm_hour == b.tm_hour && a.tm_min == b.tm_min;
}

/// Both times with these digits, the earlier one first, if the clocks show them twice. mktime() with an unknown
/// tm_isdst selects one of them by its earlier calls.
std::optional<std::pair<std::time_t, std::time_t>> repeated_hour(const std::tm& given) {
  auto summer = given, winter = given;
  summer.tm_isdst = 1;
  winter.tm_isdst = 0;
  const auto first = ::mktime(&summer), second = ::mktime(&winter);
  const bool both =
      summer.tm_isdst > 0 && winter.tm_isdst == 0 && same_clock(given, summer) && same_clock(given, winter);
  if (!both || first == second) return std::nullopt;
  return std::minmax(first, second);
}

}  // namespace

std::expected<OpenedRecordings, int> open_recordings(const RecordingsOptions& options, Log& log) {
  const auto state = find_state(options.state, log);
  if (!state) return std::unexpected(EX_NOINPUT);
  if (auto r = crypto::init(); !r) return std::unexpected(fail_with(r.error(), log));
  const access::AsOwner owner(*state);
  OpenedRecordings opened;
  const auto folder = folder_of(options, *state, log);
  if (!folder) return std::unexpected(folder.error());
  opened.folder = *folder;
  const auto account = account_of(options, *state, log);
  if (!account) return std::unexpected(account.error());
  opened.account = *account;
  const RecordingFolders folders({}, *state);
  auto keys = recordings::KeyFolder::open(folders.keys, recordings::KeyFolder::Create::no);
  if (keys) opened.keys = std::make_unique<recordings::KeyFolder>(std::move(*keys));
  else log.warning("no picture can be opened: {}", to_string(keys.error()));
  // A missing index would be created, and the running hub would not fill it.
  std::error_code ec;
  const bool own_folder = options.folder.empty() && fs::exists(folders.index, ec);
  auto index = own_folder ? recordings::Index::open(folders.index)
                          : Result<std::unique_ptr<recordings::Index>>(fail(Errc::not_found, "no index"));
  if (!index) {
    if (own_folder) log.warning("{}; reading the files instead", to_string(index.error()));
    index = recordings::Index::open_in_memory();
    if (!index) return std::unexpected(fail_with(index.error(), log));
    if (auto r = recordings::fill_index(**index, opened.folder, opened.account, log); !r)
      return std::unexpected(fail_with(r.error(), log));
  }
  opened.index = std::move(*index);
  opened.archive = std::make_unique<recordings::FileArchive>(opened.folder, opened.account, *opened.index,
                                                             opened.keys.get(), nullptr);
  return opened;
}

std::optional<CaptureTime> parse_local_time(const std::string& text, Log& log) {
  for (const auto* const form :
       {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm parts{};
    parts.tm_isdst = -1;
    const char* const end = ::strptime(text.c_str(), form, &parts);
    if (end == nullptr) continue;
    const bool utc = *end == 'Z' && end[1] == '\0';
    if (*end != '\0' && !utc) continue;
    const auto given = parts;
    const auto seconds = utc ? ::timegm(&parts) : ::mktime(&parts);
    // Both functions change a day or an hour that the calendar does not have, and would select other recordings.
    if (!same_clock(given, parts)) {
      log.error("'{}' does not exist in the calendar, or is in the hour that a change to summer time leaves out",
                printable(text, 64));
      return std::nullopt;
    }
    if (!utc)
      if (const auto times = repeated_hour(given)) {
        log.error("'{}' occurs twice, because summer time ends in this hour: write {} or {}", printable(text, 64),
                  text_of(CaptureTime{std::chrono::seconds(times->first)}),
                  text_of(CaptureTime{std::chrono::seconds(times->second)}));
        return std::nullopt;
      }
    return CaptureTime{std::chrono::seconds(seconds)};
  }
  log.error("'{}' is not a time: use the form 2026-11-30T14:05:00Z, or without Z the time of this machine",
            printable(text, 64));
  return std::nullopt;
}

std::optional<DeviceId> select_camera(recordings::Archive& archive, const std::string& text, Log& log) {
  const auto cameras = archive.cameras();
  if (!cameras) {
    log.error("{}", to_string(cameras.error()));
    return std::nullopt;
  }
  std::vector<NamedDevice> named;
  for (const auto& camera : *cameras) named.push_back({camera.camera, camera.name});
  const auto id = select_device(text, named, IdLetters::beginning);
  if (id) return *id;
  if (id.error().code == Errc::conflict) log.error("several cameras match: {}", to_string(id.error()));
  else log.error("no recordings of a camera '{}'; list them with 'sealcam-hub recordings list'", printable(text, 64));
  return std::nullopt;
}

int list_recordings(const RecordingsOptions& options, Log& log) {
  auto opened = open_recordings(options, log);
  if (!opened) return opened.error();
  const access::AsOwner owner(opened->folder);
  auto cameras = opened->archive->cameras();
  if (!cameras) return fail_with(cameras.error(), log);
  if (!options.camera.empty()) {
    const auto id = select_camera(*opened->archive, options.camera, log);
    if (!id) return EX_NOINPUT;
    std::erase_if(*cameras, [&](const auto& camera) { return camera.camera != *id; });
  }
  auto list = Json::array();
  if (!options.json && cameras->empty()) sealcam::println("no recordings in {}", opened->folder.string());
  for (const auto& camera : *cameras) {
    const auto timeline = opened->archive->timeline(camera.camera, all_times);
    if (!timeline) return fail_with(timeline.error(), log);
    if (options.json) {
      auto spans = Json::array(), gaps = Json::array();
      for (const auto& span : timeline->spans)
        spans.push_back({{"begin", text_of(span.time.begin)},
                         {"end", text_of(span.time.end)},
                         {"bytes", span.bytes},
                         {"openable", span.openable}});
      for (const auto& gap : timeline->gaps) gaps.push_back(to_json(gap));
      list.push_back({{"id", camera.camera.to_string()},
                      {"name", camera.name},
                      {"begin", text_of(camera.time.begin)},
                      {"end", text_of(camera.time.end)},
                      {"bytes", camera.bytes},
                      {"files", camera.files},
                      {"ended", recordings::name(camera.ended)},
                      {"spans", std::move(spans)},
                      {"gaps", std::move(gaps)}});
      continue;
    }
    sealcam::println("{}  {}  {} in {} files", camera.camera.to_string(), camera.name.empty() ? "-" : camera.name,
                     size_text(camera.bytes), camera.files);
    for (const auto& span : timeline->spans)
      sealcam::println("  {}  to  {}  {}{}", text_of(span.time.begin), text_of(span.time.end), size_text(span.bytes),
                       span.openable ? "" : "  (no key)");
    std::uint64_t lost = 0;
    for (const auto& gap : timeline->gaps) lost += gap.frames;
    if (lost > 0) sealcam::println("  {} frames in {} gaps did not arrive", lost, timeline->gaps.size());
  }
  if (options.json) sealcam::println("{}", Json({{"folder", opened->folder.string()}, {"cameras", list}}).dump());
  return EX_OK;
}

namespace {

struct Place {
  fs::path folder;
  AccountId account;
  std::optional<fs::path> state;
};

/// With a folder and an account, no state folder is needed.
std::expected<Place, int> place_of(const RecordingsOptions& options, Log& log) {
  Place place;
  if (options.folder.empty() || options.account.empty()) {
    place.state = find_state(options.state, log);
    if (!place.state) return std::unexpected(EX_NOINPUT);
  }
  const access::AsOwner owner(place.state.value_or(options.folder));
  const auto folder = folder_of(options, place.state.value_or(fs::path()), log);
  if (!folder) return std::unexpected(folder.error());
  const auto account = account_of(options, place.state.value_or(fs::path()), log);
  if (!account) return std::unexpected(account.error());
  place.folder = *folder;
  place.account = *account;
  return place;
}

using IndexedNames = std::map<recordings::FileName, recordings::EndReason>;

/// The files that the hub has in its index now. Nothing without an index.
IndexedNames indexed_files(const Place& place, const std::optional<DeviceId>& camera) {
  IndexedNames names;
  if (!place.state) return names;
  const RecordingFolders folders({}, *place.state);
  std::error_code ec;
  if (!fs::exists(folders.index, ec)) return names;
  const auto index = recordings::Index::open(folders.index);
  if (!index) return names;
  const auto cameras = (*index)->cameras();
  if (!cameras) return names;
  for (const auto& id : *cameras) {
    if (camera && *camera != id) continue;
    const auto indexed = (*index)->files(id, all_times);
    if (!indexed) return {};
    for (const auto& file : *indexed) names.emplace(file.file, file.reason);
  }
  return names;
}

/// Files that the index has and the folder does not. A running hub deletes old files meanwhile: first in the folder,
/// then in the index.
std::vector<recordings::Fault> missing_files(const Place& place, const std::optional<DeviceId>& camera,
                                             const IndexedNames& before) {
  std::vector<recordings::Fault> faults;
  std::error_code ec;
  const auto missing = [&](const recordings::FileName& name) { return !fs::exists(name.below(place.folder), ec); };
  if (std::ranges::none_of(before | std::views::keys, missing)) return faults;
  const auto after = indexed_files(place, camera);
  for (const auto& [name, reason] : before)
    if (after.contains(name) && missing(name))
      faults.push_back(
          {recordings::FaultKind::missing_files, name, 0, "the index has this file, but the file is missing"});
  return faults;
}

/// A running hub began these files after the check did, or is within their receipt.
void forgive_open_files(const IndexedNames& after, std::vector<recordings::Fault>& faults) {
  using recordings::FaultKind;
  std::erase_if(faults, [&](const recordings::Fault& fault) {
    if (!fault.file || (fault.kind != FaultKind::receipt && fault.kind != FaultKind::item)) return false;
    const auto found = after.find(*fault.file);
    return found != after.end() && found->second == recordings::EndReason::open;
  });
}

}  // namespace

int verify_recordings(const RecordingsOptions& options, Log& log) {
  const auto place = place_of(options, log);
  if (!place) return place.error();
  if (auto r = crypto::init(); !r) return fail_with(r.error(), log);
  const access::AsOwner owner(place->state.value_or(place->folder));
  recordings::VerifyOptions how{.account = place->account, .progress = show_progress};
  if (!options.camera.empty()) {
    const auto id = as_device_id(options.camera);
    if (!id) {
      log.error("'{}' is not the id of a camera; list the ids with 'sealcam-hub recordings list'",
                printable(options.camera, 64));
      return EX_USAGE;
    }
    how.camera = *id;
  }
  const auto before = indexed_files(*place, how.camera);
  for (const auto& [name, reason] : before)
    if (reason == recordings::EndReason::open) how.open.insert(name);
  auto report = recordings::verify_folder(place->folder, how);
  if (!report) return fail_with(report.error(), log);
  if (!report->faults.empty()) forgive_open_files(indexed_files(*place, how.camera), report->faults);
  const auto missing = missing_files(*place, how.camera, before);
  report->faults.insert(report->faults.end(), missing.begin(), missing.end());
  if (options.json) {
    auto faults = Json::array(), gaps = Json::array();
    for (const auto& fault : report->faults) faults.push_back(to_json(fault));
    for (const auto& [camera, gap] : report->gaps) {
      auto json = to_json(gap);
      json["camera"] = camera.to_string();
      gaps.push_back(std::move(json));
    }
    sealcam::println("{}", Json({{"folder", place->folder.string()},
                                 {"files", report->files},
                                 {"bytes", report->bytes},
                                 {"frames", report->frames},
                                 {"lost_frames", report->lost_frames},
                                 {"without_receipt", report->without_receipt},
                                 {"faults", std::move(faults)},
                                 {"gaps", std::move(gaps)}})
                               .dump());
  } else {
    for (const auto& fault : report->faults)
      sealcam::println("{} at byte {}: {} ({})", fault.file ? fault.file->below(place->folder).string() : "-",
                       fault.offset, fault.text, recordings::name(fault.kind));
    sealcam::println("{} files, {}, {} frames; {} frames did not arrive; {} faults", report->files,
                     size_text(report->bytes), report->frames, report->lost_frames, report->faults.size());
  }
  return report->faults.empty() ? EX_OK : device::exit_code(Errc::bad_signature);
}

int delete_recordings(const RecordingsOptions& options, Log& log) {
  auto opened = open_recordings(options, log);
  if (!opened) return opened.error();
  const auto state = find_state(options.state, log);
  const access::AsOwner owner(*state);
  const auto camera = select_camera(*opened->archive, options.camera, log);
  if (!camera) return EX_NOINPUT;
  auto range = all_times;
  if (!options.from.empty()) {
    const auto time = parse_local_time(options.from, log);
    if (!time) return EX_USAGE;
    range.begin = *time;
  }
  if (!options.to.empty()) {
    const auto time = parse_local_time(options.to, log);
    if (!time) return EX_USAGE;
    range.end = *time;
  }
  const auto files = opened->index->files(*camera, range);
  if (!files) return fail_with(files.error(), log);
  if (!options.yes) {
    log.error("this deletes {} files of camera {}, from {} to {}; confirm it with --yes", files->size(),
              camera->to_string(), files->empty() ? "-" : text_of(files->front().time.begin),
              files->empty() ? "-" : text_of(files->back().time.end));
    return EX_USAGE;
  }
  const auto erased = opened->archive->erase(*camera, range);
  if (!erased) return fail_with(erased.error(), log);
  log.info("deleted {} files, {}", erased->files, size_text(erased->bytes));
  if (erased->files < files->size())
    log.warning(
        "the running hub writes the newest file; delete it on the page, or run this command again in five minutes");
  return EX_OK;
}

}  // namespace sealcam::hub
