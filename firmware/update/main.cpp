// SPDX-License-Identifier: Apache-2.0
/// sealcam-update, a part of the SD card images. `run` is the service; the other commands are for the maker of a device
/// at a console.
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "crypto/psa.hpp"
#include "device/program.hpp"
#include "update/clock.hpp"
#include "update/updater.hpp"

namespace {

using namespace sealcam;
namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t max_file = 4096;
constexpr std::string_view state_name = "state.json";

struct Options {
  fs::path settings = "/usr/lib/sealcam/update.json", own_settings = "/data/settings/update.json";
  fs::path kernel_line = "/proc/cmdline", state = "/data/update", status = "/run/sealcam-update/status.json";
  update::CameraPaths camera;
  bool json = false;
};

bool is_channel(std::string_view text) {
  return text.starts_with("https://") ? text.size() > 8 : text.starts_with('/');
}

/// The value of `rauc.slot=` of the kernel command line.
std::string running_slot(const fs::path& kernel_line) {
  const auto content = read_file(kernel_line, max_file);
  if (!content) return {};
  constexpr std::string_view key = "rauc.slot=";
  const auto text = as_text(*content);
  const auto at = text.find(key);
  if (at == std::string_view::npos) return {};
  const auto value = text.substr(at + key.size());
  return printable(value.substr(0, value.find_first_of(" \n")), 8);
}

/// The error of a missing file already names it.
std::string in_file(const fs::path& file, const std::string& error) {
  return error.starts_with(file.native()) ? error : file.string() + ": " + error;
}

std::expected<update::Settings, std::string> read_settings(const Options& options) {
  auto reader = ConfigReader::from_file(options.settings, false);
  update::Settings settings{.channel = reader.text("/channel", ""),
                            .board = reader.required_text("/board"),
                            .version = {},
                            .slot = running_slot(options.kernel_line),
                            .night_hour = static_cast<unsigned>(reader.integer("/night_hour", 2, 0, 23))};
  if (const auto version = update::parse_version(reader.required_text("/version"))) settings.version = *version;
  else reader.reject("/version", "must be a version such as 0.1.0");
  const auto check = [&](ConfigReader& file) {
    if (!settings.channel.empty() && !is_channel(settings.channel))
      file.reject("/channel", "must be an address with https:// or an absolute path");
  };
  check(reader);
  if (auto error = reader.finish()) return std::unexpected(in_file(options.settings, *error));
  auto own = ConfigReader::from_file(options.own_settings, true);
  settings.channel = own.text("/channel", settings.channel);
  settings.night_hour = static_cast<unsigned>(own.integer("/night_hour", settings.night_hour, 0, 23));
  check(own);
  if (auto error = own.finish()) return std::unexpected(in_file(options.own_settings, *error));
  return settings;
}

int report(const Error& error, Log& log) {
  log.error("{}", to_string(error));
  return device::service_exit_code(error.code);
}

/// Runs until a signal ends it. Each step leaves a valid state.
int run(const Options& options, Log& log) {
  const auto settings = read_settings(options);
  if (!settings) {
    log.error("{}", settings.error());
    return EX_CONFIG;
  }
  if (auto r = make_private_folder(options.state); !r) return report(r.error(), log);
  const auto lock = lock_folder(options.state);
  if (!lock) return report(lock.error(), log);
  update::StateFile store(options.state / state_name);
  if (auto r = store.prepare(); !r) return report(r.error(), log);
  std::array<std::byte, 4> seed{};
  if (auto r = crypto::random(seed); !r) return report(r.error(), log);
  const update::SynchronizedClock clock;
  device::ServiceManager manager(clock);
  update::SystemCommands commands([&] { manager.alive(); });
  update::CameraFiles camera(options.camera, log);
  bool shown = true;
  const auto show = [&](const update::Status& status) {
    const auto written = device::replace_status_file(options.status, to_json(status));
    if (!written && std::exchange(shown, false)) log.warning("{}", to_string(written.error()));
  };
  update::Updater updater(*settings, {.clock = clock,
                                      .log = log,
                                      .commands = commands,
                                      .camera = camera,
                                      .store = store,
                                      .show = show,
                                      .seed = load_be<std::uint32_t>(seed)});
  for (;;) {
    updater.step();
    manager.alive();
    constexpr timespec pause{.tv_sec = update::Updater::interval.count(), .tv_nsec = 0};
    ::nanosleep(&pause, nullptr);
  }
}

std::string_view text_of(update::Decision decision) {
  switch (decision) {
    case update::Decision::none: return "not for this device";
    case update::Decision::rejected: return "rejected";
    case update::Decision::denied: return "rejected by the owner";
    case update::Decision::deferred: return "deferred by the owner";
    case update::Decision::wait: return "waits for the night, or until the camera works";
    case update::Decision::install: return "to be installed now";
  }
  return {};
}

/// Polls the channel. The error is an exit code; the reason is logged.
std::expected<update::Updater::Checked, int> poll_channel(const Options& options, Log& log) {
  const auto settings = read_settings(options);
  if (!settings || settings->channel.empty()) {
    log.error("{}", settings ? options.settings.string() + ": there is no channel" : settings.error());
    return std::unexpected(EX_CONFIG);
  }
  const update::SynchronizedClock clock;
  update::SystemCommands commands;
  update::CameraFiles camera(options.camera, log);
  update::StateFile store(options.state / state_name);
  update::Updater updater(*settings, {.clock = clock,
                                      .log = log,
                                      .commands = commands,
                                      .camera = camera,
                                      .store = store,
                                      .show = [](const update::Status&) {}});
  auto found = updater.check();
  if (found) return std::move(*found);
  log.error("{}: {}", settings->channel, found.error().reason);
  return std::unexpected(found.error().rejected ? EX_CONFIG : EX_UNAVAILABLE);
}

int check(const Options& options, Log& log) {
  const auto found = poll_channel(options, log);
  if (!found) return found.error();
  const auto& [release, decided, bucket, runs] = *found;
  const auto version = to_string(release.version), running = to_string(runs);
  const auto share = to_string(release.share);
  std::string decision(release.version == runs ? "it runs" : text_of(decided.decision));
  if (!decided.reason.empty()) decision += ": " + decided.reason;
  if (options.json)
    println("{}", ordered_json{{"version", running},
                               {"offer", version},
                               {"minimum_version", to_string(release.minimum)},
                               {"share", share},
                               {"bucket", bucket},
                               {"decision", decision}}
                      .dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  else
    println("version {} runs\nthe channel has version {} for {} % of the devices (this one is number {} of 10000)\n{}",
            running, version, share, bucket, decision);
  return EX_OK;
}

int status(const Options& options, Log& log) {
  const auto content = read_file(options.status, max_file);
  if (!content) {
    log.error("{}; is sealcam-update.service running?", to_string(content.error()));
    return device::exit_code(content.error().code);
  }
  const auto text = as_text(*content);
  if (options.json || json_error(text)) {
    print("{}", text);
    return EX_OK;
  }
  const auto json = ordered_json::parse(text);
  for (const auto& [key, value] : json.items()) {
    if (!value.is_object()) println("{}: {}", key, value.is_string() ? value.get<std::string>() : value.dump());
    else
      for (const auto& [name, inner] : value.items())
        println("{} {}: {}", key, name, inner.is_string() ? inner.get<std::string>() : inner.dump());
  }
  return EX_OK;
}

/// Leaves a request for the service, which counts like the owner's command.
int install(const Options& options, Log& log) {
  const auto found = poll_channel(options, log);
  if (!found) return found.error();
  const auto version = to_string(found->release.version);
  if (found->decided.decision == update::Decision::rejected) {
    log.error("{}", found->decided.reason);
    return EX_CONFIG;
  }
  const ordered_json request{{"action", "start"}, {"version", version}};
  if (auto r = device::replace_status_file(options.camera.request, request.dump() + "\n"); !r)
    return report(r.error(), log);
  println("the service installs version {} now; 'sealcam-update status' shows the progress", version);
  return EX_OK;
}

int run_command_line(int argc, char** argv) {
  StderrLog log;
  Options options;
  CLI::App app("Updates of an SD card image: polls the channel, installs a release, and tries it.", "sealcam-update");
  app.set_version_flag("--version", sealcam::format("sealcam-update {}", device::version()));
  app.add_option("--settings", options.settings, "Board, version and channel of the image");
  app.add_option("--own-settings", options.own_settings, "Settings of this card, which replace those of the image");
  app.add_option("--state", options.state, "Folder of the updater's state");
  app.add_option("--status", options.status, "File with the updater's report, for the camera");
  app.add_option("--camera-state", options.camera.state, "State folder of the camera");
  app.add_option("--camera-status", options.camera.status, "Status file of the camera");
  app.add_option("--request", options.camera.request, "File with the request of 'install'");
  app.add_option("--data", options.camera.data, "A folder on the data partition; an update needs free space there");
  app.require_subcommand(1);
  auto* service = app.add_subcommand("run", "Run as a service until SIGTERM or SIGINT");
  auto* poll = app.add_subcommand("check", "Poll the channel once and show the decision about its release");
  auto* show = app.add_subcommand("status", "Show the report of the running service");
  app.add_subcommand("install", "Install the release of the channel now, as the owner's command does");
  for (auto* command : {poll, show}) command->add_flag("--json", options.json, "Print one line of JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return device::report_usage(app, error);
  }
  if (auto r = crypto::init(); !r) return report(r.error(), log);
  if (service->parsed()) return run(options, log);
  if (poll->parsed()) return check(options, log);
  return show->parsed() ? status(options, log) : install(options, log);
}

}  // namespace

int main(int argc, char** argv) {
  return device::run_program("sealcam-update", [&] { return run_command_line(argc, argv); });
}
