// SPDX-License-Identifier: Apache-2.0
#include "owner/operator_options.hpp"

#include <CLI/CLI.hpp>
#include <format>
#include <nlohmann/json.hpp>
#include <print>

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

Outcome<> OperatorOptions::resolve(std::shared_ptr<const Operator>& out) const {
  if (int{!broker.empty()} + int{!request.empty()} + int{!answer.empty()} != 1)
    return failure(EX_USAGE,
                   "Say who admits devices to the broker: --broker DIR when it is on this machine; else --request FILE "
                   "writes a file for its operator, and --answer FILE takes what comes back");
  if (!broker.empty()) out = operator_here({absolute(broker)});
  if (answer.empty()) return {};
  auto answered = operator_who_answered(absolute(answer));
  if (!answered) return std::unexpected(answered.error());
  out = std::move(*answered);
  return {};
}

void add_operator_options(CLI::App& command, OperatorOptions& options) {
  command.add_option("--broker", options.broker, "Folder of the broker ('sealcam broker init') on this machine");
  // Absolute at once: opening an account changes the working folder.
  command.add_option_function<std::string>(
      "--request", [&options](const std::string& file) { options.request = absolute(file).string(); },
      "Only write this file for a broker's operator elsewhere ('sealcam broker answer')");
  command.add_option("--answer", options.answer, "The file that came back from that operator");
}

Outcome<> send_requests(const Context& context, const OperatorOptions& options,
                        const std::vector<AdmissionRequest>& requests, const std::optional<DeviceId>& device) {
  if (auto r = write_requests(options.request, requests); !r) return r;
  if (context.json) {
    Json json{{"requests", requests.size()}, {"file", options.request}};
    if (device) json["device"] = device->to_string();
    std::println("{}", json.dump());
    return {};
  }
  if (device) std::println("device {} stays nobody's until you come back with the answer", device->to_string());
  std::println(
      "{} requests written to {}. The broker's operator runs: sealcam broker answer DIR {} -o ANSWER\nthen run this "
      "command again with --answer ANSWER in place of --request{}",
      requests.size(), options.request, std::filesystem::path(options.request).filename().string(),
      device ? ", and the pairing string that the device shows then" : "");
  return {};
}

}  // namespace sealcam::owner
