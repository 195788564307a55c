// SPDX-License-Identifier: Apache-2.0
/// sealcam-image-init, a part of the SD card images. At each start, `settings` takes settings from the card and sets
/// the host name, and `pairing` shows the pairing string while it is valid.
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "image_init/card.hpp"
#include "image_init/pairing_notice.hpp"

namespace {

using namespace sealcam;

constexpr std::size_t max_list = 4096;

int settings(const image_init::CardFolders& folders, Log& log) {
  int code = EX_OK;
  // An interrupted start may have left a string that is no longer valid.
  if (auto r = image_init::erase_file(folders.card / "pairing.txt"); !r)
    log.warning("an old pairing string is still on the SD card: {}", to_string(r.error()));
  const auto taken = image_init::take_settings(folders, log);
  if (!taken) {
    log.error(
        "cannot apply the settings of the SD card: {}; the next start tries again. Check whether the card is full or "
        "worn out",
        to_string(taken.error()));
    code = device::exit_code(taken.error().code);
  } else if (*taken == image_init::Taken::rejected) {
    code = EX_CONFIG;
  }
  const auto name = image_init::host_name(folders);
  if (::sethostname(name.data(), name.size()) != 0) {
    log.error("the host name '{}' is not set: {}", name, std::strerror(errno));
    return EX_OSERR;
  }
  return code;
}

/// Runs until the string is invalid, or until SIGTERM or SIGINT.
int show_pairing(image_init::NoticePlaces places, const std::string& active, Log& log) {
  if (auto list = read_file(active, max_list)) places.consoles = image_init::consoles_of(as_text(*list));
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  image_init::PairingNotice notice(std::move(places), log);
  constexpr timespec half_a_second{.tv_sec = 0, .tv_nsec = 500'000'000};
  while (notice.poll())
    if (sigtimedwait(&signals, nullptr, &half_a_second) > 0) break;
  return EX_OK;
}

}  // namespace

static int run_command_line(int argc, char** argv) {
  StderrLog log;
  image_init::CardFolders folders{.card = "/card",
                                  .settings = "/data/settings",
                                  .connections = "/etc/NetworkManager/system-connections",
                                  .rules = "/usr/lib/firmware/regulatory.db"};
  image_init::NoticePlaces places{.file = "/run/sealcam-camera/pairing.txt", .card = "/card", .consoles = {}};
  std::string active = "/sys/class/tty/console/active";
  CLI::App app("Prepares a start from an SD card image: settings, host name and pairing string.", "sealcam-image-init");
  app.set_version_flag("--version", sealcam::format("sealcam-image-init {}", device::version()));
  auto* take = app.add_subcommand("settings", "Take sealcam.json from the SD card and set the host name");
  take->add_option("--card", folders.card, "First partition of the SD card");
  take->add_option("--settings", folders.settings, "Folder that stores host name and country");
  take->add_option("--connections", folders.connections, "Folder of NetworkManager's connections");
  take->add_option("--rules", folders.rules, "Radio rules of all countries (regulatory.db)");
  auto* show = app.add_subcommand("pairing", "Show the pairing string on consoles and SD card while it is valid");
  show->add_option("--file", places.file, "The camera's pairing file");
  show->add_option("--card", places.card, "First partition of the SD card");
  show->add_option("--consoles", active, "List of the kernel's consoles");
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return device::report_usage(app, error);
  }
  return take->parsed() ? settings(folders, log) : show_pairing(std::move(places), active, log);
}

int main(int argc, char** argv) {
  return device::run_program("sealcam-image-init", [&] { return run_command_line(argc, argv); });
}
