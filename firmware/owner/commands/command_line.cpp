// SPDX-License-Identifier: Apache-2.0
/// `sealcam`: the command line of owners. broker_options.cpp has that of operators.
#include "owner/commands/command_line.hpp"

#include "base/format.hpp"
#include "device/program.hpp"

namespace sealcam::owner {

using protocol::Role;

CommandLine::CommandLine(const Clock& clock) : deps_{.clock = clock, .account_folder = {}} {
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
  add_phone_commands();
  add_integration_commands();
  add_sync_and_doctor();
  add_watch_and_inspect();
  add_broker_commands();
  add_authorization();
  add_device_keys();
}

int CommandLine::run(int argc, char** argv) {
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

void CommandLine::add_account_commands() {
  auto& account = group(app_, "account", "Manage the account on this machine");
  auto [create, c] = add(account, "create", "Create an account and the hub identity of this machine", &create_account);
  add_text(create, "--state", deps_.account_folder, "DIR", "The same as --account");
  add_path(create, "--backup", c.file, "FILE", "Also make a backup in this file");
  add_passphrase(create, c);

  auto [backup, b] = add(account, "backup", "Write the account to a file, sealed with a passphrase", &back_up_account);
  add_path(backup, "FILE", b.file, "", "New file")->required();
  add_passphrase(backup, b);

  auto [restore, r] = add(account, "restore", "Restore the account from a backup", &restore_from_backup);
  add_path(restore, "FILE", r.file, "", "The backup")->required();
  add_passphrase(restore, r);

  auto [archive, a] =
      add(account, "archive-key", "Open the key of a hub's recordings, for another hub", &open_archive_key);
  add_path(archive, "FILE", a.file, "", "The hub's file recording-keys/archive.sealed")->required();
  add_path(archive, "-o,--output", a.output, "FILE", "File recording-keys/archive of the other hub; it is secret")
      ->required();

  auto [connect, n] = add(account, "connect", "Authorize the account and this machine at a broker", &connect_to_broker);
  add_operator(connect, n.broker);
}

void CommandLine::add_devices(CLI::App& parent, Role role) {
  const std::string what(protocol::name(role));
  auto [pair, p] = add(parent, role == Role::camera ? "pair" : "link",
                       sealcam::format("Add an unpaired {} in this network to the account", what), &pair_device);
  p.role = role;
  add_text(pair, "STRING", p.pairing_string, "", "Pairing string that the device shows: sealcam:1:…")->required();
  add_text(pair, "--name", p.name, "NAME", "Name of the device, at most 64 bytes")->required();
  add_text(pair, "--at", p.address, "HOST:PORT", "Address of the device (default: the address in the pairing string)");
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
      add(parent, "enroll", sealcam::format("Add a {} to the account; its state folder must be on this machine", what),
          &enroll_device);
  e.role = role;
  add_path(enroll, "STATE", e.state, "", "State folder of the device; a new folder gets keys")->required();
  auto* name = add_text(enroll, "--name", e.name, "NAME",
                        role == Role::camera ? "Name of the device, at most 64 bytes"
                                             : "Name of the device (default: the name of the folder)");
  if (role == Role::camera) name->required();
  add_operator(enroll, e.broker);
  add_broker_address(enroll, e);
}
void CommandLine::add_broker_address(CLI::App& app, DeviceArguments& arguments) {
  add_text(app, "--host", arguments.host, "HOST", "Address of the broker for the device (default: the broker's own)");
  add_port(app, arguments.port, "Port of the broker for the device (default: the broker's own)");
}

/// Adds a command for one existing camera.
std::pair<CLI::App&, CameraArguments&> CommandLine::add_for_camera(CLI::App& parent, const char* name,
                                                                   const char* description,
                                                                   Command<CameraArguments> command, double wait) {
  auto [app, arguments] = add(parent, name, description, command);
  add_text(app, "CAMERA", arguments.camera, "", name_or_id)->required();
  add_wait(app, arguments.change, wait);
  return {app, arguments};
}

void CommandLine::add_camera_changes(CLI::App& camera) {
  add(camera, "list", "List the cameras and their unconfirmed changes", &list_cameras);
  auto [rename, n] = add_for_camera(camera, "rename", "Rename a camera", &rename_camera);
  add_text(rename, "NAME", n.name, "", "New name, at most 64 bytes")->required();

  auto [privacy, p] = add_for_camera(camera, "privacy", "Close or open the sensor of a camera", &switch_privacy);
  add_on_off(privacy, p.privacy);

  auto [settings, s] = add_for_camera(camera, "settings", "Change pictures, masks or motion", &change_settings);
  add_number(settings, "--bitrate", s.bitrate, "NUMBER", 1U, 4'000'000'000U, "Bits per second");
  add_text(settings, "--size", s.size, "WIDTHxHEIGHT", "Size in pixels, for example 1280x720");
  add_number(settings, "--rate", s.rate, "NUMBER", 1U, 1000U, "Pictures per second");
  add_text(settings, "--mask", s.masks, "L,T,W,H",
           "Area that no picture shows: left, top, width and height in thousandths of the picture; repeatable")
      ->allow_extra_args(false);
  settings.add_flag("--no-masks", s.no_masks, "Remove all masks");
  add_number(settings, "--motion", s.motion, "NUMBER", 0, 100, "Sensitivity of the motion detector; 0: off, usual: 50");
  add_text(settings, "--zone", s.zones, "L,T,W,H",
           "Area in which motion counts, in thousandths, at least 150 wide and 200 high; repeatable")
      ->allow_extra_args(false);
  settings.add_flag("--no-zones", s.no_zones, "Motion counts everywhere");

  auto [update, u] = add_for_camera(camera, "update", "Decide about updates of a card image", &decide_update);
  auto* choice = update.add_option_group("decision")->require_option(1);
  choice->add_flag("--start", u.start, "Install the offered version now");
  add_number(*choice, "--defer", u.defer, "DAYS", 1, 90, "Install nothing for this number of days");
  add_text(*choice, "--reject", u.reject, "VERSION", "Never install this version");
  choice->add_flag("--automatic", u.automatic, "Install updates at night, as usual");

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
std::pair<CLI::App&, HubArguments&> CommandLine::add_for_hub(CLI::App& parent, const char* name,
                                                             const char* description, Command<HubArguments> command) {
  auto [app, arguments] = add(parent, name, description, command);
  add_text(app, "HUB", arguments.hub, "", name_or_id)->required();
  add_wait(app, arguments.change);
  return {app, arguments};
}

void CommandLine::add_hub_changes(CLI::App& hub) {
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

void CommandLine::add_phone_commands() {
  auto& phone = group(app_, "phone", "Manage phones, which are hubs in a browser");
  auto [link, l] = add(phone, "link", "Add a phone to the account, with a QR code", &link_phone);
  add_text(link, "NAME", l.name, "", "Name of the phone, at most 64 bytes")->required();
  add_text(link, "--app", l.app, "https://HOST:PORT", "Address of the app that a hub of this account serves")
      ->required();
  add_path(link, "--broker", l.broker, "DIR", "Folder of the broker on this machine (default: the account's)");
  add(phone, "list", "List the phones, their cameras and their unconfirmed changes", &list_phones);
  auto [unlink, u] =
      add_for_hub(phone, "unlink", "Remove a phone from all rosters and from the broker", &take_phone_out);
  add_revoke(unlink, u.change);
  phone.footer("The commands 'sealcam hub allow', 'deny' and 'allow-privacy' apply to phones too.");
}

void CommandLine::add_integration_commands() {
  auto& integration = group(app_, "integration", "Manage groups of hubs that are suspended together");
  auto [create, c] = add(integration, "add", "Add an integration", &create_integration);
  add_text(create, "NAME", c.name, "", "Name of the integration; no message contains it")->required();
  add_text(create, "--hub", c.hubs, "HUB", "A hub of the integration; may be repeated");
  add_wait(create, c.change);
  auto [suspend, s] = add(integration, "suspend", "Deny pictures to all hubs of an integration", &suspend_integration);
  add_text(suspend, "NAME", s.name, "", "Name of the integration")->required();
  add_wait(suspend, s.change);
  auto [resume, r] = add(integration, "resume", "End the suspension of an integration", &resume_integration);
  add_text(resume, "NAME", r.name, "", "Name of the integration")->required();
  add_wait(resume, r.change);
  add(integration, "list", "List the integrations and their hubs", &list_integrations);
}

void CommandLine::add_sync_and_doctor() {
  auto [sync, s] = add(app_, "sync", "Publish pending changes and wait for the cameras to confirm them", &sync_account);
  sync.add_flag("--all", s.options.everything, "Publish all messages again, because the broker may have lost them");
  sync.add_flag("--resync", s.options.resync, "Take over the rosters of cameras that use another copy of the account");
  add_timeout(sync, s.seconds);
  auto [doctor, d] =
      add(app_, "doctor", "Check account, broker and cameras, and print the next step for each problem", &run_doctor);
  add_timeout(doctor, d.seconds);
}

void CommandLine::add_watch_and_inspect() {
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
  add_number(inspect, "--seconds", i.seconds, "SECONDS", 0.1, 1e7, "Stop after this time (default: until interrupted)");
  inspect.footer("This command requests no pictures. Cameras send pictures only while a hub watches.");
}

void CommandLine::add_authorization() {
  auto [app, arguments] = add(app_, "authorization",
                              "Sign an authorization of a device for an operator on another "
                              "machine",
                              &write_authorization);
  add_path(app, "STATE", arguments.state, "", "State folder of the device")->required();
  add_path(app, "-o,--output", arguments.output, "FILE", "File for 'sealcam broker authorize --authorization'")
      ->required();
}

/// Hidden, because only this program calls it.
void CommandLine::add_device_keys() {
  auto [app, arguments] = add(app_, "device-keys", "Make the keys of a device", &make_device_keys);
  app.group("");
  add_path(app, "folder", arguments.folder, "", "State folder")->required();
  app.add_option("role", arguments.role, "camera, hub or owner")->required();
}

}  // namespace sealcam::owner

int main(int argc, char** argv) {
  return sealcam::device::run_program("sealcam", [&] {
    const sealcam::SystemClock clock;
    return sealcam::owner::CommandLine(clock).run(argc, argv);
  });
}
