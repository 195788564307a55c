// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/commands.hpp"
#include "owner/doctor.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

Outcome<> run_doctor(const Context& context, std::chrono::milliseconds patience) {
  const auto findings = examine(context.account(), context.clock, patience);
  auto json = Json::array();
  int exit_code = EX_OK;
  for (const auto& finding : findings) {
    if (exit_code == EX_OK) exit_code = finding.exit_code;
    const bool is_well = finding.exit_code == EX_OK;
    if (context.json)
      json.push_back({{"what", finding.what},
                      {"well", is_well},
                      {"sentence", finding.sentence},
                      {"next_step", finding.next_step}});
    else
      std::println("{} {}: {}{}{}", is_well ? "ok  " : "FAIL", finding.what, finding.sentence,
                   is_well ? "" : "\n     next: ", finding.next_step);
  }
  if (context.json) std::println("{}", json.dump());
  return exit_code == EX_OK ? Outcome<>() : failure(exit_code, "");
}

}  // namespace

void add_doctor_command(CLI::App& app, Context& context) {
  auto seconds = std::make_shared<double>(5);
  auto* command = app.add_subcommand("doctor", "Is all well? What is not comes with the next step");
  command->add_option("--timeout", *seconds, "Seconds to wait for the broker, and as long for the cameras")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  command->fallthrough();
  command->callback([&context, seconds] {
    context.action = [&context, seconds] {
      return run_doctor(context, std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000)));
    };
  });
}

}  // namespace sealcam::owner
