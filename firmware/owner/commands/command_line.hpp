// SPDX-License-Identifier: Apache-2.0
/// The command line of `sealcam`, for its source files only. Each file adds a group of commands.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "owner/commands/commands.hpp"

namespace sealcam::owner {

/// Parses the arguments; the selected command leaves its call in `action_`. Thread-bound.
class CommandLine {
 public:
  explicit CommandLine(const Clock& clock);
  /// Parses the arguments and runs the command. Returns the exit code.
  int run(int argc, char** argv);

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
  template <class Value, class T>
  static CLI::Option* add_number(CLI::App& app, const char* name, Value& value, const char* type, T min, T max,
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

  void add_account_commands();
  void add_devices(CLI::App& parent, protocol::Role role);
  static void add_broker_address(CLI::App& app, DeviceArguments& arguments);
  std::pair<CLI::App&, CameraArguments&> add_for_camera(CLI::App& parent, const char* name, const char* description,
                                                        Command<CameraArguments> command, double wait = 10);
  void add_camera_changes(CLI::App& camera);
  std::pair<CLI::App&, HubArguments&> add_for_hub(CLI::App& parent, const char* name, const char* description,
                                                  Command<HubArguments> command);
  void add_hub_changes(CLI::App& hub);
  void add_phone_commands();
  void add_integration_commands();
  void add_sync_and_doctor();
  void add_watch_and_inspect();
  std::pair<CLI::App&, BrokerArguments&> add_for_broker(CLI::App& parent, const char* name, const char* description,
                                                        Command<BrokerArguments> command);
  void add_broker_commands();  ///< in broker_options.cpp
  void add_authorization();
  void add_device_keys();

  CLI::App app_{"Manage an account of Sealcam cameras, or the broker for it", "sealcam"};
  Dependencies deps_;
  std::function<Outcome<>()> action_;
};

}  // namespace sealcam::owner
