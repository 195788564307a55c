// SPDX-License-Identifier: Apache-2.0
// Starts programs of the operating system.
#include <catch2/catch_test_macros.hpp>

#include "update/rauc.hpp"

using namespace sealcam;
using namespace std::chrono_literals;

namespace {

Result<update::Output> run(std::vector<std::string> arguments, std::chrono::seconds timeout = 30s) {
  update::SystemCommands commands;
  return commands.run(arguments, timeout);
}

}  // namespace

TEST_CASE("a program's output and exit code are returned") {
  const auto output = run({"sh", "-c", "echo out; echo err >&2; exit 3"}).value();
  CHECK(output.out == "out\n");
  CHECK(output.err == "err\n");
  CHECK(output.code == 3);
}

TEST_CASE("no shell reads the arguments") {
  CHECK(run({"printf", "%s", "$(echo x); `id` *"}).value().out == "$(echo x); `id` *");
}

TEST_CASE("a program without an end is killed") { CHECK(run({"sleep", "600"}, 1s).error().code == Errc::timeout); }

TEST_CASE("while a program runs, the callback is called") {
  unsigned calls = 0;
  update::SystemCommands commands([&] { ++calls; });
  CHECK(commands.run(std::vector<std::string>{"echo"}, 30s).has_value());
  CHECK(calls > 0);
}

TEST_CASE("a program that a signal ends has the code of a shell") {
  CHECK(run({"sh", "-c", "kill -9 $$"}).value().code == 137);
}

TEST_CASE("a program that does not exist is an error") {
  const auto output = run({"/nowhere/rauc"});
  CHECK((!output || output->code == 127));
}

TEST_CASE("endless output does not fill the memory") {
  const auto output = run({"sh", "-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"}).value();
  CHECK(output.out.size() == update::max_answer);
  CHECK(output.err.size() == update::max_answer);
  CHECK(output.code == 0);
}

TEST_CASE("standard input is empty") { CHECK(run({"cat"}).value().out.empty()); }
