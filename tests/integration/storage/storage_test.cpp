// SPDX-License-Identifier: Apache-2.0
/// Every file operation of what a camera stores, one after the other, goes wrong: the process is killed there, the
/// power fails there, the disk says EIO or is full. The next start finds the state before or the one after, never one
/// between, never a new identity that nobody asked for, and no epoch's number twice. No time passes and no chance is in
/// it: points are counted by support/storage_faults.hpp.
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
/// Empty when what was told, and what the next start then found, fit the state before; else what is wrong.
using Judge = std::function<std::string(const Facts& before, const Facts& told, const Facts& found)>;

struct Ended {
  Facts told;
  std::size_t operations = 0;
  bool killed = false;
};

/// Runs `act` in a process of its own. A fact that is told again replaces the one before.
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
      // A start that a fault stopped: the next one counts.
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

std::string in_words(const Facts& facts) {
  std::string words;
  for (const auto& [what, value] : facts) words += what + "=" + value + " ";
  return words;
}

/// One fault at each operation of `act`, each time on a fresh copy of `before`.
Findings sweep(const fs::path& before, StorageFault fault, const Act& act, const Judge& judge) {
  Findings findings;
  const TemporaryFolder place;
  const auto folder = place.path() / "state";
  copy_state(before, folder);
  const auto start = next_start(folder);
  for (std::size_t n = 1;; ++n) {
    copy_state(before, folder);
    const auto ended = in_child(act, folder, fault, n);
    if (!ended.killed && ended.operations < n) return findings;  // past the last one
    ++findings.points;
    const auto found = next_start(folder);
    auto wrong =
        found.contains("error") ? "the next start fails: " + found.at("error") : judge(start, ended.told, found);
    // Once is enough: what a start leaves does not depend on the kind of fault before it.
    if (wrong.empty() && fault == StorageFault::power_cut) {
      const auto again = next_start(folder);
      if (again.contains("error") || again.at("id") != found.at("id")) wrong = "the start after it is another one";
    }
    if (wrong.empty()) continue;
    findings.wrong.push_back("operation " + std::to_string(n) + ": " + wrong + "; told: " + in_words(ended.told) +
                             "; found: " + in_words(found));
  }
}

const std::vector<std::pair<StorageFault, const char*>> faults = {{StorageFault::kill, "kill"},
                                                                  {StorageFault::power_cut, "power cut"},
                                                                  {StorageFault::torn, "torn write"},
                                                                  {StorageFault::io_error, "EIO"},
                                                                  {StorageFault::disk_full, "ENOSPC"}};

void check_all(const fs::path& before, const Act& act, const Judge& judge, std::size_t least_points) {
  for (const auto& [fault, name] : faults) {
    INFO(name);
    const auto findings = sweep(before, fault, act, judge);
    for (const auto& wrong : findings.wrong) UNSCOPED_INFO(wrong);
    CHECK(findings.wrong.empty());
    if (fault != StorageFault::disk_full) CHECK(findings.points >= least_points);
    else CHECK(findings.points >= 1);
  }
}

/// Some fault finds something: the test sees what it is there to see.
bool caught(const fs::path& before, const Act& act, const Judge& judge) {
  for (const auto& [fault, name] : faults)
    if (!sweep(before, fault, act, judge).wrong.empty()) return true;
  return false;
}

/// Everything but `may_differ` is as before.
std::string same_but(const Facts& before, const Facts& found, const std::set<std::string>& may_differ) {
  for (const auto& [what, value] : before)
    if (!may_differ.contains(what) && found.at(what) != value) return what + " has changed";
  return "";
}

std::string judge_roster(const Facts& before, const Facts& told, const Facts& found) {
  if (const auto why = same_but(before, found, {"roster", "epoch", "epochs"}); !why.empty()) return why;
  if (found.at("roster") != "1" && found.at("roster") != "2") return "a roster of neither version";
  return told.contains("roster") && found.at("roster") != "2" ? "an accepted roster is lost" : "";
}

std::string judge_epochs(const Facts& before, const Facts& told, const Facts& found) {
  if (const auto why = same_but(before, found, {"epoch", "epochs"}); !why.empty()) return why;
  const auto last = told.contains("epoch") ? told.at("epoch") : before.at("epochs");
  return std::stoul(found.at("epoch")) <= std::stoul(last) ? "an epoch's number is used twice" : "";
}

std::string judge_reset(const Facts& before, const Facts& told, const Facts& found) {
  if (found.at("id") == before.at("id")) {
    if (told.contains("reset")) return "a reset that was done is undone";
    return same_but(before, found, {"epoch", "epochs"});
  }
  for (const char* what : {"roster", "name", "settings", "wifi", "command"})
    if (found.at(what) != "-") return std::string(what) + " outlived the reset";
  if (found.at("privacy") != "off" || found.at("epochs") != "0") return "privacy or epochs outlived the reset";
  return "";
}

/// A camera that is somebody's, made once for a test case.
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

TEST_CASE("a first start that is interrupted anywhere leaves a camera that starts, and one identity") {
  const TemporaryFolder place;
  const auto judge = [](const Facts&, const Facts& told, const Facts& found) -> std::string {
    if (found.at("roster") != "-" || found.at("name") != "-") return "somebody's";
    return told.contains("id") && told.at("id") != found.at("id") ? "another identity than the one that was told" : "";
  };
  const auto empty = place.path() / "empty";
  fs::create_directory(empty);
  check_all(empty, first_start, judge, 40);
}

TEST_CASE("a roster is the old one or the new one") {
  const World w;
  check_all(w.camera, take_roster, judge_roster, 4);
  CHECK(caught(w.camera, take_roster_in_place, judge_roster));       // control
  CHECK(caught(w.camera, take_roster_without_fsync, judge_roster));  // control
}

TEST_CASE("no epoch's number is used twice") {
  const World w;
  check_all(w.camera, begin_epochs, judge_epochs, 12);
  CHECK(caught(w.camera, begin_epochs_and_store_later, judge_epochs));  // control
}

TEST_CASE("a command is obeyed whole or not at all") {
  const World w;
  check_all(
      w.camera, obey_command,
      [](const Facts& before, const Facts& told, const Facts& found) -> std::string {
        const bool obeyed = found.at("command") == "2";
        if (!obeyed && told.contains("command")) return "a command that was obeyed is forgotten";
        if (!obeyed) return same_but(before, found, {"epoch", "epochs"});
        if (found.at("name") != "new" || found.at("privacy") != "on" || found.at("settings") != "2000000" ||
            found.at("wifi") != "new")
          return "between two commands";
        return same_but(before, found, {"epoch", "epochs", "command", "name", "privacy", "settings", "wifi"});
      },
      20);
}

TEST_CASE("privacy is on or off, and on once it was said") {
  const World w;
  check_all(
      w.camera, switch_privacy,
      [](const Facts& before, const Facts& told, const Facts& found) -> std::string {
        if (told.contains("privacy") && found.at("privacy") != "on") return "privacy is forgotten";
        return same_but(before, found, {"epoch", "epochs", "privacy"});
      },
      4);
}

TEST_CASE("a reset is not begun, or whole") {
  const World w;
  check_all(w.camera, reset, judge_reset, 20);
  CHECK(caught(w.camera, reset_without_mark, judge_reset));  // control
}
