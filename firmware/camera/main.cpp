// SPDX-License-Identifier: Apache-2.0
/// sealcam-camera: captures, encodes, seals, signs, publishes.
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <print>
#include <thread>

#include "camera/camera.hpp"
#include "camera/capture_factory.hpp"
#include "camera/doctor.hpp"
#include "camera/sensor_list.hpp"
#include "core/folders.hpp"
#include "hal/board/this_board.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "pairing/display.hpp"
#include "pairing/station.hpp"
#include "service/service_manager.hpp"

namespace {

using namespace sealcam;
namespace fs = std::filesystem;

struct Options {
  std::string config, state, status;
  bool check_config = false;
  bool doctor = false;
  bool json = false;
  bool keys = false;
  bool reset = false;
  bool yes = false;
  bool list_sensors = false;
  bool no_pairing = false;
  pairing::StationOptions pairing;
};

int exit_code(Errc code) {
  switch (code) {
    case Errc::permission: return EX_NOPERM;
    case Errc::conflict: return EX_UNAVAILABLE;
    case Errc::io:
    case Errc::exhausted: return EX_IOERR;
    case Errc::malformed:
    case Errc::wrong_key:
    case Errc::invalid_argument:
    case Errc::not_found: return EX_CONFIG;
    default: return EX_SOFTWARE;
  }
}

std::string state_problem(const fs::path& folder, const Error& error) {
  if (error.code == Errc::conflict) return folder.string() + " is in use by another sealcam-camera";
  return folder.string() + ": " + to_string(error);
}

int print_keys(const pairing::DeviceState& state, bool json) {
  const std::string id = state.keys().identity.id().to_string();
  if (!json) {
    std::println("{}", id);
    return EX_OK;
  }
  const auto& files = state.files();
  std::println("{}", nlohmann::ordered_json{{"id", id},
                                            {"state", files.folder.string()},
                                            {"card", files.card().string()},
                                            {"request", files.tls_request().string()}}
                         .dump());
  return EX_OK;
}

/// The networks of the owner go with the owner: those on the board, that wifi.json only repeats.
void forget_networks(const fs::path& folder, const Clock& clock, Log& log) {
  std::error_code ec;
  if (!fs::exists(pairing::StateFiles{folder}.wifi(), ec)) return;
  hal::networkmanager::NetworkManager network(clock);
  network.forget();
  const auto until = clock.monotonic() + std::chrono::seconds(5);
  while (network.step().phase != hal::JoinProgress::Phase::idle) {
    if (clock.monotonic() > until) return log.warning("the owner's Wi-Fi network may be left in NetworkManager");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// The one thing that a camera which is running must not do to itself.
int reset(const fs::path& folder, const Clock& clock, Log& log) {
  forget_networks(folder, clock, log);
  const auto done = pairing::DeviceState::reset(folder, protocol::Role::camera);
  if (!done) {
    log.error("{}", state_problem(folder, done.error()));
    return exit_code(done.error().code);
  }
  log.info("{} is reset: the next start makes a new camera that belongs to nobody", folder.string());
  return EX_OK;
}

/// This program again, as it was started: a process that had keys loaded does not go on with others. Returns only
/// when that fails: then the service manager is to do it.
int start_again(const UniqueFd& started_in, char** argv, Log& log) {
  if (::fchdir(started_in.get()) == 0) ::execv("/proc/self/exe", argv);
  log.error("the camera is reset, and cannot start itself again: start it");
  return EX_TEMPFAIL;
}

/// Until somebody is its owner; the exit code when it ends otherwise.
std::optional<int> wait_for_owner(const Options& given, const pairing::DeviceState& state, const Clock& clock,
                                  Log& log) {
  if (given.no_pairing) {
    log.error("this camera belongs to nobody yet; its owner runs: sealcam camera enroll {}",
              state.files().folder.string());
    return EX_CONFIG;
  }
  service::ServiceManager manager(clock);
  // Ready means running: a camera that waits for its owner must not fail the unit's start.
  const auto end = pairing::run_station(given.pairing, {.state = state,
                                                        .role = protocol::Role::camera,
                                                        .version = SEALCAM_VERSION,
                                                        .ready = [&] { manager.ready(); },
                                                        .alive = [&] { manager.alive(); },
                                                        .clock = clock,
                                                        .log = log});
  if (!end) {
    log.error("pairing: {}", to_string(end.error()));
    return end.error().code == Errc::invalid_argument ? EX_USAGE : exit_code(end.error().code);
  }
  if (*end == pairing::StationEnd::stopped) return EX_OK;
  return std::nullopt;
}

int list_sensors(bool json, Log& log) {
  const auto survey = hal::v4l2::survey(hal::v4l2::nodes(camera::device_folder), hal::v4l2::open_device);
  hal::libcamera::ModuleLibcamera libcamera;
  // Without it, which the log says, the other backend's are listed.
  const auto cameras = libcamera.list(log).value_or(std::vector<hal::libcamera::CameraEntry>());
  if (json) std::println("{}", camera::as_json(survey, cameras));
  else std::print("{}", camera::as_text(survey, cameras));
  if (const auto advice = camera::advice(survey, cameras); !advice.empty()) std::println(stderr, "{}", advice);
  return camera::exit_code(survey, cameras);
}

/// What came of running: an exit code, or that the state is to be reset.
struct Ran {
  int code = EX_OK;
  bool reset = false;
};

Ran run_state(const Options& given, const fs::path& folder, const camera::RunOptions& options, const Clock& clock,
              Log& log) {
  const auto serial = hal::board::serial_number(hal::board::SystemView(), log);
  const pairing::Board board{serial.value_or("")};
  auto state = pairing::DeviceState::open(folder, protocol::Role::camera, serial ? &board : nullptr);
  if (!state) {
    log.error("{}", state_problem(folder, state.error()));
    return {exit_code(state.error().code)};
  }
  if (given.keys) return {print_keys(*state, given.json)};
  std::string why;
  auto enrolment = pairing::read_enrolment(state->files(), &why);
  if (!enrolment && enrolment.error().code == Errc::not_found) {
    if (const auto code = wait_for_owner(given, *state, clock, log)) return {*code};
    enrolment = pairing::read_enrolment(state->files(), &why);
  }
  pairing::forget_pairing_file(given.pairing.file);
  if (!enrolment || enrolment->role != protocol::Role::camera) {
    log.error("{}: {}", state->files().enrolment().string(),
              enrolment     ? "this is not a camera's enrolment"
              : why.empty() ? to_string(enrolment.error())
                            : why);
    return {EX_CONFIG};
  }
  const auto done = camera::run_camera(options, *state, *enrolment, clock, log);
  if (done) return {EX_OK, *done == camera::End::reset};
  log.error("{}", to_string(done.error()));
  return {exit_code(done.error().code)};
}

int run(const Options& given, char** argv, MonotonicTime started, const Clock& clock, Log& log) {
  const UniqueFd started_in(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  // Absolute before the key store changes the working folder.
  const fs::path config_file =
      fs::absolute(given.config.empty() ? (configuration_folder() / "camera.json") : fs::path(given.config));
  const fs::path folder = fs::absolute(given.state.empty() ? state_folder("camera") : fs::path(given.state));
  camera::RunOptions options{.config = {}, .status_file = {}, .started = started};
  if (given.doctor) return camera::run_doctor(config_file, given.config.empty(), folder, given.json, clock);
  if (!given.status.empty()) options.status_file = fs::absolute(given.status);
  if (given.reset) {
    if (given.yes) return reset(folder, clock, log);
    std::println(stderr,
                 "This deletes the keys and everything else in {}.\nTo do it: sealcam-camera --state {} reset --yes",
                 folder.string(), folder.string());
    return EX_USAGE;
  }
  if (!given.keys) {
    auto config = camera::read_config(config_file, given.config.empty());
    if (!config) {
      log.error("{}", config.error());
      return EX_CONFIG;
    }
    options.config = std::move(*config);
    log.set_level(options.config.log);
    if (given.check_config) {
      std::println("{} is good", config_file.string());
      return EX_OK;
    }
  }
  const Ran ran = run_state(given, folder, options, clock, log);
  if (!ran.reset) return ran.code;
  if (const int code = reset(folder, clock, log); code != EX_OK) return code;
  return start_again(started_in, argv, log);
}

}  // namespace

int main(int argc, char** argv) try {
  const SystemClock clock;
  const MonotonicTime started = clock.monotonic();
  StderrLog log;
  Options options;
  std::string pairing_file;
  CLI::App app("Captures, encodes, seals, signs and publishes pictures that only the owner's hubs can open.",
               "sealcam-camera");
  app.set_version_flag("--version", "sealcam-camera " SEALCAM_VERSION);
  app.add_option("--config", options.config,
                 "Configuration file (default: " + (configuration_folder() / "camera.json").string() + ")");
  app.add_option("--state", options.state, "State folder (default: " + state_folder("camera").string() + ")");
  app.add_option("--status", options.status, "Write counters as one line of JSON into this file each second");
  app.add_option("--pairing-listen", options.pairing.listen,
                 "Where a camera that belongs to nobody waits for its owner (default: port 8421 on every address)")
      ->type_name("ADDRESS:PORT");
  app.add_option("--pairing-host", options.pairing.host,
                 "Address in the pairing string (default: the one towards the default route)")
      ->type_name("HOST");
  app.add_option("--pairing-file", pairing_file, "Write the pairing string into this file, or folder, while it counts");
  app.add_flag("--no-pairing", options.no_pairing, "End instead, with code 78, when the camera belongs to nobody");
  app.add_flag("--check-config", options.check_config, "Check the configuration and end");
  auto* list = app.add_flag("--list-sensors", options.list_sensors, "List the sensors with what they can do, and end");
  auto* doctor =
      app.add_flag("--doctor", options.doctor, "Compare this board with what is known of it, say what to do, and end");
  list->excludes(doctor);
  app.add_flag("--json", options.json, "Print the sensors or the doctor's findings as JSON");
  auto* keys = app.add_subcommand("keys", "Make this camera's keys if it has none, and print its id");
  keys->add_flag("--json", options.json, "Print JSON");
  auto* reset = app.add_subcommand("reset", "Delete this camera's keys and state: it then belongs to nobody");
  reset->add_flag("--yes", options.yes, "Really");
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  }
  options.keys = keys->parsed();
  options.reset = reset->parsed();
  if (!pairing_file.empty()) options.pairing.file = fs::absolute(pairing_file);
  if (options.json && !options.keys && !options.list_sensors && !options.doctor) {
    std::println(stderr, "error: --json goes with keys, --list-sensors or --doctor");
    return EX_USAGE;
  }
  if (options.list_sensors) return list_sensors(options.json, log);
  return run(options, argv, started, clock, log);
} catch (const std::exception& error) {
  std::println(stderr, "error: {}", error.what());
  return EX_SOFTWARE;
}
