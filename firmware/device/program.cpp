// SPDX-License-Identifier: Apache-2.0
#include "device/program.hpp"

#include <sysexits.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/format.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

std::string_view version() noexcept { return SEALCAM_VERSION; }

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

}  // namespace sealcam::device
