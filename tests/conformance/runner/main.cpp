// SPDX-License-Identifier: Apache-2.0
// Runs the corpus against the shipped classes.
//
//     conformance_runner [--results FILE] RULES-FOLDER [RULE[/CASE]]…
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.hpp"
#include "conformance/runner/case.hpp"

namespace {

using sealcam::conformance::Json;
namespace fs = std::filesystem;

constexpr std::size_t max_case = 4U << 20;

/// An absent list of these means that the event rejects nothing, shows nothing, and so on.
constexpr std::array strict{"rejected", "shown", "not_shown", "request", "grants", "sent"};

struct Totals {
  std::set<std::string> rules;
  std::size_t cases = 0, verdicts = 0, failed = 0;
  Json results = Json::object();
};

Json read(const fs::path& path) {
  return Json::parse(sealcam::as_text(sealcam::test::must(sealcam::read_file(path, max_case))));
}

std::unique_ptr<sealcam::conformance::Run> make_run(const Json& json) {
  const std::string under_test = json.at("under_test");
  if (under_test == "hub") return sealcam::conformance::run_hub(json);
  if (under_test == "camera") return sealcam::conformance::run_camera(json);
  if (under_test == "owner") return sealcam::conformance::run_owner(json);
  if (under_test == "phone" || under_test == "mailbox") return sealcam::conformance::run_link(json);
  throw std::runtime_error("this runner has no device '" + under_test + "'");
}

/// Returns the compared part of each verdict, and prints each difference.
bool run(const std::string& name, const Json& json, Json& verdicts) {
  const auto run = make_run(json);
  bool good = true;
  std::size_t number = 0;
  for (const auto& event : json.at("events")) {
    const Json whole = run->event(event);
    Json expected = event.value("expect", Json::object());
    for (const char* field : strict)
      if (whole.contains(field) && !expected.contains(field)) expected[field] = Json::array();
    Json actual = Json::object();
    for (const auto& [field, value] : expected.items()) actual[field] = whole.value(field, Json());
    if (actual != expected) {
      good = false;
      std::printf("%s: event %zu (%s): expected %s, was %s\n", name.c_str(), number,
                  event.at("do").get<std::string>().c_str(), expected.dump().c_str(), actual.dump().c_str());
    }
    verdicts.push_back(std::move(actual));
    ++number;
  }
  return good;
}

void run_file(const fs::path& path, const std::string& name, Totals& totals) {
  Json verdicts = Json::array();
  bool good = false;
  try {
    good = run(name, read(path), verdicts);
  } catch (const std::exception& error) {
    std::printf("%s: event %zu: %s\n", name.c_str(), verdicts.size(), error.what());
  }
  totals.rules.insert(path.parent_path().filename().string());
  ++totals.cases;
  totals.verdicts += verdicts.size();
  totals.failed += good ? 0 : 1;
  totals.results[name] = std::move(verdicts);
}

bool selected(const std::string& name, const std::vector<std::string>& cases) {
  return cases.empty() ||
         std::ranges::any_of(cases, [&](const auto& c) { return name == c || name.starts_with(c + "/"); });
}

int run_all(const std::vector<std::string>& arguments) {
  std::vector<std::string> rest;
  std::string results;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--results" && i + 1 < arguments.size()) results = arguments[++i];
    else rest.push_back(arguments[i]);
  }
  if (rest.empty()) {
    std::fputs("usage: conformance_runner [--results FILE] RULES-FOLDER [RULE[/CASE]]...\n", stderr);
    return 2;
  }
  const fs::path folder = rest.front();
  rest.erase(rest.begin());
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::ranges::sort(files);
  Totals totals;
  for (const auto& path : files) {
    const auto name = path.parent_path().filename().string() + "/" + path.stem().string();
    if (selected(name, rest)) run_file(path, name, totals);
  }
  if (!results.empty())
    sealcam::test::must(sealcam::write_file_durably(results, sealcam::as_bytes(totals.results.dump(1) + "\n")));
  std::printf("%zu rules, %zu cases, %zu verdicts, %zu cases failed\n", totals.rules.size(), totals.cases,
              totals.verdicts, totals.failed);
  return totals.failed > 0 || totals.cases == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_all({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conformance_runner: %s\n", error.what());
    return 2;
  }
}
