// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/commands.hpp"
#include "owner/enroll.hpp"
#include "owner/sync.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;
using protocol::Role;

namespace {

struct EnrollOptions {
  std::string state, name, broker, host;
  int port = 0;
};

EnrollRequest to_request(Role role, const EnrollOptions& options) {
  EnrollRequest request{.role = role,
                        .state = absolute(options.state),
                        .name = options.name,
                        .broker = {absolute(options.broker)},
                        .host = std::nullopt,
                        .port = std::nullopt};
  if (!options.host.empty()) request.host = options.host;
  if (options.port != 0) request.port = static_cast<std::uint16_t>(options.port);
  if (request.name.empty()) request.name = request.state.filename().string();
  return request;
}

Outcome<> run_enroll(const Context& context, const EnrollRequest& request) {
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = may_change(account->file()); !r) return r;
  const auto enrolled = enroll(*account, request, context.clock);
  if (!enrolled) return std::unexpected(enrolled.error());
  if (auto r = remember_broker(*account, request.broker); !r) return r;
  const auto report =
      sync(*account, {.everything = false, .once = true, .patience = std::chrono::seconds(5)}, context.clock);
  if (!report) return std::unexpected(report.error());
  if (context.json) {
    std::println("{}", Json{{"id", enrolled->id.to_string()},
                            {"name", request.name},
                            {"role", protocol::name(request.role)},
                            {"account", account->id().to_string()},
                            {"broker_reloaded", enrolled->reloaded},
                            {"published", texts(report->published)},
                            {"pending", texts(report->pending)},
                            {"why_pending", report->why_pending}}
                           .dump());
    return {};
  }
  std::println("{} '{}' is {}", protocol::name(request.role), request.name, enrolled->id.to_string());
  if (const auto words = describe(*report, account->file()); !words.empty()) std::println("{}", words);
  return {};
}

/// For an operator who is elsewhere: the statement that `sealcam broker admit` wants.
Outcome<> run_admission(const Context& context, const std::string& state, const std::string& output) {
  const pairing::StateFiles files{absolute(state)};
  const auto path = absolute(output);
  const auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  const auto bytes = read(files.card(), protocol::max_control_size, "The folder is not a device's state");
  if (!bytes) return std::unexpected(bytes.error());
  const auto card = protocol::decode_card(*bytes);
  if (!card) return failure(card.error(), files.card().string());
  const auto request = read(files.tls_request(), 16U << 10);
  if (!request) return std::unexpected(request.error());
  const auto admission = make_admission(*account, *card, as_text(*request));
  if (!admission) return std::unexpected(admission.error());
  if (auto r = write(path, *admission); !r) return r;
  if (context.json)
    std::println("{}", Json{{"device", card->identity.id().to_string()}, {"admission", path.string()}}.dump());
  else std::println("admission of {} written to {}", card->identity.id().to_string(), path.string());
  return {};
}

void add_enroll(CLI::App& parent, Context& context, Role role) {
  auto options = std::make_shared<EnrollOptions>();
  const auto what = std::string(protocol::name(role));
  auto* command = parent.add_subcommand(
      "enroll", std::format("Make a {} whose state folder is on this machine the account's", what));
  command->add_option("STATE", options->state, std::format("The {}'s state folder; keys are made when it is new", what))
      ->required();
  auto* name = command->add_option("--name", options->name, "What it is called, at most 64 bytes");
  if (role == Role::camera) name->required();
  command->add_option("--broker", options->broker, "Folder of the broker ('sealcam broker init') on this machine")
      ->required();
  command->add_option("--host", options->host, "Where the device finds the broker (default: as the broker says)");
  command->add_option("--port", options->port, "And its port")->check(CLI::Range(1, 65535));
  command->fallthrough();
  command->callback([&context, options, role] {
    context.action = [&context, options, role] { return run_enroll(context, to_request(role, *options)); };
  });
}

}  // namespace

void add_device_commands(CLI::App& app, Context& context) {
  auto* camera = app.add_subcommand("camera", "The account's cameras")->require_subcommand(1);
  camera->fallthrough();
  add_enroll(*camera, context, Role::camera);

  auto* hub = app.add_subcommand("hub", "The account's hubs")->require_subcommand(1);
  hub->fallthrough();
  add_enroll(*hub, context, Role::hub);

  auto words = std::make_shared<std::pair<std::string, std::string>>();
  auto* admission = app.add_subcommand("admission", "Vouch for a device towards an operator who is elsewhere");
  admission->add_option("STATE", words->first, "The device's state folder")->required();
  admission->add_option("-o,--output", words->second, "File for 'sealcam broker admit --admission'")->required();
  admission->fallthrough();
  admission->callback([&context, words] {
    context.action = [&context, words] { return run_admission(context, words->first, words->second); };
  });
}

}  // namespace sealcam::owner
