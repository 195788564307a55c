// SPDX-License-Identifier: Apache-2.0
#include "verdict.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>

#include "base/format.hpp"

namespace sealcam::incident {
namespace {

void judge_sealed(const Tally& t, std::vector<std::string>& problems) {
  if (t.wrong_stills == 0)
    problems.emplace_back("sealed: the relay delivered no stranger's still, so the run proves nothing");
  if (t.shown_wrongly != 0)
    problems.push_back(sealcam::format("sealed: the hubs showed {} strangers' pictures", t.shown_wrongly));
  if (t.shown_unreadable != 0)
    problems.push_back(sealcam::format("sealed: the hubs showed {} unreadable pictures", t.shown_unreadable));
  if (t.film_wrong != 0)
    problems.push_back(sealcam::format("sealed: the decoded streams contain {} strangers' pictures", t.film_wrong));
  if (t.opened_wrongly != 0)
    problems.push_back(sealcam::format("sealed: the hubs opened {} strangers' or damaged frames", t.opened_wrongly));
  if (t.forced_opened != 0)
    problems.push_back(sealcam::format("sealed: {} strangers' frames open with a hub's own key", t.forced_opened));
  if (t.forced == 0 || t.forced_control == 0)
    problems.emplace_back("sealed: forced opening was not tried with strangers' frames and own frames");
  if (t.own_whole == 0 || t.share_shown() < min_share)
    problems.push_back(
        sealcam::format("sealed: the hubs showed {} of {} undamaged own pictures, the minimum is {:.0f} %",
                        t.own_whole_shown, t.own_whole, min_share * 100));
}

void judge_plain(const Tally& t, std::vector<std::string>& problems) {
  if (t.wrong_stills == 0) problems.emplace_back("plain: the relay delivered no stranger's still");
  if (t.shown_wrongly == 0)
    problems.emplace_back("plain: the control showed no stranger's picture, so the test proves nothing");
}

std::string percent(double share) { return sealcam::format("{:.1f} %", share * 100); }
std::string number(std::uint64_t n) { return std::to_string(n); }

}  // namespace

std::vector<std::string> failures(const RunResult& run) {
  std::vector<std::string> problems;
  if (const auto* sealed = run.find(Arm::sealed)) judge_sealed(sealed->tally, problems);
  if (const auto* plain = run.find(Arm::plain)) judge_plain(plain->tally, problems);
  return problems;
}

std::vector<std::string> reject_reasons(const RunResult& run) {
  std::vector<std::string> reasons;
  if (const auto* sealed = run.find(Arm::sealed))
    for (const auto& [reason, n] : sealed->tally.rejected)
      if (n > 0) reasons.push_back(reason);
  return reasons;
}

std::string rejected(const ArmResult& arm, const std::string& reason) {
  const auto found = arm.tally.rejected.find(reason);
  return found == arm.tally.rejected.end() ? "-" : number(found->second);
}

std::vector<std::string> relay_counters(const RunResult& run) {
  std::set<std::string> names;
  for (const auto& arm : run.arms)
    for (const auto& [name, n] : arm.tally.relay) names.insert(name);
  return {names.begin(), names.end()};
}

std::string relayed(const ArmResult& arm, const std::string& counter) {
  const auto found = arm.tally.relay.find(counter);
  return found == arm.tally.relay.end() ? "0" : number(found->second);
}

void print_table(const RunResult& run, const Options& options) {
  std::printf("%s: %zu of %zu accounts, seed %llu\n\n%-52s", options.scenario.c_str(), run.accounts, options.accounts,
              static_cast<unsigned long long>(options.seed), "");
  for (const auto& arm : run.arms) std::printf("%12s", name(arm.arm));
  std::printf("\n");
  const auto row = [&](const char* title, const std::function<std::string(const ArmResult&)>& cell) {
    std::printf("%-52s", title);
    for (const auto& arm : run.arms) std::printf("%12s", cell(arm).c_str());
    std::printf("\n");
  };
  const auto count = [&](const char* title, std::uint64_t Tally::* field) {
    row(title, [field](const ArmResult& a) { return number(a.tally.*field); });
  };
  // Plain frames are not sealed, so there is nothing to open.
  const auto sealed_count = [&](const char* title, std::uint64_t Tally::* field) {
    row(title, [field](const ArmResult& a) { return a.arm == Arm::plain ? "-" : number(a.tally.*field); });
  };
  row("accounts", [](const ArmResult& a) { return number(a.accounts); });
  count("requests", &Tally::requests);
  count("stills delivered", &Tally::stills);
  count("  of strangers' cameras, by the relay", &Tally::wrong_stills);
  count("key frames delivered", &Tally::keys);
  count("  of strangers' cameras, by the relay", &Tally::wrong_keys);
  count("delta frames delivered", &Tally::deltas);
  count("arrived damaged", &Tally::damaged);
  sealed_count("opened wrongly", &Tally::opened_wrongly);
  count("shown wrongly: pixels of another account's camera", &Tally::shown_wrongly);
  count("shown, unreadable", &Tally::shown_unreadable);
  count("shown, own", &Tally::shown_own);
  count("pictures of fully decoded streams", &Tally::film_pictures);
  count("  of strangers' cameras", &Tally::film_wrong);
  count("undamaged own pictures delivered", &Tally::own_whole);
  count("  of these shown", &Tally::own_whole_shown);
  row("  share shown", [](const ArmResult& a) { return percent(a.tally.share_shown()); });
  sealed_count("dropped under overload", &Tally::overload);
  sealed_count("strangers' frames tried with the hub's own key", &Tally::forced);
  sealed_count("  of these opened", &Tally::forced_opened);
  sealed_count("own frames opened in the same way (control)", &Tally::forced_control);
  for (const auto& reason : reject_reasons(run))
    row(sealcam::format("rejected: {}", reason).c_str(), [&](const ArmResult& a) { return rejected(a, reason); });
  for (const auto& counter : relay_counters(run))
    row(("relay: " + counter).c_str(), [&](const ArmResult& a) { return relayed(a, counter); });
  row("seconds", [](const ArmResult& a) { return sealcam::format("{:.1f}", a.seconds); });
  row("  to connect all devices", [](const ArmResult& a) { return sealcam::format("{:.1f}", a.connect_seconds); });
  row("memory of both brokers, MiB",
      [](const ArmResult& a) { return sealcam::format("{:.1f}", static_cast<double>(a.broker_kib) / 1024); });
  std::printf(
      "\nkeys, certificates and pictures: %.1f s, total: %.1f minutes, maximum memory of this process: %.0f MiB, "
      "%zu accounts connected at once, %.0f KiB for each with the brokers\n",
      run.prepare_seconds, run.seconds / 60, static_cast<double>(run.peak_kib) / 1024,
      std::min(options.wave, options.accounts), run.kib_per_account);
}

}  // namespace sealcam::incident
