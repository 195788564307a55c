// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/commands.hpp"
#include "owner/enroll.hpp"
#include "owner/operator_options.hpp"
#include "owner/pair.hpp"
#include "owner/passphrase_input.hpp"
#include "owner/sync.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;
using protocol::Role;

namespace {

struct EnrollOptions {
  std::string state, name, host;
  OperatorOptions broker;
  int port = 0;
  std::string shown, at;  ///< of pairing
  std::string ssid, password_file;
};

Terms to_terms(const EnrollOptions& options) {
  Terms terms{.name = options.name, .broker = nullptr, .host = std::nullopt, .port = std::nullopt};
  if (!options.host.empty()) terms.host = options.host;
  if (options.port != 0) terms.port = static_cast<std::uint16_t>(options.port);
  return terms;
}

EnrollRequest to_request(Role role, const EnrollOptions& options) {
  EnrollRequest request{.role = role, .state = absolute(options.state), .terms = to_terms(options)};
  if (request.terms.name.empty()) request.terms.name = request.state.filename().string();
  return request;
}

/// The account has the device; publishes the rosters and tells.
Outcome<> publish_and_tell(const Context& context, Account& account, Role role, const std::string& name,
                           const Enrolled& enrolled, const std::string& model) {
  const auto report =
      sync(account, {.everything = false, .once = true, .patience = std::chrono::seconds(5)}, context.clock);
  if (!report) return std::unexpected(report.error());
  if (context.json) {
    Json json{{"id", enrolled.id.to_string()},        {"name", name},
              {"role", protocol::name(role)},         {"account", account.id().to_string()},
              {"broker_reloaded", enrolled.reloaded}, {"published", texts(report->published)},
              {"pending", texts(report->pending)},    {"why_pending", report->why_pending}};
    if (!model.empty()) json["model"] = model;
    // The model is the device's own word, and need not be UTF-8.
    std::println("{}", json.dump(-1, ' ', false, Json::error_handler_t::replace));
    return {};
  }
  std::println("{} '{}' is {}", protocol::name(role), name, enrolled.id.to_string());
  if (const auto words = describe(*report, account.file()); !words.empty()) std::println("{}", words);
  return {};
}

/// Writes what an operator elsewhere is to admit: the device, and what of this machine is not admitted yet.
Outcome<> ask_operator(const Context& context, const Account& account, const OperatorOptions& broker,
                       const Outcome<std::pair<protocol::Card, std::string>>& device) {
  if (!device) return std::unexpected(device.error());
  auto requests = requests_of_this_machine(account);
  if (!requests) return std::unexpected(requests.error());
  auto own = admission_request(account, device->first, device->second);
  if (!own) return std::unexpected(own.error());
  requests->push_back(std::move(*own));
  return send_requests(context, broker, *requests, device->first.identity.id());
}

Outcome<> run_pair(const Context& context, Role role, const EnrollOptions& options) {
  auto shown = protocol::PairingString::parse(options.shown);
  if (!shown) return failure(EX_USAGE, std::format("{}. Copy what the device shows as a whole", shown.error().what));
  std::optional<protocol::HostPort> instead;
  if (!options.at.empty()) {
    const auto at = protocol::HostPort::parse(options.at);
    if (!at) return failure(EX_USAGE, std::format("--at {}: {}", options.at, at.error().what));
    instead = *at;
  }
  PairRequest request{role, std::move(*shown), instead, to_terms(options)};
  if (auto r = options.broker.resolve(request.terms.broker); !r) return r;
  if (!options.ssid.empty()) {
    auto ssid = parse_ssid(options.ssid);
    if (!ssid) return std::unexpected(ssid.error());
    auto passphrase = read_wifi_passphrase(options.password_file, "--wifi-password-file");
    if (!passphrase) return std::unexpected(passphrase.error());
    request.wifi = protocol::Wifi{std::move(*ssid), std::move(*passphrase)};
  }
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = may_change(account->file()); !r) return r;
  if (options.broker.asks()) return ask_operator(context, *account, options.broker, introduce(*account, request));
  const auto paired = pair(*account, request, context.clock);
  if (!paired) return std::unexpected(paired.error());
  if (auto r = remember_broker(*account, *request.terms.broker); !r) return r;
  return publish_and_tell(context, *account, role, request.terms.name, paired->enrolled, paired->model);
}

Outcome<> run_enroll(const Context& context, EnrollRequest request, const OperatorOptions& broker) {
  if (auto r = broker.resolve(request.terms.broker); !r) return r;
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = may_change(account->file()); !r) return r;
  if (broker.asks()) return ask_operator(context, *account, broker, device_here(*account, request.role, request.state));
  const auto enrolled = enroll(*account, request, context.clock);
  if (!enrolled) return std::unexpected(enrolled.error());
  if (auto r = remember_broker(*account, *request.terms.broker); !r) return r;
  return publish_and_tell(context, *account, request.role, request.terms.name, *enrolled, "");
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
  add_operator_options(*command, options->broker);
  command->add_option("--host", options->host, "Where the device finds the broker (default: as the broker says)");
  command->add_option("--port", options->port, "And its port")->check(CLI::Range(1, 65535));
  command->fallthrough();
  command->callback([&context, options, role] {
    context.action = [&context, options, role] {
      return run_enroll(context, to_request(role, *options), options->broker);
    };
  });
}

void add_pair(CLI::App& parent, Context& context, Role role) {
  auto options = std::make_shared<EnrollOptions>();
  const auto what = std::string(protocol::name(role));
  auto* command = parent.add_subcommand(role == Role::camera ? "pair" : "link",
                                        std::format("Make a {} in this network the account's", what));
  command->add_option("STRING", options->shown, std::format("What the {} shows: sealcam:1:…", what))->required();
  command->add_option("--name", options->name, "What it is called, at most 64 bytes")->required();
  add_operator_options(*command, options->broker);
  command->add_option("--at", options->at, std::format("Where the {} is, instead of what it shows", what))
      ->type_name("HOST:PORT");
  command->add_option("--host", options->host, "Where the device finds the broker (default: as the broker says)");
  command->add_option("--port", options->port, "And its port")->check(CLI::Range(1, 65535));
  if (role == Role::camera) {
    auto* wifi = command->add_option("--wifi", options->ssid, "Wi-Fi network that it is to join once it is paired")
                     ->type_name("SSID");
    command
        ->add_option(
            "--wifi-password-file", options->password_file,
            "File whose first line is the network's passphrase, - for standard input (default: it is asked for)")
        ->needs(wifi);
  }
  command->fallthrough();
  command->callback([&context, options, role] {
    context.action = [&context, options, role] { return run_pair(context, role, *options); };
  });
}

}  // namespace

void add_device_commands(CLI::App& app, Context& context) {
  auto* camera = app.add_subcommand("camera", "The account's cameras")->require_subcommand(1);
  camera->fallthrough();
  add_pair(*camera, context, Role::camera);
  add_enroll(*camera, context, Role::camera);

  auto* hub = app.add_subcommand("hub", "The account's hubs")->require_subcommand(1);
  hub->fallthrough();
  add_pair(*hub, context, Role::hub);
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
