// SPDX-License-Identifier: Apache-2.0
// sealcam-hub: shows the pictures of one account's cameras on this machine.
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "hal/board/board_data.hpp"
#include "hal/modules/modules.hpp"
#include "hub/app.hpp"
#include "hub/commands.hpp"
#include "hub/decoder/decoder.hpp"
#include "pairing/pairing_service.hpp"

namespace {

using namespace sealcam;
namespace fs = std::filesystem;

struct Options {
  std::string config;
  std::string state;
  std::string listen;
  std::string status;
  std::string open_socket;
  bool check_config = false;
  bool keys = false;
  bool reset = false;
  bool yes = false;
  bool json = false;
  std::string pairing_file;
  pairing::PairingServiceOptions pairing;
  hub::OpenOptions open;
  hub::TokenOptions token;
  hub::CertificateOptions certificate;
  hub::RecordingsOptions recordings;
};

/// The command that the hub logs; it opens the page of this hub.
std::string open_command_text(const Options& options, const fs::path& folder) {
  if (!options.open_socket.empty()) return "sealcam-hub open";
  return options.state.empty() ? "sealcam-hub open" : sealcam::format("sealcam-hub --state {} open", folder.string());
}

int run(const Options& options) {
  StderrLog log;
  // Opening the state changes the working folder, so relative paths are resolved before.
  const auto folder = device::path_option(options.state, [] { return state_folder("hub"); });
  if (options.reset) return device::reset_command(folder, protocol::Role::hub, options.yes, log);
  std::string why;
  auto settings =
      hub::read_settings(device::path_option(options.config, [] { return configuration_folder() / "hub.json"; }),
                         options.config.empty(), why);
  if (!settings) {
    log.error("{}", why);
    return EX_CONFIG;
  }
  if (!options.listen.empty()) settings->listen = options.listen;
  if (!hub::parse_listen(settings->listen)) {
    log.error("--listen {}: use a loopback address with a port, such as 127.0.0.1:8420", settings->listen);
    return EX_USAGE;
  }
  if (options.check_config) return EX_OK;
  log.set_level(settings->log);

  // Absolute, because opening the state changes the working folder.
  const auto status = options.status.empty() ? std::optional<fs::path>() : fs::absolute(options.status);
  const SystemClock clock;
  const auto serial = hal::board::serial_number(hal::board::SystemView(), log);
  const device::Board board{serial.value_or("")};
  const auto state = device::open_state(folder, protocol::Role::hub, serial ? &board : nullptr, log);
  if (!state) return state.error();
  if (options.keys) return device::print_keys(*state, options.json);
  device::log_support(clock.wall(), log);
  const auto enrollment = pairing::require_enrollment(
      options.pairing, {.state = *state, .role = protocol::Role::hub, .clock = clock, .log = log});
  if (!enrollment) return enrollment.error();
  const auto open_socket = options.open_socket.empty() ? std::optional<fs::path>() : fs::path(options.open_socket);
  return hub::run_app({*settings, status, open_socket, open_command_text(options, folder)}, *state, *enrollment, log);
}

/// Without options, state and configuration, because a decoder must not read them.
int run_decoder() {
  StderrLog log;
  hal::modules::MediaModule media(log);
  return hub::decoder::run_child(media);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == hub::decoder::child_argument) ::_exit(run_decoder());
  Options options;
  CLI::App app(
      "Receives the pictures of one account's cameras, verifies and opens them, and shows them on a page for this "
      "machine.",
      "sealcam-hub");
  app.set_version_flag("--version", sealcam::format("sealcam-hub {}", device::version()));
  app.add_option("--config", options.config, "Configuration file (default: $XDG_CONFIG_HOME/sealcam/hub.json)")
      ->type_name("FILE");
  app.add_option("--state", options.state, "State folder (default: $XDG_STATE_HOME/sealcam/hub)")->type_name("DIR");
  app.add_option("--listen", options.listen, "Loopback address of the page")->type_name("ADDRESS:PORT");
  app.add_option("--status", options.status, "Write the state as JSON into this file every second")->type_name("FILE");
  app.add_option("--pairing-listen", options.pairing.listen,
                 "Address on which an unpaired hub waits for its owner (default: port 8422 on every address)")
      ->type_name("ADDRESS:PORT");
  app.add_option("--pairing-host", options.pairing.host,
                 "Address in the pairing string (default: the address of the default route)")
      ->type_name("HOST");
  app.add_option("--pairing-file", options.pairing_file,
                 "Write the pairing string into this file or folder while it is valid");
  app.add_option("--open-socket", options.open_socket,
                 "Socket for 'sealcam-hub open' that the hub's group may use (default: one in the state folder, for "
                 "this user only)")
      ->type_name("FILE");
  app.add_flag("--no-pairing", options.pairing.disabled, "Exit with code 78 if the hub is unpaired");
  app.add_flag("--check-config", options.check_config, "Check the configuration and exit");
  app.require_subcommand(0, 1);
  auto* keys = app.add_subcommand("keys", "Create the keys if there are none, and print the id of this hub");
  keys->add_flag("--json", options.json, "Print JSON");
  auto* reset = app.add_subcommand("reset", "Delete the keys and the state; the hub is then unpaired");
  reset->add_flag("--yes", options.yes, "Confirm the deletion");
  auto* open = app.add_subcommand("open", "Open the page in this user's browser; the address is valid for 60 s, once");
  open->add_flag("--print", options.open.print, "Print the address instead");
  open->add_option("--page", options.open.page, "Write a page that leads to the address into this file instead")
      ->type_name("FILE");
  auto* token = app.add_subcommand("token", "Access tokens of programs, such as players and Prometheus");
  token->require_subcommand(1);
  auto* create = token->add_subcommand("create", "Make a token and print it once");
  create->add_option("NAME", options.token.name, "Name of the token")->required();
  create
      ->add_option("--rights", options.token.rights,
                   "The token gives the right metrics, view, or privacy (view and switch privacy)")
      ->type_name("RIGHTS")
      ->required();
  create->add_option("--output", options.token.output, "Write the token into this new file, mode 0600")
      ->type_name("FILE");
  auto* list = token->add_subcommand("list", "List the tokens, without their secrets");
  list->add_flag("--json", options.token.json, "Print JSON");
  auto* remove = token->add_subcommand("delete", "Delete a token and end its connections");
  remove->add_option("NAME", options.token.name, "Name of the token")->required();
  auto* certificate = app.add_subcommand(
      "certificate", "Make or renew the certificate of the listeners for phones, with a local authority");
  certificate->add_option("NAME", options.certificate.names, "Host names and addresses of the hub and the broker")
      ->required();
  certificate->add_option("--folder", options.certificate.folder, "Folder of the authority and the certificate")
      ->type_name("DIR")
      ->required();
  auto* recordings = app.add_subcommand("recordings", "Recordings of this hub");
  recordings->require_subcommand(1);
  auto& recorded = options.recordings;
  auto* show = recordings->add_subcommand("list", "List the recorded times, and gaps");
  show->add_option("CAMERA", recorded.camera, "Id, beginning of an id, or name of a camera");
  auto* write = recordings->add_subcommand("export", "Write the recordings of a range of time into an MP4 file");
  write->add_option("CAMERA", recorded.camera, "Id, beginning of an id, or name of a camera")->required();
  write->add_option("FROM", recorded.from, "First time, such as 2026-11-30T14:05:00Z")->required();
  write->add_option("TO", recorded.to, "Last time")->required();
  write->add_option("-o,--output", recorded.output, "The MP4 file")->type_name("FILE")->required();
  auto* verify =
      recordings->add_subcommand("verify", "Check signatures, order, gaps and receipts; needs no secret key");
  verify->add_option("CAMERA", recorded.camera, "Id of a camera (default: all)");
  verify->add_option("--account", recorded.account, "Id of the account (default: that of this hub)")->type_name("ID");
  auto* erase =
      recordings->add_subcommand("delete", "Delete the recordings of a camera, all or those of a range of time");
  erase->add_option("CAMERA", recorded.camera, "Id, beginning of an id, or name of a camera")->required();
  erase->add_option("FROM", recorded.from, "First time (default: all)");
  erase->add_option("TO", recorded.to, "Last time (default: all)");
  erase->add_flag("--yes", recorded.yes, "Confirm the deletion");
  for (auto* command : {show, verify}) command->add_flag("--json", recorded.json, "Print JSON");
  for (auto* command : {show, write, verify})
    command->add_option("--folder", recorded.folder, "Folder with recordings (default: as in the configuration)")
        ->type_name("DIR");
  for (auto* command : {open, token, create, list, remove, recordings, show, write, verify, erase})
    command->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return device::report_usage(app, e);
  }
  options.keys = keys->parsed();
  options.reset = reset->parsed();
  if (!options.open_socket.empty()) options.open_socket = fs::absolute(options.open_socket);
  options.open.state = options.token.state = options.recordings.state = options.state;
  options.recordings.config = options.config;
  options.open.socket = options.open_socket;
  if (!options.pairing_file.empty()) options.pairing.file = fs::absolute(options.pairing_file);
  (void)std::signal(SIGPIPE, SIG_IGN);
  return device::run_program("sealcam-hub", [&] {
    StderrLog log;
    if (open->parsed()) return hub::open_command(options.open, log);
    if (create->parsed()) return hub::create_token(options.token, log);
    if (list->parsed()) return hub::list_tokens(options.token, log);
    if (remove->parsed()) return hub::delete_token(options.token, log);
    if (certificate->parsed()) return hub::make_certificate(options.certificate, log);
    if (show->parsed()) return hub::list_recordings(options.recordings, log);
    if (write->parsed()) return hub::export_recording(options.recordings, log);
    if (verify->parsed()) return hub::verify_recordings(options.recordings, log);
    if (erase->parsed()) return hub::delete_recordings(options.recordings, log);
    return run(options);
  });
}
