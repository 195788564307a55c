// SPDX-License-Identifier: Apache-2.0
/// `sealcam`: the command line of owners and operators.
#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "base/format.hpp"
#include "device/program.hpp"
#include "owner/commands/commands.hpp"

namespace sealcam::owner {

namespace {

using protocol::Role;

/// Parses the arguments; the selected command leaves its call in `action`.
class CommandLine {
 public:
  explicit CommandLine(const Clock& clock) : deps_{.clock = clock, .account_folder = {}} {
    app_.set_version_flag("--version", sealcam::format("sealcam {}", device::version()));
    add_text(app_, "--account", deps_.account_folder, "DIR",
             "Folder of the account (default: $XDG_STATE_HOME/sealcam/account)");
    app_.add_flag("--json", deps_.json, "Print results as JSON");
    app_.require_subcommand(1);
    add_account_commands();
    add_devices(group(app_, "camera", "Manage cameras"), Role::camera);
    add_devices(group(app_, "hub", "Manage hubs"), Role::hub);
    add_camera_changes(*app_.get_subcommand("camera"));
    add_hub_changes(*app_.get_subcommand("hub"));
    add_integration_commands();
    add_sync_and_doctor();
    add_watch_and_inspect();
    add_broker_commands();
    add_authorization();
    add_device_keys();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return device::report_usage(app_, error);
    }
    const auto done = action_();
    if (done) return EX_OK;
    if (!done.error().message.empty()) sealcam::println(stderr, "sealcam: {}", done.error().message);
    return done.error().exit_code;
  }

 private:
  template <class Arguments>
  using Command = Outcome<> (*)(const Dependencies&, const Arguments&);

  static CLI::App& group(CLI::App& parent, const char* name, const char* description) {
    auto* app = parent.add_subcommand(name, description)->require_subcommand(1);
    app->fallthrough();
    return *app;
  }

  /// Adds a command and returns it with its arguments.
  template <class Arguments>
  std::pair<CLI::App&, Arguments&> add(CLI::App& parent, const char* name, const std::string& description,
                                       Command<Arguments> command) {
    auto arguments = std::make_shared<Arguments>();
    auto* app = parent.add_subcommand(name, description);
    app->fallthrough();
    app->callback(
        [this, arguments, command] { action_ = [this, arguments, command] { return command(deps_, *arguments); }; });
    return {*app, *arguments};
  }

  /// Adds an option for a path. The path becomes absolute.
  static CLI::Option* add_path(CLI::App& app, const char* name, std::string& value, const char* type,
                               const std::string& description) {
    const auto store = [&value](const std::string& text) { value = absolute(text).string(); };
    return app.add_option_function<std::string>(name, store, description)->type_name(type);
  }
  /// The same for a path or "-", which stays and is a standard stream.
  static CLI::Option* add_path_or_stream(CLI::App& app, const char* name, std::string& value, const char* type,
                                         const std::string& description) {
    const auto store = [&value](const std::string& text) { value = text == "-" ? text : absolute(text).string(); };
    return app.add_option_function<std::string>(name, store, description)->type_name(type);
  }
  template <class T>
  static CLI::Option* add_text(CLI::App& app, const char* name, T& value, const char* type,
                               const std::string& description) {
    return app.add_option(name, value, description)->type_name(type);
  }
  /// A number between `min` and `max`. The help shows the type and the default only.
  template <class T>
  static CLI::Option* add_number(CLI::App& app, const char* name, T& value, const char* type, T min, T max,
                                 const std::string& description) {
    return app.add_option(name, value, description)->type_name(type)->check(CLI::Range(min, max).description(""));
  }
  static void add_port(CLI::App& app, int& port, const std::string& description) {
    add_number(app, "--port", port, "PORT", 1, 65535, description);
  }
  template <class Arguments>
  static void add_passphrase(CLI::App& app, Arguments& arguments) {
    add_path(app, "--passphrase-file", arguments.passphrase_file, "FILE",
             "Read the passphrase from the first line of this file instead of the terminal (/dev/fd/N: descriptor N)");
  }
  static void add_operator(CLI::App& app, OperatorOptions& options) {
    add_path(app, "--broker", options.broker, "DIR", "Folder of the broker on this machine ('sealcam broker init')");
    add_path(app, "--request", options.request, "FILE",
             "Only write this file for an operator on another machine ('sealcam broker answer')");
    add_path(app, "--answer", options.answer, "FILE", "Read the operator's answer from this file");
  }
  static void add_wait(CLI::App& app, ChangeOptions& options, double seconds = 10) {
    options.wait = seconds;
    add_number(app, "--wait", options.wait, "SECONDS", 0.0, 3600.0, "Time for the cameras to confirm the change")
        ->capture_default_str();
  }
  static void add_revoke(CLI::App& app, ChangeOptions& options) {
    add_path(app, "--broker", options.broker, "DIR",
             "Folder of the broker that revokes the device (default: the account's)");
  }
  static void add_timeout(CLI::App& app, double& seconds) {
    add_number(app, "--timeout", seconds, "SECONDS", 0.1, 3600.0, "Time for the broker, and then for the cameras")
        ->capture_default_str();
  }
  static void add_on_off(CLI::App& app, std::string& value) {
    add_text(app, "STATE", value, "", "on or off")->required()->check(CLI::IsMember({"on", "off"}).description(""));
  }
  static constexpr const char* name_or_id = "Name, or the beginning of the id";

  void add_account_commands() {
    auto& account = group(app_, "account", "Manage the account on this machine");
    auto [create, c] =
        add(account, "create", "Create an account and the hub identity of this machine", &create_account);
    add_text(create, "--state", deps_.account_folder, "DIR", "The same as --account");
    add_path(create, "--backup", c.file, "FILE", "Also make a backup in this file");
    add_passphrase(create, c);

    auto [backup, b] =
        add(account, "backup", "Write the account to a file, sealed with a passphrase", &back_up_account);
    add_path(backup, "FILE", b.file, "", "New file")->required();
    add_passphrase(backup, b);

    auto [restore, r] = add(account, "restore", "Restore the account from a backup", &restore_from_backup);
    add_path(restore, "FILE", r.file, "", "The backup")->required();
    add_passphrase(restore, r);

    auto [connect, n] =
        add(account, "connect", "Authorize the account and this machine at a broker", &connect_to_broker);
    add_operator(connect, n.broker);
  }

  void add_devices(CLI::App& parent, Role role) {
    const std::string what(protocol::name(role));
    auto [pair, p] = add(parent, role == Role::camera ? "pair" : "link",
                         sealcam::format("Add an unpaired {} in this network to the account", what), &pair_device);
    p.role = role;
    add_text(pair, "STRING", p.pairing_string, "", "Pairing string that the device shows: sealcam:1:…")->required();
    add_text(pair, "--name", p.name, "NAME", "Name of the device, at most 64 bytes")->required();
    add_text(pair, "--at", p.address, "HOST:PORT",
             "Address of the device (default: the address in the pairing string)");
    add_operator(pair, p.broker);
    add_broker_address(pair, p);
    if (role == Role::camera) {
      auto* wifi = add_text(pair, "--wifi", p.ssid, "SSID", "Wi-Fi network that the camera joins after the pairing");
      add_path_or_stream(
          pair, "--wifi-password-file", p.password_file, "FILE",
          "Read the Wi-Fi passphrase from the first line of this file; - is standard input (default: the terminal)")
          ->needs(wifi);
    }

    auto [enroll, e] =
        add(parent, "enroll",
            sealcam::format("Add a {} to the account; its state folder must be on this machine", what), &enroll_device);
    e.role = role;
    add_path(enroll, "STATE", e.state, "", "State folder of the device; a new folder gets keys")->required();
    auto* name = add_text(enroll, "--name", e.name, "NAME",
                          role == Role::camera ? "Name of the device, at most 64 bytes"
                                               : "Name of the device (default: the name of the folder)");
    if (role == Role::camera) name->required();
    add_operator(enroll, e.broker);
    add_broker_address(enroll, e);
  }
  static void add_broker_address(CLI::App& app, DeviceArguments& arguments) {
    add_text(app, "--host", arguments.host, "HOST", "Address of the broker for the device (default: the broker's own)");
    add_port(app, arguments.port, "Port of the broker for the device (default: the broker's own)");
  }

  /// Adds a command for one existing camera.
  std::pair<CLI::App&, CameraArguments&> add_for_camera(CLI::App& parent, const char* name, const char* description,
                                                        Command<CameraArguments> command, double wait = 10) {
    auto [app, arguments] = add(parent, name, description, command);
    add_text(app, "CAMERA", arguments.camera, "", name_or_id)->required();
    add_wait(app, arguments.change, wait);
    return {app, arguments};
  }

  void add_camera_changes(CLI::App& camera) {
    add(camera, "list", "List the cameras and their unconfirmed changes", &list_cameras);
    auto [rename, n] = add_for_camera(camera, "rename", "Rename a camera", &rename_camera);
    add_text(rename, "NAME", n.name, "", "New name, at most 64 bytes")->required();

    auto [privacy, p] = add_for_camera(camera, "privacy", "Close or open the sensor of a camera", &switch_privacy);
    add_on_off(privacy, p.privacy);

    auto [settings, s] = add_for_camera(camera, "settings", "Change pictures, masks or motion", &change_settings);
    add_number(settings, "--bitrate", s.bitrate, "NUMBER", 1U, 4'000'000'000U, "Bits per second");
    add_text(settings, "--size", s.size, "WIDTHxHEIGHT", "Size in pixels, for example 1280x720");
    add_number(settings, "--rate", s.rate, "NUMBER", 1U, 1000U, "Pictures per second");
    add_text(settings, "--mask", s.masks, "L,T,W,H", "Area that no picture shows, in thousandths; repeatable")
        ->allow_extra_args(false);
    settings.add_flag("--no-masks", s.no_masks, "Remove all masks");
    add_number(settings, "--motion", s.motion, "NUMBER", 0, 100,
               "Sensitivity of the motion detector; 0: off, usual: 50");
    add_text(settings, "--zone", s.zones, "L,T,W,H", "Motion counts only here; min 150x200")->allow_extra_args(false);
    settings.add_flag("--no-zones", s.no_zones, "Motion counts everywhere");

    auto [wifi, w] = add_for_camera(camera, "wifi", "Change the Wi-Fi network of a camera", &change_wifi);
    add_text(wifi, "--ssid", w.ssid, "SSID", "Name of the network")->required();
    add_path_or_stream(
        wifi, "--password-file", w.password_file, "FILE",
        "Read the passphrase from the first line of this file; - is standard input (default: the terminal)");

    // The owner cannot receive the deregistration notice later, so these commands wait longer.
    auto [reset, r] = add_for_camera(camera, "reset", "Delete the keys and the account on a camera", &reset_camera, 30);
    reset.add_flag("--yes", r.confirmed, "Confirm the reset");
    add_revoke(reset, r.change);
    auto [transfer, t] = add_for_camera(camera, "transfer", "Reset a camera for a new owner", &transfer_camera, 30);
    add_revoke(transfer, t.change);
    auto [remove, m] =
        add_for_camera(camera, "remove", "Remove a camera from the account without a reset", &take_camera_out);
    remove.add_flag("--forget", m.change.forget, "Delete the camera at once, without its confirmation");
    add_revoke(remove, m.change);
  }

  /// Adds a command for one existing hub.
  std::pair<CLI::App&, HubArguments&> add_for_hub(CLI::App& parent, const char* name, const char* description,
                                                  Command<HubArguments> command) {
    auto [app, arguments] = add(parent, name, description, command);
    add_text(app, "HUB", arguments.hub, "", name_or_id)->required();
    add_wait(app, arguments.change);
    return {app, arguments};
  }

  void add_hub_changes(CLI::App& hub) {
    add(hub, "list", "List the hubs, their cameras and their unconfirmed changes", &list_hubs);
    auto [unlink, u] = add_for_hub(hub, "unlink", "Remove a hub from all rosters and from the broker", &take_hub_out);
    add_revoke(unlink, u.change);
    auto [allow, a] = add_for_hub(hub, "allow", "Allow a hub to watch a camera", &allow_hub);
    add_text(allow, "CAMERA", a.camera, "", name_or_id)->required();
    auto [deny, d] = add_for_hub(hub, "deny", "Forbid a hub to watch a camera", &deny_hub);
    add_text(deny, "CAMERA", d.camera, "", name_or_id)->required();
    auto [privacy, p] =
        add_for_hub(hub, "allow-privacy", "Set whether a hub may switch the privacy of its cameras", &allow_privacy);
    add_on_off(privacy, p.privacy);
  }

  void add_integration_commands() {
    auto& integration = group(app_, "integration", "Manage groups of hubs that are suspended together");
    auto [create, c] = add(integration, "add", "Add an integration", &create_integration);
    add_text(create, "NAME", c.name, "", "Name of the integration; no message contains it")->required();
    add_text(create, "--hub", c.hubs, "HUB", "A hub of the integration; may be repeated");
    add_wait(create, c.change);
    auto [suspend, s] =
        add(integration, "suspend", "Deny pictures to all hubs of an integration", &suspend_integration);
    add_text(suspend, "NAME", s.name, "", "Name of the integration")->required();
    add_wait(suspend, s.change);
    auto [resume, r] = add(integration, "resume", "End the suspension of an integration", &resume_integration);
    add_text(resume, "NAME", r.name, "", "Name of the integration")->required();
    add_wait(resume, r.change);
    add(integration, "list", "List the integrations and their hubs", &list_integrations);
  }

  void add_sync_and_doctor() {
    auto [sync, s] =
        add(app_, "sync", "Publish pending changes and wait for the cameras to confirm them", &sync_account);
    sync.add_flag("--all", s.options.everything, "Publish all messages again, because the broker may have lost them");
    sync.add_flag("--resync", s.options.resync,
                  "Take over the rosters of cameras that use another copy of the account");
    add_timeout(sync, s.seconds);
    auto [doctor, d] =
        add(app_, "doctor", "Check account, broker and cameras, and print the next step for each problem", &run_doctor);
    add_timeout(doctor, d.seconds);
  }

  void add_watch_and_inspect() {
    auto [watch, w] = add(app_, "watch", "Record the live pictures of a camera", &watch_camera);
    add_text(watch, "CAMERA", w.camera, "", name_or_id)->required();
    add_path_or_stream(watch, "-o,--output", w.output, "FILE",
                       "MP4 file; an existing file is replaced. - writes H.264 (Annex B) to standard output")
        ->required();
    add_number(watch, "--seconds", w.seconds, "SECONDS", 0.1, 1e7,
               "Length of the recording (default: until interrupted)");
    add_text(watch, "--wait", w.timeout, "SECONDS", "End after this time without a live picture; 0 is no limit")
        ->capture_default_str();
    watch.footer("Pictures that are not live are left out. An interrupted recording is playable.");

    auto [inspect, i] = add(app_, "inspect", "Print each message at the broker", &inspect_messages);
    add_text(inspect, "WHAT", i.filter, "",
             "Camera (its name, or the beginning of its id) or topic filter (default: the whole account)");
    add_number(inspect, "--seconds", i.seconds, "SECONDS", 0.1, 1e7,
               "Stop after this time (default: until interrupted)");
    inspect.footer("This command requests no pictures. Cameras send pictures only while a hub watches.");
  }

  /// Adds a command with the broker's folder.
  std::pair<CLI::App&, BrokerArguments&> add_for_broker(CLI::App& parent, const char* name, const char* description,
                                                        Command<BrokerArguments> command) {
    auto [app, arguments] = add(parent, name, description, command);
    add_path(app, "DIR", arguments.folder, "", "Folder of the broker")->required();
    return {app, arguments};
  }

  void add_broker_commands() {
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

    auto [answer, n] =
        add_for_broker(broker, "answer", "Authorize the devices in an owner's file of requests", &answer_requests);
    add_path(answer, "FILE", n.requests, "", "File that the owner wrote with --request")->required();
    add_path(answer, "-o,--output", n.output, "FILE", "File for the owner's option --answer")->required();

    auto [authorize, a] =
        add_for_broker(broker, "authorize", "Authorize one device with its owner's authorization", &authorize_device);
    add_path(authorize, "--request", a.request, "FILE", "Certificate request of the device (tls.csr)")->required();
    add_path(authorize, "--descriptor", a.descriptor, "FILE", "Descriptor of the device (device.descriptor)")
        ->required();
    add_path(authorize, "--authorization", a.authorization, "FILE",
             "The owner's authorization ('sealcam authorization')")
        ->required();
    add_path_or_stream(authorize, "-o,--output", a.output, "FILE",
                       "File for the certificate (default: standard output)");

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

  void add_authorization() {
    auto [app, arguments] = add(app_, "authorization",
                                "Sign an authorization of a device for an operator on another "
                                "machine",
                                &write_authorization);
    add_path(app, "STATE", arguments.state, "", "State folder of the device")->required();
    add_path(app, "-o,--output", arguments.output, "FILE", "File for 'sealcam broker authorize --authorization'")
        ->required();
  }

  /// Hidden, because only this program calls it.
  void add_device_keys() {
    auto [app, arguments] = add(app_, "device-keys", "Make the keys of a device", &make_device_keys);
    app.group("");
    add_path(app, "folder", arguments.folder, "", "State folder")->required();
    app.add_option("role", arguments.role, "camera, hub or owner")->required();
  }

  CLI::App app_{"Manage an account of Sealcam cameras, or the broker for it", "sealcam"};
  Dependencies deps_;
  std::function<Outcome<>()> action_;
};

}  // namespace

}  // namespace sealcam::owner

int main(int argc, char** argv) {
  return sealcam::device::run_program("sealcam", [&] {
    const sealcam::SystemClock clock;
    return sealcam::owner::CommandLine(clock).run(argc, argv);
  });
}
