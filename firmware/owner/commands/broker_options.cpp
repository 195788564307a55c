// SPDX-License-Identifier: Apache-2.0
/// The commands of operators: `sealcam broker`.
#include "owner/commands/command_line.hpp"

namespace sealcam::owner {

/// Adds a command with the broker's folder.
std::pair<CLI::App&, BrokerArguments&> CommandLine::add_for_broker(CLI::App& parent, const char* name,
                                                                   const char* description,
                                                                   Command<BrokerArguments> command) {
  auto [app, arguments] = add(parent, name, description, command);
  add_path(app, "DIR", arguments.folder, "", "Folder of the broker")->required();
  return {app, arguments};
}

void CommandLine::add_broker_commands() {
  auto& broker = group(app_, "broker", "For operators: set up a broker and authorize devices");
  auto [init, i] = add_for_broker(broker, "init", "Set up a broker in a new folder", &init_broker);
  add_text(init, "--listen", i.settings.listen, "ADDRESS", "Address to listen on; 0.0.0.0 is every address")
      ->capture_default_str();
  add_number(init, "--port", i.settings.port, "PORT", std::uint16_t{1}, std::uint16_t{65535}, "Port to listen on")
      ->capture_default_str();
  add_text(init, "--host", i.settings.hosts, "HOST",
           "Name or address in the certificate; may be repeated. Devices use the first one");
  init.add_option_function<std::string>(
          "--for",
          [&settings = i.settings](const std::string& kind) {
            settings.kind = kind == name(BrokerKind::rabbitmq) ? BrokerKind::rabbitmq : BrokerKind::mosquitto;
          },
          "Program of the broker: mosquitto or rabbitmq (default: mosquitto)")
      ->type_name("PROGRAM")
      ->check(CLI::IsMember({"mosquitto", "rabbitmq"}).description(""));
  add_text(init, "--node", i.settings.nodes, "HOST", "Machine of a RabbitMQ cluster, this one first; repeatable");
  add_number(init, "--devices", i.settings.devices_per_account, "NUMBER", 1U, 1U << 20,
             "Maximum number of devices of one account")
      ->capture_default_str();

  add_path(init, "--web-certificate", i.web_certificate, "FILE",
           "Certificate of a listener for phones, with intermediates (PEM)");
  add_path(init, "--web-key", i.web_key, "FILE", "Key of this certificate (PEM)");
  add_number(init, "--web-port", i.web_port, "PORT", std::uint16_t{1}, std::uint16_t{65535},
             "Port of the listener for phones (default: 8884)");

  auto [web, l] =
      add_for_broker(broker, "web", "Add a listener for phones, or renew its certificate", &add_web_listener);
  add_path(web, "--certificate", l.web_certificate, "FILE", "Certificate with intermediates (PEM)")->required();
  add_path(web, "--key", l.web_key, "FILE", "Key of this certificate (PEM)")->required();
  add_number(web, "--port", l.web_port, "PORT", std::uint16_t{1}, std::uint16_t{65535},
             "Port (default: unchanged, or 8884)");

  auto [answer, n] =
      add_for_broker(broker, "answer", "Authorize the devices in an owner's file of requests", &answer_requests);
  add_path(answer, "FILE", n.requests, "", "File that the owner wrote with --request")->required();
  add_path(answer, "-o,--output", n.output, "FILE", "File for the owner's option --answer")->required();

  auto [authorize, a] =
      add_for_broker(broker, "authorize", "Authorize one device with its owner's authorization", &authorize_device);
  add_path(authorize, "--request", a.request, "FILE", "Certificate request of the device (tls.csr)")->required();
  add_path(authorize, "--descriptor", a.descriptor, "FILE", "Descriptor of the device (device.descriptor)")->required();
  add_path(authorize, "--authorization", a.authorization, "FILE", "The owner's authorization ('sealcam authorization')")
      ->required();
  add_path_or_stream(authorize, "-o,--output", a.output, "FILE", "File for the certificate (default: standard output)");

  auto [revoke, r] = add_for_broker(broker, "revoke", "Revoke the access of a device", &revoke_device);
  add_text(revoke, "ID", r.device, "", "Id of the device")->required();
  add_for_broker(broker, "list", "List the authorized devices", &list_devices);

  auto [renew, w] = add_for_broker(broker, "renew", "Renew certificates without pairing again", &renew_certificates);
  renew.add_flag("--server", w.server, "New certificate of the broker, with the same key");
  renew.add_flag("--authority", w.authority, "New certificate of the authority, with the same key");
  add_text(renew, "--host", w.settings.hosts, "HOST",
           "With --server: new name or address in the certificate; may be repeated");

  auto [backup, b] =
      add_for_broker(broker, "backup", "Write the authority to a file, sealed with a passphrase", &back_up_broker);
  add_path(backup, "FILE", b.file, "", "New file")->required();
  add_passphrase(backup, b);
  auto [restore, t] = add_for_broker(broker, "restore", "Restore the authority in a new folder", &restore_broker);
  add_path(restore, "FILE", t.file, "", "The backup")->required();
  add_passphrase(restore, t);
}

}  // namespace sealcam::owner
