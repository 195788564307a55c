// SPDX-License-Identifier: Apache-2.0
/// Replays published incidents, once with sealed and once with plain frames.
///
///     incident xiaomi-2020 --accounts 40
///
/// Exit status: 0 all criteria passed, 1 a criterion failed, 2 usage, 4 Mosquitto is not installed, 70 the run failed.
#include <sys/resource.h>
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "arm_run.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "incidents.hpp"
#include "report.hpp"
#include "verdict.hpp"

using namespace sealcam;
using namespace sealcam::incident;

namespace {

constexpr int no_mosquitto = 4;
constexpr double seconds_per_request = 1.2;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// This process has two connections per connected account. Each broker has one of them.
void raise_file_limit(std::size_t accounts) {
  const rlim_t needed = accounts * 2 + 200;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("cannot read the limit of open files");
  if (limit.rlim_cur >= needed) return;
  if (limit.rlim_max < needed)
    throw std::runtime_error(sealcam::format(
        "{} connected accounts need {} open files, but the limit is {}. Raise the limit as root with 'ulimit -Hn {}', "
        "or use "
        "--wave {}",
        accounts, needed, limit.rlim_max, needed, limit.rlim_max > 300 ? (limit.rlim_max - 200) / 2 : 2));
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("cannot raise the limit of open files");
}

std::uint64_t own_peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

std::vector<ArmState> make_arms(const Options& options, const Incident& incident) {
  std::vector<ArmState> arms;
  for (const Arm arm : options.arms) {
    ArmState state;
    state.fault = incident.fault(options);
    state.result.arm = arm;
    arms.push_back(std::move(state));
  }
  return arms;
}

/// Both arms of a wave run one after the other, with the same accounts. The next wave needs other memory only for what
/// the relay and the report keep.
void run_waves(const Options& options, const Incident& incident, std::vector<ArmState>& arms, Judge& judge,
               RunResult& result) {
  const double started = now_seconds();
  Progress progress;
  std::vector<protocol::Route> routes;
  while (result.accounts < options.accounts) {
    if (result.accounts > 0 && options.max_minutes > 0 && now_seconds() - started > options.max_minutes * 60) return;
    const auto first = static_cast<std::uint32_t>(result.accounts);
    const Wave wave{first, static_cast<std::uint32_t>(std::min(options.accounts, result.accounts + options.wave))};
    progress.show(
        sealcam::format("making keys, certificates and pictures for the accounts {} to {}", first + 1, wave.last));
    const double prepared = now_seconds();
    const People people(wave, incident.twins);
    for (auto i = wave.first; i < wave.last; ++i) routes.push_back(people[i].route);
    const auto albums = make_albums(wave.size(), static_cast<std::uint16_t>(first + 1), incident.calendar);
    result.prepare_seconds += now_seconds() - prepared;
    for (auto& arm : arms)
      if (arm.result.arm == Arm::sealed || options.control == 0 || first < options.control)
        run_wave({options, incident, people, albums, routes, judge, progress}, arm);
    result.accounts = wave.last;
  }
}

RunResult run(const Options& options, const Incident& incident) {
  const double started = now_seconds();
  test::must(crypto::init());
  RunResult result;
  Judge judge;
  auto arms = make_arms(options, incident);
  result.model = arms.front().fault->model();
  run_waves(options, incident, arms, judge, result);
  for (auto& arm : arms) result.arms.push_back(std::move(arm.result));
  result.seconds = now_seconds() - started;
  result.peak_kib = own_peak_kib();
  std::uint64_t brokers = 0;
  for (const auto& arm : result.arms) brokers = std::max(brokers, arm.broker_kib);
  result.kib_per_account =
      static_cast<double>(result.peak_kib + brokers) / static_cast<double>(std::min(options.wave, options.accounts));
  write_reports(result, options, incident, judge.gallery());
  return result;
}

int print_result(const RunResult& result, const Options& options) {
  const auto problems = failures(result);
  if (options.json) std::printf("%s\n", report_json(result, options, *find_incident(options.scenario)).c_str());
  else print_table(result, options);
  for (const auto& arm : result.arms)
    for (const auto& line : arm.log_lines) std::fprintf(stderr, "%s arm: %s\n", name(arm.arm), line.c_str());
  for (const auto& problem : problems) std::fprintf(stderr, "FAILED: %s\n", problem.c_str());
  std::fprintf(stderr, "report: %s\n", (options.output / "report.html").c_str());
  return problems.empty() ? EX_OK : 1;
}

std::string names() {
  std::string out;
  for (const auto& each : incidents()) out += (out.empty() ? "" : ", ") + std::string(each.name);
  return out;
}

/// Options that others are made of.
struct Arguments {
  std::string arm = "both";
  double seconds = 0;
  bool full = false;
};

void add_options(CLI::App& app, Options& options, Arguments& arguments) {
  app.add_option("scenario", options.scenario, "incident: " + names())->required();
  app.add_option("--accounts", options.accounts, "number of accounts, each with a camera and a hub")
      ->check(CLI::Range(2, 20'000))
      ->capture_default_str();
  app.add_flag("--full", arguments.full, "use the number of accounts of the published incident");
  app.add_option("--wave", options.wave, "number of accounts whose devices are connected at the same time")
      ->check(CLI::Range(2, 20'000))
      ->capture_default_str();
  app.add_option("--control", options.control, "no new wave of the plain arm starts after this number of accounts");
  app.add_option("--minutes", options.max_minutes, "start no new wave after this time")
      ->check(CLI::Range(0.1, 6'000.0));
  auto* const requests =
      app.add_option("--requests", options.requests, "number of requests of each hub; default: that of the incident")
          ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", arguments.seconds, "approximate time for requests in each arm, instead of --requests")
      ->check(CLI::Range(1.0, 36'000.0))
      ->excludes(requests);
  app.add_option("--seed", options.seed, "seed of delays and of the relay's choices")->capture_default_str();
  app.add_option("--output", options.output, "folder for report.json and report.html")->capture_default_str();
  app.add_option("--arm", arguments.arm, "sealed, plain or both")->check(CLI::IsMember({"sealed", "plain", "both"}));
  app.add_flag("--json", options.json, "print report.json instead of the table");
}

void complete(Options& options, const Arguments& arguments, const Incident& incident) {
  if (arguments.full) options.accounts = incident.accounts;
  options.wave += options.wave % 2;  // some faults link pairs of neighbors
  if (options.requests == 0) options.requests = incident.requests;
  if (arguments.seconds > 0) {
    const auto turns = static_cast<double>((options.accounts + options.at_once - 1) / options.at_once);
    options.requests = static_cast<unsigned>(std::max(1.0, arguments.seconds / seconds_per_request / turns));
  }
  if (arguments.arm == "sealed") options.arms = {Arm::sealed};
  if (arguments.arm == "plain") options.arms = {Arm::plain};
}

/// Returns false if the program must exit with `status`.
bool parse(int argc, char** argv, Options& options, int& status) {
  CLI::App app("Replays a published incident with real brokers, TLS, the shipped code and a faulty relay");
  app.name("scripts/incident");
  Arguments arguments;
  add_options(app, options, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    status = app.exit(e) == 0 ? 0 : 2;
    return false;
  }
  if (const auto* const incident = find_incident(options.scenario)) {
    complete(options, arguments, *incident);
    return true;
  }
  std::fprintf(stderr, "error: unknown incident '%s'; use one of %s\n", options.scenario.c_str(), names().c_str());
  status = 2;
  return false;
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  int status = 0;
  if (!parse(argc, argv, options, status)) return status;
  if (!test::Mosquitto::installed()) {
    std::fprintf(stderr, "skipped: mosquitto is not installed\n");
    return no_mosquitto;
  }
  raise_file_limit(std::min(options.wave, options.accounts));
  return print_result(run(options, *find_incident(options.scenario)), options);
} catch (const std::exception& e) {
  std::fprintf(stderr, "error: %s\n", e.what());
  return EX_SOFTWARE;
}
