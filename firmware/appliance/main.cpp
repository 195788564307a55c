// SPDX-License-Identifier: Apache-2.0
/// sealcam-appliance: what a card image does beside the camera. `settings` takes what a person put onto the card and
/// names the host, at each start; `pairing` shows the pairing string while there is one.
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <print>

#include "appliance/card.hpp"
#include "appliance/pairing_notice.hpp"
#include "core/file.hpp"

namespace {

using namespace sealcam;

constexpr std::size_t largest_list = 4096;

int settings(const appliance::CardFolders& folders, Log& log) {
  int code = EX_OK;
  // What a start that was cut short left there counts no longer.
  if (auto r = appliance::erase_file(folders.card / "pairing.txt"); !r)
    log.warning("an old pairing string is on the card: {}", to_string(r.error()));
  const auto taken = appliance::take_settings(folders, log);
  if (!taken) {
    log.error("settings of the card: {}; the next start tries again. Is the card full, or worn out?",
              to_string(taken.error()));
    code = EX_IOERR;
  } else if (*taken == appliance::Taken::refused) {
    code = EX_CONFIG;
  }
  const auto name = appliance::host_name(folders);
  if (::sethostname(name.data(), name.size()) != 0) {
    log.error("the host's name cannot be set");
    return EX_OSERR;
  }
  return code;
}

/// Until the string is gone or somebody ends it.
int show_pairing(appliance::NoticePlaces places, const std::string& active, Log& log) {
  if (auto list = read_file(active, largest_list)) places.consoles = appliance::consoles_of(as_text(*list));
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  appliance::PairingNotice notice(std::move(places), log);
  constexpr timespec half_a_second{.tv_sec = 0, .tv_nsec = 500'000'000};
  while (notice.look())
    if (sigtimedwait(&ends, nullptr, &half_a_second) > 0) break;
  return EX_OK;
}

}  // namespace

int main(int argc, char** argv) try {
  StderrLog log;
  appliance::CardFolders folders{.card = "/card",
                                 .settings = "/data/settings",
                                 .connections = "/etc/NetworkManager/system-connections",
                                 .rules = "/usr/lib/firmware/regulatory.db"};
  appliance::NoticePlaces places{.file = "/run/sealcam-camera/pairing.txt", .card = "/card", .consoles = {}};
  std::string active = "/sys/class/tty/console/active";
  CLI::App app("What a card image does beside the camera.", "sealcam-appliance");
  app.set_version_flag("--version", "sealcam-appliance " SEALCAM_VERSION);
  auto* take = app.add_subcommand("settings", "Take sealcam.json from the card and name the host");
  take->add_option("--card", folders.card, "The card's first partition");
  take->add_option("--settings", folders.settings, "Where name and country are kept");
  take->add_option("--connections", folders.connections, "NetworkManager's connections");
  take->add_option("--rules", folders.rules, "The countries that the kernel knows (wireless-regdb)");
  auto* show = app.add_subcommand("pairing", "Show the pairing string on consoles and card while there is one");
  show->add_option("--file", places.file, "The camera's pairing file");
  show->add_option("--card", places.card, "The card's first partition");
  show->add_option("--consoles", active, "The kernel's list of consoles");
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  }
  return take->parsed() ? settings(folders, log) : show_pairing(std::move(places), active, log);
} catch (const std::exception& error) {
  std::println(stderr, "error: {}", error.what());
  return EX_SOFTWARE;
}
