// SPDX-License-Identifier: Apache-2.0
/// Replays a published incident, once with sealed and once with plain frames.
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
#include "report.hpp"
#include "verdict.hpp"

using namespace sealcam;
using namespace sealcam::incident;

namespace {

constexpr const char* only_scenario = "xiaomi-2020";
constexpr int no_mosquitto = 4;
constexpr double seconds_per_request = 1.2;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// This process has two connections per account. Each broker has one of them.
void raise_file_limit(std::size_t accounts) {
  const rlim_t needed = accounts * 2 + 200;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("cannot read the limit of open files");
  if (limit.rlim_cur >= needed) return;
  if (limit.rlim_max < needed)
    throw std::runtime_error(sealcam::format(
        "{} accounts need {} open files, but the limit is {}. Raise the limit as root with 'ulimit -Hn {}', or use "
        "--accounts {}",
        accounts, needed, limit.rlim_max, needed, limit.rlim_max > 300 ? (limit.rlim_max - 200) / 2 : 2));
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("cannot raise the limit of open files");
}

std::uint64_t own_peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

RunResult run(const Options& options) {
  const double started = now_seconds();
  Progress progress;
  progress.show(sealcam::format("making keys, certificates and pictures for {} accounts", options.accounts));
  test::must(crypto::init());
  RunResult result;
  const People people(options.accounts);
  const auto albums = make_albums(options.accounts);
  result.prepare_seconds = now_seconds() - started;
  Judge judge;
  for (const Arm arm : options.arms) result.arms.push_back(run_arm({arm, options, people, albums, judge, progress}));
  result.seconds = now_seconds() - started;
  result.peak_kib = own_peak_kib();
  write_reports(result, options, judge.gallery());
  return result;
}

int print_result(const RunResult& result, const Options& options) {
  const auto problems = failures(result);
  if (options.json) std::printf("%s\n", report_json(result, options).c_str());
  else print_table(result, options);
  for (const auto& arm : result.arms)
    for (const auto& line : arm.log_lines) std::fprintf(stderr, "%s arm: %s\n", name(arm.arm), line.c_str());
  for (const auto& problem : problems) std::fprintf(stderr, "FAILED: %s\n", problem.c_str());
  std::fprintf(stderr, "report: %s\n", (options.output / "report.html").c_str());
  return problems.empty() ? EX_OK : 1;
}

/// Returns false if the program must exit with `status`.
bool parse(int argc, char** argv, Options& options, int& status) {
  CLI::App app("Replays a published incident with real brokers, TLS, the shipped code and a faulty cache");
  app.name("scripts/incident");
  std::string arm = "both";
  double seconds = 0;
  app.add_option("scenario", options.scenario, "incident: xiaomi-2020")->required();
  app.add_option("--accounts", options.accounts, "number of accounts, each with a camera and a hub")
      ->check(CLI::Range(2, 20'000))
      ->capture_default_str();
  auto* const requests = app.add_option("--requests", options.requests, "number of requests of each hub")
                             ->check(CLI::Range(1, 1000))
                             ->capture_default_str();
  app.add_option("--seconds", seconds, "approximate time for requests in each arm, instead of --requests")
      ->check(CLI::Range(1.0, 36'000.0))
      ->excludes(requests);
  app.add_option("--seed", options.seed, "seed of delays and of the cache's choices")->capture_default_str();
  app.add_option("--output", options.output, "folder for report.json and report.html")->capture_default_str();
  app.add_option("--arm", arm, "sealed, plain or both")->check(CLI::IsMember({"sealed", "plain", "both"}));
  app.add_flag("--json", options.json, "print report.json instead of the table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    status = app.exit(e) == 0 ? 0 : 2;
    return false;
  }
  if (options.scenario != only_scenario) {
    std::fprintf(stderr, "error: unknown scenario '%s'; use %s\n", options.scenario.c_str(), only_scenario);
    status = 2;
    return false;
  }
  if (seconds > 0) {
    const auto waves = static_cast<double>((options.accounts + options.at_once - 1) / options.at_once);
    options.requests = static_cast<unsigned>(std::max(1.0, seconds / seconds_per_request / waves));
  }
  if (arm == "sealed") options.arms = {Arm::sealed};
  if (arm == "plain") options.arms = {Arm::plain};
  return true;
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
  raise_file_limit(options.accounts);
  return print_result(run(options), options);
} catch (const std::exception& e) {
  std::fprintf(stderr, "error: %s\n", e.what());
  return EX_SOFTWARE;
}
