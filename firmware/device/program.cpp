// SPDX-License-Identifier: Apache-2.0
#include "device/program.hpp"

#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

std::string_view version() noexcept { return SEALCAM_VERSION; }

std::string_view support_until() noexcept { return SEALCAM_SUPPORT_UNTIL; }

/// Reads YYYY-MM-DD. The result of another text is not ok().
static consteval std::chrono::year_month_day parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return {};
  const auto number = [&](std::size_t at, std::size_t digits) {
    unsigned value = 0;
    for (const char c : text.substr(at, digits)) value = value * 10 + static_cast<unsigned>(c - '0');
    return value;
  };
  return {std::chrono::year(static_cast<int>(number(0, 4))), std::chrono::month(number(5, 2)),
          std::chrono::day(number(8, 2))};
}

CaptureTime support_end() noexcept {
  constexpr auto date = parse_day(SEALCAM_SUPPORT_UNTIL);
  static_assert(date.ok(), "SEALCAM_SUPPORT_UNTIL in CMakeLists.txt is not a date such as 2028-11-30");
  return {std::chrono::sys_days(date).time_since_epoch() + std::chrono::days(1)};
}

bool support_ended(CaptureTime now) noexcept { return is_plausible(now) && now >= support_end(); }

std::string support_text(CaptureTime now) {
  if (!support_ended(now))
    return sealcam::format("version {} gets security fixes at least until {}", version(), support_until());
  return sealcam::format("version {} may get no security fixes any more: they were promised until {}", version(),
                         support_until());
}

void log_support(CaptureTime now, Log& log) {
  if (support_ended(now)) log.warning("{}; {}", support_text(now), support_step);
  else log.info("{}", support_text(now));
}

int exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument: return EX_USAGE;
    case Errc::not_found: return EX_NOINPUT;
    case Errc::timeout:
    case Errc::connection:
    case Errc::device_lost:
    case Errc::canceled:
    case Errc::conflict: return EX_UNAVAILABLE;
    case Errc::corrupt_frame:
    case Errc::end_of_stream:
    case Errc::crypto: return EX_SOFTWARE;
    case Errc::no_memory: return EX_OSERR;
    case Errc::exists: return EX_CANTCREAT;
    case Errc::io:
    case Errc::exhausted: return EX_IOERR;
    case Errc::permission: return EX_NOPERM;
    case Errc::malformed:
    case Errc::unsupported:
    case Errc::bad_signature:
    case Errc::not_decryptable:
    case Errc::wrong_key:
    case Errc::replayed:
    case Errc::stale: return EX_CONFIG;
  }
  return EX_SOFTWARE;
}

int service_exit_code(Errc code) noexcept { return code == Errc::invalid_argument ? EX_CONFIG : exit_code(code); }

fs::path path_option(std::string_view given, const std::function<fs::path()>& fallback) {
  return fs::absolute(given.empty() ? fallback() : fs::path(given));
}

LogLevel read_log_level(ConfigReader& reader, std::string_view pointer) {
  const auto text = reader.text(pointer, "info");
  if (text == "error") return LogLevel::error;
  if (text == "warning") return LogLevel::warning;
  if (text == "debug") return LogLevel::debug;
  if (text != "info") reader.reject(pointer, "must be error, warning, info or debug");
  return LogLevel::info;
}

static int report(const fs::path& folder, const Error& error, Log& log) {
  if (error.code == Errc::conflict) log.error("{} is in use by another process: stop that process", folder.string());
  else log.error("{}", to_string(located(error, folder.native())));
  return exit_code(error.code);
}

std::expected<DeviceState, int> open_state(const fs::path& folder, protocol::Role role, const Board* board, Log& log) {
  auto state = DeviceState::open(folder, role, board);
  if (!state) return std::unexpected(report(folder, state.error(), log));
  return std::move(*state);
}

int print_keys(const DeviceState& state, bool json) {
  const auto id = state.keys().identity.id().to_string();
  const auto& files = state.files();
  if (json)
    sealcam::println("{}", nlohmann::ordered_json{{"id", id},
                                                  {"state", files.folder.string()},
                                                  {"descriptor", files.descriptor().string()},
                                                  {"request", files.tls_request().string()}}
                               .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  else sealcam::println("{}", id);
  return EX_OK;
}

int reset_command(const fs::path& folder, protocol::Role role, bool confirmed, Log& log) {
  if (!confirmed) {
    sealcam::println(stderr,
                     "This command deletes the keys and all other state in {0}.\n"
                     "To confirm, run: sealcam-{1} --state {0} reset --yes",
                     folder.string(), protocol::name(role));
    return EX_USAGE;
  }
  if (const auto done = reset_state(folder, role); !done) return report(folder, done.error(), log);
  log.info("{} is reset: the next start creates a new, unpaired {}", folder.string(), protocol::name(role));
  return EX_OK;
}

ServiceManager::ServiceManager(const Clock& clock) : clock_(clock) {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(0, &limit) > 0) interval_ = std::chrono::microseconds(limit / 2);
}

void ServiceManager::ready() { (void)::sd_notify(0, "READY=1"); }

void ServiceManager::stopping() { (void)::sd_notify(0, "STOPPING=1"); }

void ServiceManager::alive() {
  if (!interval_) return;
  const auto now = clock_.monotonic();
  if (sent_ && now - *sent_ < *interval_) return;
  sent_ = now;
  (void)::sd_notify(0, "WATCHDOG=1");
}

Result<> replace_status_file(const std::filesystem::path& path, std::string_view text) {
  // A rename would replace a FIFO, or /dev/null.
  std::error_code ec;
  if (const auto status = std::filesystem::status(path, ec);
      std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    return std::unexpected(located({Errc::exists, 0, "not a regular file"}, path.native()));
  auto temporary = path;
  temporary += ".new";
  const auto failed = [&](const char* what) {
    const int native = errno;
    ::unlink(temporary.c_str());
    return fail_errno(what, path, native);
  };
  const UniqueFd fd = create_file(temporary, 0644);
  if (!fd) return fail_errno("creating the status file", path);
  if (!write_all(fd.get(), as_bytes(text))) return failed("writing the status file");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("replacing the status file");
  return {};
}

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
  (void)std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(prefix.size()), prefix.data(), what);
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
    path.insert(0, parent->get_name() + " ");
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
