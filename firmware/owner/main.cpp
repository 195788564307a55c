// SPDX-License-Identifier: Apache-2.0
/// `sealcam`: the owner's command line, and the operator's.
#include <CLI/CLI.hpp>
#include <exception>
#include <print>

#include "owner/commands.hpp"

namespace {

int run(int argc, char** argv) {
  const sealcam::SystemClock clock;
  sealcam::owner::Context context{.clock = clock, .account_folder = {}, .json = false, .action = {}};
  CLI::App app("Sealcam: cameras whose pictures only their owner's account can open", "sealcam");
  app.set_version_flag("--version", "sealcam " SEALCAM_VERSION);
  app.add_option("--account", context.account_folder,
                 "The account's folder (default: $XDG_STATE_HOME/sealcam/account)");
  app.add_flag("--json", context.json, "Print results as JSON");
  app.require_subcommand(1);
  sealcam::owner::add_account_commands(app, context);
  sealcam::owner::add_broker_commands(app, context);
  sealcam::owner::add_device_commands(app, context);
  sealcam::owner::add_camera_commands(app, context);
  sealcam::owner::add_hub_commands(app, context);
  sealcam::owner::add_integration_commands(app, context);
  sealcam::owner::add_doctor_command(app, context);
  sealcam::owner::add_watch_command(app, context);
  sealcam::owner::add_inspect_command(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  }
  const auto done = context.action();
  if (done) return EX_OK;
  if (!done.error().message.empty()) std::println(stderr, "sealcam: {}", done.error().message);
  return done.error().exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::println(stderr, "sealcam: {}", error.what());
    return EX_SOFTWARE;
  }
}
