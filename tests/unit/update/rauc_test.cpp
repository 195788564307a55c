// SPDX-License-Identifier: Apache-2.0
#include "update/rauc.hpp"

#include <catch2/catch_test_macros.hpp>

#include "device.hpp"

using namespace sealcam;

namespace {

/// Answers each call with the same output. Before a restart of RAUC's service, its commands get `before`.
class ScriptedCommands final : public update::Commands {
 public:
  Result<update::Output> answer = update::Output{};
  std::optional<Result<update::Output>> before;
  std::vector<std::string> arguments;
  std::vector<std::string> calls;  ///< the first two arguments
  std::string hash = std::string(64, 'a');
  std::string slots = sealcam::format(
      R"({{"booted":"a","slots":[{{"r.0":{{"bootname":"a","boot_status":"good"}}}},{{"r.1":{{"bootname":"b",)"
      R"("boot_status":"bad","slot_status":{{"bundle":{{"hash":"{}"}}}}}}}}]}})",
      hash);

 private:
  Result<update::Output> do_run(std::span<const std::string> given, std::chrono::seconds timeout) override {
    arguments.assign(given.begin(), given.end());
    calls.push_back(given[0] + " " + given[1]);
    if (calls.back() == "rauc install") CHECK(timeout == std::chrono::hours(4));
    if (calls.back() == "systemctl restart") {
      CHECK(arguments == std::vector<std::string>{"systemctl", "restart", "rauc.service"});
      before.reset();
      return update::Output{};
    }
    if (before) return *before;
    return arguments.size() > 2 && arguments[2] == "--detailed" && answer && answer->code == 0
               ? update::Output{0, slots, ""}
               : answer;
  }
};

}  // namespace

TEST_CASE("RAUC and systemctl get their arguments as a list") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  const std::string channel = "https://updates.example/a b;c.raucb";
  (void)rauc.inspect(channel);
  CHECK(commands.arguments == std::vector<std::string>{"rauc", "info", "--output-format=json-2", channel});
  commands.answer = update::Output{1, "", ""};
  CHECK_FALSE(rauc.install(channel, commands.hash).has_value());
  CHECK(commands.arguments == std::vector<std::string>{"rauc", "install", channel});
  commands.answer = update::Output{};
  CHECK(rauc.restart(true).has_value());
  CHECK(commands.arguments ==
        std::vector<std::string>{"systemctl", "--no-block", "reboot", "--reboot-argument=0 tryboot"});
  CHECK(rauc.restart(false).has_value());
  CHECK(commands.arguments == std::vector<std::string>{"systemctl", "--no-block", "reboot"});
  CHECK(rauc.select_running().has_value());
  CHECK(commands.arguments == std::vector<std::string>{"rauc", "status", "mark-good", "booted"});
}

TEST_CASE("the reason of a failure is RAUC's last line, printable and short") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  commands.answer = update::Output{1, "installing\n 20% Checking bundle\n",
                                   "idle\nLastError: failed to read\x1b[31m from nbd\nInstalling `URL` failed\n"};
  const auto failed = rauc.install("/x", commands.hash);
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().reason == "rauc install: failed to read?[31m from nbd");
  CHECK_FALSE(failed.error().rejected);
  commands.answer = update::Output{137, "", ""};
  CHECK(rauc.install("/x", commands.hash).error().reason == "rauc install: exit code 137");
  commands.answer = update::Output{1, "", std::string(5000, 'x')};
  CHECK(rauc.install("/x", commands.hash).error().reason.size() <= update::max_shown);
  commands.answer = fail(Errc::timeout, "a program did not end in time");
  CHECK(rauc.slots().error().reason.contains("did not end in time"));
}

TEST_CASE("a wrong signature is a rejection, and a failed download is not") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  const auto rejected = [&](const char* text) {
    commands.answer = update::Output{1, "", text};
    return rauc.inspect("/x").error().rejected;
  };
  CHECK(rejected("signature verification failed: Verify error: self-signed certificate"));
  CHECK(rejected("Bundle format 'plain' not allowed"));
  CHECK(rejected("Compatible mismatch: Expected 'a' but bundle manifest has 'b'"));
  CHECK_FALSE(rejected("HTTP error 404"));
  CHECK_FALSE(rejected("Failed to read signature from bundle: Connection reset by peer"));
  CHECK_FALSE(rejected("Could not resolve host"));
  commands.answer = update::Output{0, "{}", ""};
  CHECK(rauc.inspect("/x").error().rejected);  // signed, and without the members of a release
}

TEST_CASE("an installation that does not end is ended in RAUC's service") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  commands.before = fail(Errc::timeout, "a program did not end in time");
  const auto installed = rauc.install("/x", commands.hash);
  REQUIRE_FALSE(installed.has_value());
  CHECK(installed.error().reason.contains("did not end in time"));
  CHECK(commands.calls == std::vector<std::string>{"rauc install", "systemctl restart"});
  CHECK(rauc.install("/x", commands.hash) == "b");
}

TEST_CASE("an installation of an earlier updater is ended, and the command is repeated once") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  const auto busy = update::Output{1, "", "Failed D-Bus error: Already processing a different method\n"};
  commands.before = busy;
  CHECK(rauc.install("/x", commands.hash).has_value());
  CHECK(commands.calls == std::vector<std::string>{"rauc install", "systemctl restart", "rauc install", "rauc status"});
  commands.calls.clear();
  commands.before = update::Output{1, "", "rauc mark: already processing a different method\n"};
  CHECK(rauc.select_running().has_value());
  CHECK(commands.calls == std::vector<std::string>{"rauc status", "systemctl restart", "rauc status"});
  commands.calls.clear();
  commands.answer = busy;  // a restart does not help
  CHECK_FALSE(rauc.install("/y", std::string(64, 'b')).has_value());
  CHECK(commands.calls.size() == 3);
}

TEST_CASE("control: other failures do not restart RAUC's service") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  commands.answer = update::Output{1, "", "LastError: HTTP error 404\n"};
  CHECK_FALSE(rauc.install("/x", commands.hash).has_value());
  CHECK(commands.calls == std::vector<std::string>{"rauc install"});
  commands.answer = fail(Errc::io, "starting a program");
  CHECK_FALSE(rauc.install("/x", commands.hash).has_value());
  CHECK(commands.calls.size() == 2);
}

TEST_CASE("a bundle that is installed already is not downloaded again") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  CHECK(rauc.install("/x", commands.hash) == "b");
  commands.calls.clear();
  CHECK(rauc.install("/x", commands.hash) == "b");
  CHECK(commands.calls == std::vector<std::string>{"rauc status"});
  commands.calls.clear();
  CHECK(rauc.install("/x", std::string(64, 'b')).error().reason ==
        "another bundle than the one of the decision was installed");
  CHECK(commands.calls == std::vector<std::string>{"rauc install", "rauc status"});
}
