// SPDX-License-Identifier: Apache-2.0
/// sealcam-camera: captures, encodes, seals and publishes pictures.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <thread>

#include "base/file.hpp"
#include "base/format.hpp"
#include "camera/camera.hpp"
#include "camera/capture_factory.hpp"
#include "camera/doctor.hpp"
#include "camera/reports.hpp"
#include "camera/update_status.hpp"
#include "device/device_state.hpp"
#include "device/program.hpp"
#include "hal/board/board_data.hpp"
#include "hal/networkmanager/networkmanager.hpp"
#include "pairing/pairing_service.hpp"

namespace {

using namespace sealcam;
namespace fs = std::filesystem;

struct Options {
  std::string config, state, status, source, update_status = camera::usual_update_file;
  bool check_config = false;
  bool doctor = false;
  bool json = false;
  bool keys = false;
  bool reset = false;
  bool yes = false;
  bool list_sensors = false;
  pairing::PairingServiceOptions pairing;
};

/// Deletes the owner's Wi-Fi networks from the board. wifi.json has only a copy.
void forget_networks(const fs::path& folder, const Clock& clock, Log& log) {
  std::error_code ec;
  if (!fs::exists(device::StateFiles{folder}.wifi(), ec)) return;
  hal::networkmanager::NetworkManager network(clock);
  network.forget();
  const auto until = clock.monotonic() + std::chrono::seconds(5);
  while (network.step().phase != hal::JoinProgress::Phase::idle) {
    if (clock.monotonic() > until)
      return log.warning(
          "NetworkManager may still have the owner's Wi-Fi network; delete it with nmcli connection delete");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// A running camera must not reset its own state: it ends first.
int reset(const fs::path& folder, bool confirmed, const Clock& clock, Log& log) {
  if (confirmed) forget_networks(folder, clock, log);
  return device::reset_command(folder, protocol::Role::camera, confirmed, log);
}

/// Replaces this process with a new one, because a process must not load a second set of keys. Returns only after a
/// failure; the service manager then starts the program.
int start_again(const UniqueFd& started_in, char** argv, Log& log) {
  if (::fchdir(started_in.get()) == 0) ::execv("/proc/self/exe", argv);
  log.error("the camera is reset, but it cannot start again by itself; start it");
  return EX_TEMPFAIL;
}

int list_sensors(bool json, const Clock& clock, Log& log) {
  hal::modules::LibcameraModule libcamera;
  const hal::Dependencies deps{camera::device_folder, hal::v4l2::open_device, libcamera, clock, log};
  hal::SensorList list;
  for (const auto& backend : hal::backends())
    if (backend.list != nullptr) backend.list(deps, list);
  const auto& [survey, cameras] = list;
  if (json) sealcam::println("{}", camera::as_json(survey, cameras));
  else sealcam::print("{}", camera::as_text(survey, cameras));
  if (const auto advice = camera::advice(survey, cameras); !advice.empty()) sealcam::println(stderr, "{}", advice);
  return camera::exit_code(survey, cameras);
}

/// The names for --source. A recording also needs a file, which only the configuration can name.
std::vector<std::string> source_names() {
  std::vector<std::string> names{std::string(hal::auto_backend)};
  for (const auto& backend : hal::backends())
    if (backend.kind != hal::SourceKind::file) names.emplace_back(backend.name);
  return names;
}

/// An exit code, or a request to reset the state.
struct Outcome {
  int code = EX_OK;
  bool reset = false;
};

Outcome run_state(const Options& given, const fs::path& folder, const camera::RunOptions& options, const Clock& clock,
                  Log& log) {
  const auto serial = hal::board::serial_number(hal::board::SystemView(), log);
  const device::Board board{serial.value_or("")};
  auto state = device::open_state(folder, protocol::Role::camera, serial ? &board : nullptr, log);
  if (!state) return {state.error()};
  if (given.keys) return {device::print_keys(*state, given.json)};
  const auto enrollment = pairing::require_enrollment(
      given.pairing, {.state = *state, .role = protocol::Role::camera, .clock = clock, .log = log});
  if (!enrollment) return {enrollment.error()};
  // x264 requests huge pages, also for buffers of which it uses a small part. They would make 8 MiB more resident.
  (void)::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  const auto done = camera::run_camera(options, *state, *enrollment, clock, log);
  if (done) return {EX_OK, *done == camera::End::reset};
  log.error("{}", to_string(done.error()));
  return {device::service_exit_code(done.error().code)};
}

int run(const Options& given, char** argv, MonotonicTime started, const Clock& clock, Log& log) {
  const UniqueFd started_in(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  // The key store changes the working folder, so relative paths are resolved before.
  const fs::path config_file = device::path_option(given.config, [] { return configuration_folder() / "camera.json"; });
  const fs::path folder = device::path_option(given.state, [] { return state_folder("camera"); });
  camera::RunOptions options{
      .config = {}, .status_file = {}, .started = started, .update_file = fs::absolute(given.update_status)};
  if (given.doctor) {
    return camera::run_doctor({.config_file = config_file,
                               .optional = given.config.empty(),
                               .source = given.source,
                               .state = folder,
                               .update_file = fs::absolute(given.update_status),
                               .json = given.json},
                              clock);
  }
  if (!given.status.empty()) options.status_file = fs::absolute(given.status);
  if (given.reset) return reset(folder, given.yes, clock, log);
  if (!given.keys) {
    auto config = camera::read_config(config_file, given.config.empty(), given.source);
    if (!config) {
      log.error("{}", config.error());
      return EX_CONFIG;
    }
    options.config = std::move(*config);
    log.set_level(options.config.log);
    if (given.check_config) {
      sealcam::println("{} is valid", config_file.string());
      return EX_OK;
    }
  }
  const Outcome outcome = run_state(given, folder, options, clock, log);
  if (!outcome.reset) return outcome.code;
  if (const int code = reset(folder, true, clock, log); code != EX_OK) return code;
  return start_again(started_in, argv, log);
}

}  // namespace

static int run_command_line(int argc, char** argv) {
  const SystemClock clock;
  const MonotonicTime started = clock.monotonic();
  StderrLog log;
  Options options;
  std::string pairing_file;
  CLI::App app("Captures, encodes, seals and publishes pictures that only the owner's hubs can open.",
               "sealcam-camera");
  app.set_version_flag("--version", sealcam::format("sealcam-camera {}", device::version()));
  app.add_option("--config", options.config, "Configuration file (default: $XDG_CONFIG_HOME/sealcam/camera.json)")
      ->type_name("FILE");
  app.add_option("--state", options.state, "State folder (default: $XDG_STATE_HOME/sealcam/camera)")->type_name("DIR");
  app.add_option("--status", options.status, "Write counters as one line of JSON into this file every second")
      ->type_name("FILE");
  app.add_option("--update-status", options.update_status,
                 "Report the state of updates from this file of the updater (default: the file of a card image)")
      ->type_name("FILE");
  app.add_option(
         "--source", options.source,
         sealcam::format("Take pictures from this backend instead of the configured source; {} draws a test picture",
                         hal::find_backend(hal::SourceKind::drawn).name))
      ->check(CLI::IsMember(source_names()));
  app.add_option("--pairing-listen", options.pairing.listen,
                 "Address on which an unpaired camera waits for its owner (default: port 8421 on every address)")
      ->type_name("ADDRESS:PORT");
  app.add_option("--pairing-host", options.pairing.host,
                 "Address in the pairing string (default: the address of the default route)")
      ->type_name("HOST");
  app.add_option("--pairing-file", pairing_file, "Write the pairing string into this file or folder while it is valid")
      ->type_name("FILE");
  app.add_flag("--no-pairing", options.pairing.disabled, "Exit with code 78 if the camera is unpaired");
  app.add_flag("--check-config", options.check_config, "Check the configuration and exit");
  auto* list = app.add_flag("--list-sensors", options.list_sensors,
                            "List the sensors with their formats and controls, and exit");
  auto* doctor = app.add_flag("--doctor", options.doctor, "Check the board, the configuration and the state, and exit");
  list->excludes(doctor);
  app.add_flag("--json", options.json, "Print the sensors or the findings of the doctor as JSON");
  auto* keys = app.add_subcommand("keys", "Create the keys if there are none, and print the id of this camera");
  keys->add_flag("--json", options.json, "Print JSON");
  auto* reset = app.add_subcommand("reset", "Delete the keys and the state; the camera is then unpaired");
  reset->add_flag("--yes", options.yes, "Confirm the deletion");
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return device::report_usage(app, error);
  }
  options.keys = keys->parsed();
  options.reset = reset->parsed();
  if (!pairing_file.empty()) options.pairing.file = fs::absolute(pairing_file);
  if (options.json && !options.keys && !options.list_sensors && !options.doctor) {
    sealcam::println(stderr, "error: --json is valid only with keys, --list-sensors or --doctor");
    return EX_USAGE;
  }
  if (options.list_sensors) return list_sensors(options.json, clock, log);
  return run(options, argv, started, clock, log);
}

int main(int argc, char** argv) {
  return device::run_program("sealcam-camera", [&] { return run_command_line(argc, argv); });
}
