// SPDX-License-Identifier: Apache-2.0
#include "update/rauc.hpp"

#include <catch2/catch_test_macros.hpp>

#include "device.hpp"

using namespace sealcam;

namespace {

/// Answers each call with the same output.
class ScriptedCommands final : public update::Commands {
 public:
  Result<update::Output> answer = update::Output{};
  std::vector<std::string> arguments;

 private:
  Result<update::Output> do_run(std::span<const std::string> given, std::chrono::seconds) override {
    arguments.assign(given.begin(), given.end());
    return answer;
  }
};

}  // namespace

TEST_CASE("RAUC and systemctl get their arguments as a list") {
  ScriptedCommands commands;
  update::Rauc rauc(commands);
  const std::string channel = "https://updates.example/a b;c.raucb";
  (void)rauc.inspect(channel);
  CHECK(commands.arguments == std::vector<std::string>{"rauc", "info", "--output-format=json-2", channel});
  CHECK(rauc.install(channel).has_value());
  CHECK(commands.arguments == std::vector<std::string>{"rauc", "install", channel});
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
  const auto failed = rauc.install("/x");
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().reason == "rauc install: failed to read?[31m from nbd");
  CHECK_FALSE(failed.error().rejected);
  commands.answer = update::Output{137, "", ""};
  CHECK(rauc.install("/x").error().reason == "rauc install: exit code 137");
  commands.answer = update::Output{1, "", std::string(5000, 'x')};
  CHECK(rauc.install("/x").error().reason.size() <= update::max_shown);
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
  CHECK_FALSE(rejected("Could not resolve host"));
  commands.answer = update::Output{0, "{}", ""};
  CHECK(rauc.inspect("/x").error().rejected);  // signed, and without the members of a release
}
