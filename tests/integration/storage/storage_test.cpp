// SPDX-License-Identifier: Apache-2.0
/// Injects a fault into each file operation of a camera, one after the other: the process is killed, the power fails,
/// the operation fails with EIO, or the disk is full. The next start must find the complete state before or after the
/// change, the same identity, and no epoch number that was used before. The tests are deterministic:
/// support/storage_faults.hpp counts the operations.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <set>
#include <vector>

#include "integration/storage/device.hpp"
#include "support/storage_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam::test;
namespace fs = std::filesystem;

namespace {

using Act = std::function<void(const fs::path&, const Tell&)>;
/// Compares the facts before the action, those that the action reported, and those that the next start found. Returns a
/// fault or an empty text.
using Checker = std::function<std::string(const Facts& before, const Facts& told, const Facts& found)>;

struct Ended {
  Facts told;
  std::size_t operations = 0;
  bool killed = false;
};

/// Runs `act` in a child process. A fact that is reported again replaces the previous value.
Ended in_child(const Act& act, const fs::path& folder, StorageFault fault, std::size_t nth) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const Tell tell = [&](const std::string& what, const std::string& value) {
      const auto line = what + " " + value + "\n";
      if (::write(ends[1], line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(2);
    };
    arm_storage(fault, nth);
    try {
      act(folder, tell);
    } catch (const std::exception&) {
      // The fault stopped this start. The test checks the next one.
    }
    tell("operations", std::to_string(storage_operations()));
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char block[4096];
  for (ssize_t n; (n = ::read(ends[0], block, sizeof block)) > 0;) text.append(block, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0));
  Ended ended{.told = {}, .operations = 0, .killed = WIFSIGNALED(status)};
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const auto line = text.substr(at, end - at);
    const auto space = line.find(' ');
    ended.told[line.substr(0, space)] = line.substr(space + 1);
  }
  if (const auto it = ended.told.find("operations"); it != ended.told.end()) {
    ended.operations = std::stoul(it->second);
    ended.told.erase(it);
  }
  return ended;
}

Facts next_start(const fs::path& folder) { return in_child(look, folder, StorageFault::none, 0).told; }

void copy_state(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

struct Findings {
  std::size_t points = 0;
  std::vector<std::string> wrong;
};

std::string text_of(const Facts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) text += name + "=" + value + " ";
  return text;
}

/// Injects one fault at each operation of `act`, each time with a new copy of `before`.
Findings sweep(const fs::path& before, StorageFault fault, const Act& act, const Checker& check) {
  Findings findings;
  const TemporaryFolder place;
  const auto folder = place.path() / "state";
  copy_state(before, folder);
  const auto start = next_start(folder);
  for (std::size_t n = 1;; ++n) {
    copy_state(before, folder);
    const auto ended = in_child(act, folder, fault, n);
    if (!ended.killed && ended.operations < n) return findings;  // after the last operation
    ++findings.points;
    const auto found = next_start(folder);
    auto wrong =
        found.contains("error") ? "the next start fails: " + found.at("error") : check(start, ended.told, found);
    // One fault is sufficient here, because the state after a start does not depend on the previous fault.
    if (wrong.empty() && fault == StorageFault::power_cut) {
      const auto again = next_start(folder);
      if (again.contains("error") || again.at("id") != found.at("id"))
        wrong = "the second start differs from the first";
    }
    if (wrong.empty()) continue;
    findings.wrong.push_back("operation " + std::to_string(n) + ": " + wrong + "; reported: " + text_of(ended.told) +
                             "; found: " + text_of(found));
  }
}

const std::vector<std::pair<StorageFault, const char*>> faults = {{StorageFault::kill, "kill"},
                                                                  {StorageFault::power_cut, "power cut"},
                                                                  {StorageFault::torn, "torn write"},
                                                                  {StorageFault::io_error, "EIO"},
                                                                  {StorageFault::disk_full, "ENOSPC"}};

void check_all(const fs::path& before, const Act& act, const Checker& check, std::size_t min_points) {
  for (const auto& [fault, name] : faults) {
    INFO(name);
    const auto findings = sweep(before, fault, act, check);
    for (const auto& wrong : findings.wrong) UNSCOPED_INFO(wrong);
    CHECK(findings.wrong.empty());
    if (fault != StorageFault::disk_full) CHECK(findings.points >= min_points);
    else CHECK(findings.points >= 1);
  }
}

/// Returns whether a fault breaks the state. For controls.
bool caught(const fs::path& before, const Act& act, const Checker& check) {
  for (const auto& [fault, name] : faults)
    if (!sweep(before, fault, act, check).wrong.empty()) return true;
  return false;
}

/// Returns a fault if a fact outside of `may_differ` has changed.
std::string same_but(const Facts& before, const Facts& found, const std::set<std::string>& may_differ) {
  for (const auto& [what, value] : before)
    if (!may_differ.contains(what) && found.at(what) != value) return what + " has changed";
  return "";
}

std::string check_roster(const Facts& before, const Facts& told, const Facts& found) {
  if (const auto why = same_but(before, found, {"roster", "epoch", "epochs"}); !why.empty()) return why;
  if (found.at("roster") != "1" && found.at("roster") != "2") return "the roster has another version";
  return told.contains("roster") && found.at("roster") != "2" ? "the accepted roster is lost" : "";
}

std::string check_epochs(const Facts& before, const Facts& told, const Facts& found) {
  if (const auto why = same_but(before, found, {"epoch", "epochs"}); !why.empty()) return why;
  const auto last = told.contains("epoch") ? told.at("epoch") : before.at("epochs");
  return std::stoul(found.at("epoch")) <= std::stoul(last) ? "an epoch number is used twice" : "";
}

std::string check_reset(const Facts& before, const Facts& told, const Facts& found) {
  if (found.at("id") == before.at("id")) {
    if (told.contains("reset")) return "the completed reset is undone";
    return same_but(before, found, {"epoch", "epochs"});
  }
  for (const char* what : {"roster", "name", "settings", "wifi", "command", "prekey"})
    if (found.at(what) != "-") return std::string(what) + " exists after the reset";
  if (found.at("privacy") != "off" || found.at("epochs") != "0") return "privacy or epochs exist after the reset";
  return "";
}

/// A paired camera, created once for each test case.
struct World {
  TemporaryFolder place;
  fs::path camera = place.path() / "camera";
  World() {
    const auto made = in_child(
        [](const fs::path& folder, const Tell& tell) {
          make_camera(folder);
          tell("made", "yes");
        },
        camera, StorageFault::none, 0);
    REQUIRE(made.told.contains("made"));
  }
};

}  // namespace

TEST_CASE("after an interrupted first start, the camera starts and has one identity") {
  const TemporaryFolder place;
  const auto check = [](const Facts&, const Facts& told, const Facts& found) -> std::string {
    if (found.at("roster") != "-" || found.at("name") != "-") return "the camera is paired";
    return told.contains("id") && told.at("id") != found.at("id") ? "the identity differs from the reported one" : "";
  };
  const auto empty = place.path() / "empty";
  fs::create_directory(empty);
  check_all(empty, first_start, check, 40);
}

TEST_CASE("after a fault, the camera has the old or the new roster") {
  const World w;
  check_all(w.camera, take_roster, check_roster, 4);
  CHECK(caught(w.camera, take_roster_in_place, check_roster));       // control
  CHECK(caught(w.camera, take_roster_without_fsync, check_roster));  // control
}

TEST_CASE("after a fault, no epoch number is used twice") {
  const World w;
  check_all(w.camera, begin_epochs, check_epochs, 12);
  CHECK(caught(w.camera, begin_epochs_and_store_later, check_epochs));  // control
}

TEST_CASE("after a fault, a command is applied completely or not at all") {
  const World w;
  check_all(
      w.camera, apply_command,
      [](const Facts& before, const Facts& told, const Facts& found) -> std::string {
        const bool applied = found.at("command") == "2";
        if (!applied && told.contains("command")) return "the applied command is lost";
        // Privacy-on does not wait for the command. The owner's program and the broker keep the command.
        if (!applied && found.at("privacy") == "on") return same_but(before, found, {"epoch", "epochs", "privacy"});
        if (!applied) return same_but(before, found, {"epoch", "epochs"});
        if (found.at("name") != "new" || found.at("privacy") != "on" || found.at("settings") != "2000000" ||
            found.at("wifi") != "new")
          return "the command is applied partly";
        return same_but(before, found, {"epoch", "epochs", "command", "name", "privacy", "settings", "wifi"});
      },
      20);
}

TEST_CASE("after a fault, privacy that was confirmed is on") {
  const World w;
  check_all(
      w.camera, switch_privacy,
      [](const Facts& before, const Facts& told, const Facts& found) -> std::string {
        if (told.contains("privacy") && found.at("privacy") != "on") return "the confirmed privacy is lost";
        return same_but(before, found, {"epoch", "epochs", "privacy"});
      },
      4);
}

TEST_CASE("after a fault, the camera has the old or the new key of a hub") {
  const World w;
  check_all(
      w.camera, take_hub_key,
      [](const Facts& before, const Facts& told, const Facts& found) -> std::string {
        if (found.at("prekey") != "1" && found.at("prekey") != "2") return "the key has another number";
        if (told.contains("prekey") && found.at("prekey") != "2") return "the stored key is lost";
        return same_but(before, found, {"epoch", "epochs", "prekey"});
      },
      4);
}

TEST_CASE("after a fault, a reset is complete or did not begin") {
  const World w;
  check_all(w.camera, reset, check_reset, 20);
  CHECK(caught(w.camera, reset_without_mark, check_reset));  // control
}

TEST_CASE("on a full disk, a prepared camera stores rosters, commands, privacy and epoch counters") {
  const World w;
  const TemporaryFolder place;
  const auto folder = place.path() / "state";
  const auto changed = [&](bool prepared) {
    copy_state(w.camera, folder);
    return in_child([&](const fs::path& f, const Tell& tell) { change_all_on_a_full_disk(f, tell, prepared); }, folder,
                    StorageFault::none, 0)
        .told;
  };
  const auto told = changed(true);
  for (const char* what : {"roster", "command"}) CHECK(told.at(what) == "5");
  CHECK(told.at("reserved") == "1025");
  const auto found = next_start(folder);
  for (const char* what : {"roster", "command", "privacy"}) CHECK(found.at(what) == told.at(what));
  CHECK(std::stoul(found.at("epoch")) == 1281);
  const auto unprepared = changed(false);  // control
  CHECK_FALSE(unprepared.contains("roster"));
  CHECK_FALSE(unprepared.contains("reserved"));
}

TEST_CASE("a full disk does not prevent a reset") {
  const World w;
  const TemporaryFolder place;
  const auto folder = place.path() / "state";
  const auto before = [&] {
    copy_state(w.camera, folder);
    return next_start(folder);
  }();
  copy_state(w.camera, folder);
  const auto told = in_child(reset_on_a_full_disk, folder, StorageFault::none, 0).told;
  CHECK(told.contains("reset"));
  CHECK(check_reset(before, told, next_start(folder)).empty());
}
