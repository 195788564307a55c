// SPDX-License-Identifier: Apache-2.0
// sealcam-hub: shows the pictures of one account's cameras on this machine.
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "core/folders.hpp"
#include "hal/board/this_board.hpp"
#include "hub/app.hpp"
#include "pairing/display.hpp"
#include "pairing/station.hpp"
#include "service/service_manager.hpp"

namespace {

using namespace sealcam;
namespace fs = std::filesystem;

struct Options {
  std::string config;
  std::string state;
  std::string listen;
  std::string status;
  bool check_config = false;
  bool keys = false;
  bool reset = false;
  bool yes = false;
  bool json = false;
  bool no_pairing = false;
  std::string pairing_file;
  pairing::StationOptions pairing;
};

int exit_code(Errc code) {
  switch (code) {
    case Errc::permission: return EX_NOPERM;
    case Errc::conflict: return EX_UNAVAILABLE;
    case Errc::malformed:
    case Errc::wrong_key:
    case Errc::not_found: return EX_CONFIG;
    case Errc::invalid_argument: return EX_USAGE;
    case Errc::io: return EX_IOERR;
    default: return EX_SOFTWARE;
  }
}

int open_failed(const Error& error, const fs::path& folder, Log& log) {
  log.error("{}: {}", folder.string(), to_string(error));
  return exit_code(error.code);
}

int print_keys(const pairing::DeviceState& state, bool json) {
  const auto id = state.keys().identity.id().to_string();
  if (json) std::printf("{\"id\":\"%s\",\"role\":\"hub\"}\n", id.c_str());
  else std::printf("%s\n", id.c_str());
  return EX_OK;
}

int reset(const fs::path& folder, bool yes, Log& log) {
  if (!yes) {
    std::fprintf(stderr,
                 "This deletes the keys and everything else in %s.\nTo do it: sealcam-hub --state %s reset --yes\n",
                 folder.c_str(), folder.c_str());
    return EX_USAGE;
  }
  if (const auto done = pairing::DeviceState::reset(folder, protocol::Role::hub); !done)
    return open_failed(done.error(), folder, log);
  log.info("{} is reset: the next start makes a new hub that belongs to nobody", folder.string());
  return EX_OK;
}

/// Until somebody is its owner; the exit code when it ends otherwise.
std::optional<int> wait_for_owner(const Options& options, const pairing::DeviceState& state, Log& log) {
  if (options.no_pairing) {
    log.error("this hub belongs to nobody yet; the next step, on the owner's machine:  sealcam hub enroll {}",
              state.files().folder.string());
    return EX_CONFIG;
  }
  const SystemClock clock;
  service::ServiceManager manager(clock);
  const auto end = pairing::run_station(options.pairing, {.state = state,
                                                          .role = protocol::Role::hub,
                                                          .version = SEALCAM_VERSION,
                                                          .ready = [&] { manager.ready(); },
                                                          .alive = [&] { manager.alive(); },
                                                          .clock = clock,
                                                          .log = log});
  if (!end) {
    log.error("pairing: {}", to_string(end.error()));
    return exit_code(end.error().code);
  }
  if (*end == pairing::StationEnd::stopped) return EX_OK;
  return std::nullopt;
}

int run(const Options& options) {
  StderrLog log;
  // Made absolute now: opening the state changes the working folder.
  const auto absolute = [](const std::string& given, const fs::path& otherwise) {
    return given.empty() ? otherwise : fs::absolute(given);
  };
  const auto folder = absolute(options.state, state_folder("hub"));
  if (options.reset) return reset(folder, options.yes, log);
  std::string why;
  auto settings =
      hub::read_settings(absolute(options.config, configuration_folder() / "hub.json"), options.config.empty(), why);
  if (!settings) {
    log.error("{}", why);
    return EX_CONFIG;
  }
  if (!options.listen.empty()) settings->listen = options.listen;
  if (!hub::parse_listen(settings->listen)) {
    log.error("--listen {}: only loopback addresses, such as 127.0.0.1:8420", settings->listen);
    return EX_USAGE;
  }
  if (options.check_config) return EX_OK;
  log.set_level(settings->log);

  const auto status = options.status.empty() ? std::optional<fs::path>() : fs::absolute(options.status);
  const auto serial = hal::board::serial_number(hal::board::SystemView(), log);
  const pairing::Board board{serial.value_or("")};
  const auto state = pairing::DeviceState::open(folder, protocol::Role::hub, serial ? &board : nullptr);
  if (!state) return open_failed(state.error(), folder, log);
  if (options.keys) return print_keys(*state, options.json);

  auto enrolment = pairing::read_enrolment(state->files(), &why);
  if (!enrolment && enrolment.error().code == Errc::not_found) {
    if (const auto code = wait_for_owner(options, *state, log)) return *code;
    enrolment = pairing::read_enrolment(state->files(), &why);
  }
  pairing::forget_pairing_file(options.pairing.file);
  if (!enrolment) {
    log.error("{}: {}", state->files().enrolment().string(), why.empty() ? to_string(enrolment.error()) : why);
    return EX_CONFIG;
  }
  return hub::run_app({*settings, status}, *state, *enrolment, log);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Shows the pictures of one account's cameras: verifies, opens, and serves a page on loopback.");
  app.set_version_flag("--version", "sealcam-hub " SEALCAM_VERSION);
  app.add_option("--config", options.config, "configuration file")->type_name("FILE");
  app.add_option("--state", options.state, "folder of keys and state")->type_name("DIR");
  app.add_option("--listen", options.listen, "address of the page, loopback only")->type_name("ADDRESS:PORT");
  app.add_option("--status", options.status, "JSON file that is replaced each second")->type_name("FILE");
  app.add_option("--pairing-listen", options.pairing.listen,
                 "where a hub that belongs to nobody waits for its owner (default: port 8422 on every address)")
      ->type_name("ADDRESS:PORT");
  app.add_option("--pairing-host", options.pairing.host,
                 "address in the pairing string (default: the one towards the default route)")
      ->type_name("HOST");
  app.add_option("--pairing-file", options.pairing_file,
                 "write the pairing string into this file, or folder, while it counts");
  app.add_flag("--no-pairing", options.no_pairing, "end instead, with code 78, when the hub belongs to nobody");
  app.add_flag("--check-config", options.check_config, "read the configuration, say what is wrong, and end");
  app.require_subcommand(0, 1);
  auto* keys = app.add_subcommand("keys", "make this hub's keys if it has none, and print its id");
  keys->add_flag("--json", options.json, "print JSON");
  auto* reset = app.add_subcommand("reset", "delete this hub's keys and state: it then belongs to nobody");
  reset->add_flag("--yes", options.yes, "really");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? EX_OK : EX_USAGE;
  }
  options.keys = keys->parsed();
  options.reset = reset->parsed();
  if (!options.pairing_file.empty()) options.pairing.file = fs::absolute(options.pairing_file);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sealcam-hub: %s\n", e.what());
    return EX_SOFTWARE;
  }
}
