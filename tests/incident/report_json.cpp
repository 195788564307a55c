// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "report.hpp"

namespace sealcam::incident {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

Json published(const Incident& incident) {
  Json all = Json::array();
  for (const auto& each : incident.published) all.push_back({{"text", each.text}, {"source", each.source}});
  return all;
}

Json tally_json(const Tally& t) {
  return {{"requests", t.requests},
          {"stills_delivered", t.stills},
          {"stills_delivered_wrongly", t.wrong_stills},
          {"key_frames_delivered", t.keys},
          {"key_frames_delivered_wrongly", t.wrong_keys},
          {"delta_frames_delivered", t.deltas},
          {"arrived_damaged", t.damaged},
          {"opened_wrongly", t.opened_wrongly},
          {"shown_wrongly", t.shown_wrongly},
          {"shown_unreadable", t.shown_unreadable},
          {"shown_own", t.shown_own},
          {"streams", {{"pictures", t.film_pictures}, {"wrong", t.film_wrong}}},
          {"dropped_under_overload", t.overload},
          {"own_undamaged", t.own_whole},
          {"own_undamaged_shown", t.own_whole_shown},
          {"own_share_shown", t.share_shown()},
          {"forced_openings", {{"tried", t.forced}, {"opened", t.forced_opened}, {"control_opened", t.forced_control}}},
          {"rejected", t.rejected},
          {"relay", t.relay}};
}

Json arm_json(const ArmResult& arm) {
  auto json = tally_json(arm.tally);
  json["accounts"] = arm.accounts;
  json["connect_seconds"] = arm.connect_seconds;
  json["seconds"] = arm.seconds;
  json["brokers_peak_kib"] = arm.broker_kib;
  json["not_forwarded"] = arm.link_failed;
  json["log"] = arm.log_lines;
  return json;
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string() + "; choose another folder with --output");
}

}  // namespace

std::string report_json(const RunResult& run, const Options& options, const Incident& incident) {
  const auto problems = failures(run);
  Json json = {{"scenario", options.scenario},
               {"accounts", run.accounts},
               {"accounts_planned", options.accounts},
               {"accounts_published", incident.accounts},
               {"accounts_at_once", std::min(options.wave, options.accounts)},
               {"requests_of_each_hub", options.requests},
               {"seed", options.seed},
               {"passed", problems.empty()},
               {"failures", problems},
               {"published", published(incident)},
               {"inferred", run.model},
               {"prepare_seconds", run.prepare_seconds},
               {"seconds", run.seconds},
               {"peak_kib", run.peak_kib},
               {"kib_per_connected_account", run.kib_per_account},
               {"arms", Json::object()}};
  for (const auto& arm : run.arms) json["arms"][name(arm.arm)] = arm_json(arm);
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

void write_reports(const RunResult& run, const Options& options, const Incident& incident,
                   const std::vector<Bytes>& gallery) {
  std::error_code ec;
  fs::create_directories(options.output, ec);
  write(options.output / "report.json", report_json(run, options, incident) + "\n");
  write(options.output / "report.html", report_html(run, options, incident, gallery));
}

}  // namespace sealcam::incident
