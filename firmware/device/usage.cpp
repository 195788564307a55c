// SPDX-License-Identifier: Apache-2.0
#include "device/usage.hpp"

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>

#include "base/format.hpp"

namespace sealcam::device {

namespace {

constexpr std::size_t max_word = 64;

/// The innermost command of the command line.
const CLI::App& selected(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : selected(*parsed.front());
}

/// The names of the commands in a group. Hidden commands have no group in the help.
std::string commands_of(const CLI::App& group) {
  std::string names;
  for (const auto* command : group.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_group().empty()) names += (names.empty() ? "" : ", ") + command->get_name();
  return names;
}

int failed(std::string_view prefix, int code, const char* what) noexcept {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(prefix.size()), prefix.data(), what);
  return code;
}

}  // namespace

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  const auto left = app.remaining(true);
  const auto word = std::ranges::find_if(left, [](const std::string& text) { return !text.starts_with('-'); });
  const auto& command = selected(app);
  if (error.get_exit_code() == 0 || word == left.end()) return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  if (*word == "help") {
    sealcam::print("{}", command.help());
    return EX_OK;
  }
  const auto names = commands_of(command);
  if (names.empty()) return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  std::string path = command.get_name();
  for (const auto* parent = command.get_parent(); parent != nullptr; parent = parent->get_parent())
    path = parent->get_name() + " " + path;
  sealcam::println(stderr, "no command '{}' in '{}'; use one of: {}\nRun '{} --help' for more information.",
                   printable(*word, max_word), path, names, path);
  return EX_USAGE;
}

int run_program(std::string_view prefix, const std::function<int()>& body) noexcept {
  try {
    const int code = body();
    if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category(), "writing the output");
    return code;
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::broken_pipe) return EX_OK;
    return failed(prefix, EX_IOERR, error.what());
  } catch (const std::invalid_argument& error) {
    return failed(prefix, EX_USAGE, error.what());
  } catch (const std::exception& error) {
    return failed(prefix, EX_SOFTWARE, error.what());
  }
}

}  // namespace sealcam::device
