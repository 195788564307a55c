// SPDX-License-Identifier: Apache-2.0
#include "base/format.hpp"
#include "crypto/psa.hpp"
#include "owner/broker/authorization.hpp"
#include "owner/broker/rabbitmq.hpp"
#include "owner/broker/web_listener.hpp"
#include "owner/commands/change.hpp"
#include "owner/commands/commands.hpp"
#include "owner/console.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::owner {

namespace {

constexpr std::size_t max_request = 16U << 10;
constexpr std::size_t max_broker_backup = 64U << 20;

JsonObject to_json(const Authorized& device) {
  JsonObject json;
  json.add("device", device.device.to_string())
      .add("role", protocol::name(device.role))
      .add("account", device.account.to_string());
  return json;
}

std::string device_text(const Authorized& device) {
  return sealcam::format("{} {} of account {}", protocol::name(device.role), device.device.to_string(),
                         device.account.to_string());
}

std::string_view reload_text(bool reloaded) {
  return reloaded ? "the running broker uses the new access list"
                  : "no broker with this configuration is running on this machine";
}

std::string revoked_text(const Revoked& revoked) {
  if (revoked.cleared)
    return sealcam::format("{}; its session ended, and the retained messages of {} topics are deleted",
                           reload_text(revoked.reloaded), revoked.topics);
  return sealcam::format(
      "{}; its retained messages are not deleted yet ({}); run this command again while the broker "
      "is running",
      reload_text(revoked.reloaded), revoked.why_not);
}

/// The hosts of --host. A name in a certificate may contain a wildcard.
Outcome<std::vector<std::string>> certificate_hosts(std::vector<std::string> hosts) {
  for (auto& host : hosts) {
    if (host.contains('*')) continue;
    auto parsed = parse_host(host);
    if (!parsed) return std::unexpected(parsed.error());
    host = std::move(*parsed);
  }
  return hosts;
}

/// The options of init for a listener for phones. None: no such option.
Outcome<std::optional<WebCertificate>> web_certificate(const BrokerArguments& arguments,
                                                       const BrokerSettings& settings) {
  if (arguments.web_certificate.empty() && arguments.web_key.empty() && !arguments.web_port)
    return std::optional<WebCertificate>();
  if (arguments.web_certificate.empty() || arguments.web_key.empty())
    return failure(EX_USAGE, "a listener for phones needs --web-certificate and --web-key");
  if (auto r = check_web_port(settings, arguments.web_port); !r) return std::unexpected(r.error());
  auto certificate = WebCertificate::read(arguments.web_certificate, arguments.web_key, settings.advertised_host());
  if (!certificate) return std::unexpected(certificate.error());
  return std::optional(std::move(*certificate));
}

std::string web_text(const WebListenerChange& change, const std::string& address) {
  return sealcam::format("phones connect to {}; {}", address,
                         change.restart   ? "restart Mosquitto, because it opens a new listener at its start only"
                         : change.running ? "the running broker uses the new certificate"
                                          : reload_text(false));
}

/// A host, or every address of this machine.
Outcome<std::string> parse_listen(const std::string& text) {
  auto host = protocol::parse_host(text);
  if (!host)
    return failure(EX_USAGE,
                   sealcam::format("'{}' is not a host: use a name, or an IPv4 or IPv6 address without a port",
                                   printable(text, 253)));
  return std::move(*host);
}

}  // namespace

Outcome<std::string> parse_host(const std::string& text) {
  auto host = parse_listen(text);
  if (host && is_wildcard(*host))
    return failure(
        EX_USAGE,
        sealcam::format("'{}' is every address of a machine, and no device can connect to it: use one address", *host));
  return host;
}

Outcome<> init_broker(const Dependencies& deps, const BrokerArguments& arguments) {
  const BrokerFiles files{arguments.folder};
  auto settings = arguments.settings;
  auto names = certificate_hosts(settings.hosts);
  if (!names) return std::unexpected(names.error());
  settings.hosts = std::move(*names);
  auto listen = parse_listen(settings.listen);
  if (!listen) return std::unexpected(listen.error());
  settings.listen = std::move(*listen);
  if (auto r = check_nodes(settings); !r) return r;
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const auto web = web_certificate(arguments, settings);  // before the first file is written
  if (!web) return std::unexpected(web.error());
  if (auto r = make_broker(files, settings); !r) return r;
  if (*web) {
    const auto added = set_web_listener(files, arguments.web_port, **web);
    if (!added) return std::unexpected(added.error());
    settings.web_port = added->port;
  }
  const bool rabbitmq = settings.kind == BrokerKind::rabbitmq;
  const auto configuration = rabbitmq ? files.folder / "rabbitmq.conf" : files.configuration();
  const auto command =
      rabbitmq ? rabbitmq_command(files) : sealcam::format("/usr/sbin/mosquitto -c {}", configuration.string());
  JsonObject json;
  json.add("folder", files.folder.string())
      .add("configuration", configuration.string())
      .add("listen", settings.listen)
      .add("host", settings.advertised_host())
      .add("port", settings.port);
  if (settings.web_port) json.add("web_port", *settings.web_port);
  json.add("start", command);
  if (deps.json) print_json(json);
  else
    sealcam::println("broker for {} port {}{} set up in {}\nstart it with: {}", settings.listen, settings.port,
                     settings.web_port ? sealcam::format(", and for phones port {},", *settings.web_port) : "",
                     files.folder.string(), command);
  if (is_wildcard(settings.listen) && settings.hosts.empty())
    sealcam::println(stderr,
                     "sealcam: only devices on this machine can connect, because they use the name 'localhost'; for "
                     "others, make another folder with --host ADDRESS");
  return {};
}

Outcome<> add_web_listener(const Dependencies& deps, const BrokerArguments& arguments) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const BrokerFiles files{arguments.folder};
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  if (auto r = check_web_port(*settings, arguments.web_port); !r) return r;
  const auto certificate =
      WebCertificate::read(arguments.web_certificate, arguments.web_key, settings->advertised_host());
  if (!certificate) return std::unexpected(certificate.error());
  const auto change = set_web_listener(files, arguments.web_port, *certificate);
  if (!change) return std::unexpected(change.error());
  const auto address = web_address(settings->advertised_host(), change->port);
  if (deps.json)
    print_json(JsonObject()
                   .add("address", address)
                   .add("port", change->port)
                   .add("running", change->running)
                   .add("restart", change->restart));
  else sealcam::println("{}", web_text(*change, address));
  return {};
}

Outcome<> authorize_device(const Dependencies& deps, const BrokerArguments& arguments) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const BrokerFiles files{arguments.folder};
  const auto request = read(arguments.request, max_request);
  if (!request) return std::unexpected(request.error());
  auto authorization = read(arguments.authorization, protocol::max_control_size);
  if (!authorization) return std::unexpected(authorization.error());
  auto descriptor = read(arguments.descriptor, protocol::max_control_size);
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto authorized =
      authorize(files, {std::string(as_text(*request)), std::move(*descriptor), std::move(*authorization)});
  if (!authorized) return std::unexpected(authorized.error());
  const auto reloaded = apply_authorizations(files);
  if (!reloaded) return std::unexpected(reloaded.error());
  if (arguments.output == "-") {
    sealcam::print("{}", authorized->certificate_pem);
    return {};
  }
  if (auto r = write_output(arguments.output, as_bytes(authorized->certificate_pem)); !r) return r;
  if (deps.json)
    print_json(to_json(authorized->device).add("certificate", arguments.output).add("reloaded", *reloaded));
  else
    sealcam::println("authorized {}; {}\ncertificate: {}\nauthority: {}", device_text(authorized->device),
                     reload_text(*reloaded), arguments.output, files.authority().string());
  return {};
}

Outcome<> answer_requests(const Dependencies& deps, const BrokerArguments& arguments) {
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const BrokerFiles files{arguments.folder};
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  const auto broker = local_operator(files);
  auto authority = broker->authority();
  if (!authority) return std::unexpected(authority.error());
  const auto requests = read_requests(arguments.requests);
  if (!requests) return std::unexpected(requests.error());
  const auto devices = authorize_all(files, *requests);
  if (!devices) return std::unexpected(devices.error());
  const auto reloaded = apply_authorizations(files);
  if (!reloaded) return std::unexpected(reloaded.error());
  // All entries are of one account.
  const auto host = devices->empty() ? settings->advertised_host() : settings->host_of(devices->front().device.account);
  Answer answer{{host, settings->port}, std::move(*authority), {}};
  JsonArray authorized;
  for (const auto& [device, certificate_pem] : *devices) {
    answer.certificates_pem.push_back(certificate_pem);
    if (deps.json) authorized.add(to_json(device));
    else sealcam::println("authorized {}", device_text(device));
  }
  if (auto r = write_answer(arguments.output, answer); !r) return r;
  if (deps.json) print_json(JsonObject().add("authorized", authorized).add("answer", arguments.output));
  else sealcam::println("{}\nsend this file to the owner: {}", reload_text(*reloaded), arguments.output);
  return {};
}

Outcome<> revoke_device(const Dependencies& deps, const BrokerArguments& arguments) {
  const BrokerFiles files{arguments.folder};
  const auto device = DeviceId::parse(arguments.device);
  if (!device)
    return failure(EX_USAGE, sealcam::format("'{}' is not a device id of 32 characters; list the devices with 'sealcam "
                                             "broker list {}'",
                                             arguments.device, arguments.folder));
  if (auto r = crypto::init(); !r) return failure(r.error(), "cannot start the crypto library");
  const auto revoked = revoke(files, *device);
  if (!revoked) return std::unexpected(revoked.error());
  if (deps.json)
    print_json(JsonObject()
                   .add("device", arguments.device)
                   .add("reloaded", revoked->reloaded)
                   .add("cleared", revoked->cleared)
                   .add("topics", revoked->topics)
                   .add("why_not", revoked->why_not));
  else sealcam::println("revoked {}; {}", arguments.device, revoked_text(*revoked));
  return {};
}

Outcome<> list_devices(const Dependencies& deps, const BrokerArguments& arguments) {
  const BrokerFiles files{arguments.folder};
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  const auto records = read_devices(files);
  if (!records) return std::unexpected(records.error());
  JsonArray json;
  for (const auto& [device, certificates, login] : *records) {
    if (deps.json) json.add(login ? to_json(device).add("phone", true) : to_json(device));
    else sealcam::println("{}{}", device_text(device), login ? " (a phone)" : "");
  }
  if (deps.json) print_json(json);
  else if (records->empty()) sealcam::println("no device is authorized");
  return {};
}

Outcome<> renew_certificates(const Dependencies& deps, const BrokerArguments& arguments) {
  const BrokerFiles files{arguments.folder};
  if (!arguments.server && !arguments.authority) return failure(EX_USAGE, "give --server, --authority, or both");
  if (!arguments.settings.hosts.empty() && !arguments.server)
    return failure(EX_USAGE, "--host needs --server, because only the broker's certificate contains names");
  if (arguments.authority)
    if (auto r = renew_authority(files); !r) return r;
  bool reloaded = false;
  if (arguments.server) {
    const auto names = certificate_hosts(arguments.settings.hosts);
    if (!names) return std::unexpected(names.error());
    const auto renewed = renew_server(files, *names);
    if (!renewed) return std::unexpected(renewed.error());
    reloaded = *renewed;
  }
  if (deps.json)
    print_json(
        JsonObject().add("server", arguments.server).add("authority", arguments.authority).add("reloaded", reloaded));
  else
    sealcam::println("renewed{}{}", arguments.server ? sealcam::format("; {}", reload_text(reloaded)) : "",
                     arguments.authority ? "; the broker reads the authority's certificate at its next start" : "");
  return {};
}

Outcome<> back_up_broker(const Dependencies& deps, const BrokerArguments& arguments) {
  const auto passphrase = read_passphrase(arguments.passphrase_file, PassphrasePrompt::twice);
  if (!passphrase) return std::unexpected(passphrase.error());
  if (auto r = back_up_broker({arguments.folder}, arguments.file, *passphrase, deps.clock.wall()); !r) return r;
  if (deps.json) print_json(JsonObject().add("backup", arguments.file));
  else
    sealcam::println("backup in {}\nkeep it on another machine, and keep the passphrase in another place",
                     arguments.file);
  return {};
}

Outcome<> restore_broker(const Dependencies& deps, const BrokerArguments& arguments) {
  const auto text = read(arguments.file, max_broker_backup);
  if (!text) return std::unexpected(text.error());
  const auto passphrase = read_passphrase(arguments.passphrase_file, PassphrasePrompt::once);
  if (!passphrase) return std::unexpected(passphrase.error());
  const BrokerFiles files{arguments.folder};
  if (auto r = restore_broker(files, as_text(*text), *passphrase); !r) return r;
  const auto devices = list_authorized(files);
  if (!devices) return std::unexpected(devices.error());
  if (deps.json) print_json(JsonObject().add("folder", files.folder.string()).add("devices", devices->size()));
  else
    sealcam::println("restored in {} with {} devices; revoke the devices again that you revoked after the backup",
                     files.folder.string(), devices->size());
  return {};
}

}  // namespace sealcam::owner
