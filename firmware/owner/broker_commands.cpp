// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "core/file.hpp"
#include "crypto/psa.hpp"
#include "owner/admission.hpp"
#include "owner/commands.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t largest_pem = 16U << 10;

Json to_json(const Admitted& who) {
  return {{"device", who.device.to_string()}, {"role", protocol::name(who.role)}, {"account", who.account.to_string()}};
}

std::string_view reload_words(bool reloaded) {
  return reloaded ? "the running broker was told" : "no broker runs here with this configuration";
}

Outcome<> init(const Context& context, const BrokerFiles& files, const BrokerSettings& settings) {
  if (auto r = make_broker(files, settings); !r) return r;
  const auto command = std::format("mosquitto -c {}", files.configuration().string());
  if (context.json) {
    std::println("{}", Json{{"folder", files.folder.string()},
                            {"configuration", files.configuration().string()},
                            {"listen", settings.listen},
                            {"host", settings.advertised_host()},
                            {"port", settings.port},
                            {"start", command}}
                           .dump());
    return {};
  }
  std::println("broker set up in {}, for {} port {}\nstart it with: {}", files.folder.string(), settings.listen,
               settings.port, command);
  return {};
}

Outcome<> run_admit(const Context& context, const BrokerFiles& files, const std::filesystem::path& request_file,
                    const std::filesystem::path& admission_file, const std::string& output) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "Starting the crypto library");
  const auto request = read(request_file, largest_pem);
  if (!request) return std::unexpected(request.error());
  const auto admission = read(admission_file, protocol::max_control_size);
  if (!admission) return std::unexpected(admission.error());
  const auto admitted = admit(files, as_text(*request), *admission);
  if (!admitted) return std::unexpected(admitted.error());
  if (output == "-") {
    std::print("{}", admitted->certificate_pem);
    return {};
  }
  const auto path = absolute(output);
  if (auto r = write(path, as_bytes(admitted->certificate_pem)); !r) return r;
  if (context.json) {
    auto json = to_json(admitted->who);
    json["certificate"] = path.string();
    json["reloaded"] = admitted->reloaded;
    std::println("{}", json.dump());
    return {};
  }
  std::println("admitted {} {} of account {}; {}\ncertificate: {}\nauthority: {}", protocol::name(admitted->who.role),
               admitted->who.device.to_string(), admitted->who.account.to_string(), reload_words(admitted->reloaded),
               path.string(), files.authority().string());
  return {};
}

/// Admits each device of a file of requests, or none.
Outcome<> run_answer(const Context& context, const BrokerFiles& files, const std::filesystem::path& requests_file,
                     const std::filesystem::path& output) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "Starting the crypto library");
  const auto here = operator_here(files);
  auto address = here->address();
  if (!address) return std::unexpected(address.error());
  auto authority = here->authority();
  if (!authority) return std::unexpected(authority.error());
  const auto requests = read_requests(requests_file);
  if (!requests) return std::unexpected(requests.error());
  Answer answer{std::move(*address), std::move(*authority), {}};
  auto json = Json::array();
  const auto everybody = admit_all(files, *requests);
  if (!everybody) return std::unexpected(everybody.error());
  for (const auto& [who, certificate_pem, reloaded] : *everybody) {
    answer.certificates_pem.push_back(certificate_pem);
    if (context.json) json.push_back(to_json(who));
    else
      std::println("admitted {} {} of account {}; {}", protocol::name(who.role), who.device.to_string(),
                   who.account.to_string(), reload_words(reloaded));
  }
  if (auto r = write_answer(output, answer); !r) return r;
  if (context.json) std::println("{}", Json{{"admitted", json}, {"answer", output.string()}}.dump());
  else std::println("send this back: {}", output.string());
  return {};
}

Outcome<> run_expel(const Context& context, const BrokerFiles& files, const std::string& text) {
  const auto device = DeviceId::parse(text);
  if (!device) return failure(EX_USAGE, std::format("'{}' is not an identity of 32 letters", text));
  const auto reloaded = expel(files, *device);
  if (!reloaded) return std::unexpected(reloaded.error());
  if (context.json) std::println("{}", Json{{"device", text}, {"reloaded", *reloaded}}.dump());
  else std::println("expelled {}; {}", text, reload_words(*reloaded));
  return {};
}

Outcome<> run_list(const Context& context, const BrokerFiles& files) {
  const auto everybody = list_admitted(files);
  if (!everybody) return std::unexpected(everybody.error());
  if (context.json) {
    auto json = Json::array();
    for (const auto& who : *everybody) json.push_back(to_json(who));
    std::println("{}", json.dump());
    return {};
  }
  if (everybody->empty()) std::println("nobody is admitted");
  for (const auto& who : *everybody)
    std::println("{:6} {} of account {}", protocol::name(who.role), who.device.to_string(), who.account.to_string());
  return {};
}

void add_init(CLI::App& broker, Context& context) {
  struct Options {
    std::string folder;
    BrokerSettings settings;
  };
  auto options = std::make_shared<Options>();
  auto* command = broker.add_subcommand("init", "Write a Mosquitto set-up into a new folder");
  command->add_option("DIR", options->folder, "Where to keep it")->required();
  command->add_option("--listen", options->settings.listen, "Address to listen on; 0.0.0.0 is every one")
      ->capture_default_str();
  command->add_option("--port", options->settings.port, "Port to listen on")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  command->add_option("--host", options->settings.hosts,
                      "Name or address by which devices find it, for the certificate; the first is what they are told");
  command->fallthrough();
  command->callback([&context, options] {
    context.action = [&context, options] { return init(context, {absolute(options->folder)}, options->settings); };
  });
}

void add_admit(CLI::App& broker, Context& context) {
  struct Options {
    std::string folder, request, admission, output = "-";
  };
  auto options = std::make_shared<Options>();
  auto* command = broker.add_subcommand("admit", "Admit a device that its owner vouches for");
  command->add_option("DIR", options->folder, "The broker's folder")->required();
  command->add_option("--request", options->request, "The device's certificate request (tls.csr)")->required();
  command->add_option("--admission", options->admission, "The owner's statement ('sealcam admission')")->required();
  command->add_option("-o,--output", options->output, "Where to write the certificate")->capture_default_str();
  command->fallthrough();
  command->callback([&context, options] {
    context.action = [&context, options] {
      return run_admit(context, {absolute(options->folder)}, absolute(options->request), absolute(options->admission),
                       options->output);
    };
  });
}

void add_answer(CLI::App& broker, Context& context) {
  struct Options {
    std::string folder, requests, output;
  };
  auto options = std::make_shared<Options>();
  auto* command = broker.add_subcommand("answer", "Admit what an owner elsewhere asks for with --request");
  command->add_option("DIR", options->folder, "The broker's folder")->required();
  command->add_option("FILE", options->requests, "What the owner sent")->required();
  command->add_option("-o,--output", options->output, "What to send back, for --answer")->required();
  command->fallthrough();
  command->callback([&context, options] {
    context.action = [&context, options] {
      return run_answer(context, {absolute(options->folder)}, absolute(options->requests), absolute(options->output));
    };
  });
}

}  // namespace

void add_broker_commands(CLI::App& app, Context& context) {
  auto* broker =
      app.add_subcommand("broker", "For the operator: the broker's set-up and who may use it")->require_subcommand(1);
  broker->fallthrough();
  add_init(*broker, context);
  add_admit(*broker, context);
  add_answer(*broker, context);

  auto words = std::make_shared<std::pair<std::string, std::string>>();
  auto* out = broker->add_subcommand("expel", "Take a device's access away");
  out->add_option("DIR", words->first, "The broker's folder")->required();
  out->add_option("ID", words->second, "The device's id")->required();
  out->fallthrough();
  out->callback([&context, words] {
    context.action = [&context, words] { return run_expel(context, {absolute(words->first)}, words->second); };
  });

  auto* list = broker->add_subcommand("list", "Who is admitted");
  list->add_option("DIR", words->first, "The broker's folder")->required();
  list->fallthrough();
  list->callback([&context, words] {
    context.action = [&context, words] { return run_list(context, {absolute(words->first)}); };
  });
}

}  // namespace sealcam::owner
