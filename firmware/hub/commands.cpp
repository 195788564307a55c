// SPDX-License-Identifier: Apache-2.0
#include "hub/commands.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "hub/access/access.hpp"
#include "hub/access/open_socket.hpp"

namespace sealcam::hub {
int fail_with(const Error& error, Log& log) {
  log.error("{}", to_string(error));
  return device::exit_code(error.code);
}

namespace {

namespace fs = std::filesystem;

constexpr const char* service_state = "/var/lib/sealcam/hub";
constexpr const char* service_socket = "/run/sealcam-hub/open.socket";
constexpr const char* socket_name = "open.socket";

bool has_hub(const fs::path& folder) { return device::is_state(device::StateFiles{folder}); }

std::string user_name() {
  const char* const sudo = std::getenv("SUDO_USER");
  if (::getuid() == 0 && sudo != nullptr) return sudo;
  const auto* const entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : "unknown";
}

fs::path socket_of(const OpenOptions& options) {
  if (!options.socket.empty()) return options.socket;
  if (!options.state.empty()) return fs::absolute(options.state) / socket_name;
  const auto own = state_folder("hub") / socket_name;
  return device::is_present(own) ? own : fs::path(service_socket);
}

int cannot_reach(const Error& error, Log& log) {
  log.error("{}", to_string(error));
  if (error.code == Errc::permission)
    log.error(
        "this user may not open the page: run 'sudo sealcam-hub open --print', or add the user to the hub's group "
        "with 'sudo adduser {} sealcam-hub' and log in again",
        user_name());
  else if (error.code == Errc::not_found || error.code == Errc::connection)
    log.error(
        "no paired hub runs here: start it ('sealcam-hub', or 'sudo systemctl start sealcam-hub'); for a hub "
        "with another state folder add --state DIR");
  return device::exit_code(error.code);
}

/// All users can read the command lines of processes. So the browser receives the name of a private file, which leads
/// to the address.
Result<> write_page(const fs::path& file, const std::string& address) {
  const auto page = sealcam::format(
      "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Sealcam</title>\n<meta name=\"referrer\" "
      "content=\"no-referrer\">\n<meta http-equiv=\"refresh\" content=\"0; url={0}\">\n<p><a href=\"{0}\">Open the "
      "hub's page</a></p>\n",
      address);
  return write_file_durably(file, as_bytes(page));
}

/// True if xdg-open started a browser.
bool open_browser(const fs::path& file) {
  std::string program = "xdg-open", argument = file.string();
  const std::array<char*, 3> argv{program.data(), argument.data(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (::posix_spawnp(&child, program.c_str(), nullptr, nullptr, argv.data(), environ) != 0) return false;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Result<> write_token(int fd, std::string_view text) {
  if (!write_all(fd, as_bytes(text)) || ::fsync(fd) != 0) return fail(Errc::io, "writing the token", errno);
  return {};
}

Result<access::Tokens> read_tokens(const fs::path& folder) {
  access::TokenFile file(folder);
  const access::AsOwner owner(folder);
  auto tokens = file.read_if_changed();
  if (!tokens) return std::unexpected(located(tokens.error(), (folder / "access.json").native()));
  return std::move(*tokens).value_or(access::Tokens());
}

Result<> store_token(const fs::path& folder, const access::Token& token) {
  access::TokenFile file(folder);
  const access::AsOwner owner(folder);
  const auto stored = file.update([&](access::Tokens& tokens) -> Result<> {
    if (std::ranges::contains(tokens, token.name, &access::Token::name))
      return fail(Errc::exists, "a token has this name: delete it first, or use another name");
    if (std::ranges::count(tokens, false, &access::Token::browser) >= static_cast<std::ptrdiff_t>(access::max_tokens))
      return fail(Errc::exhausted, "the hub has 64 tokens: delete one first");
    tokens.push_back(token);
    return {};
  });
  return stored ? Result<>() : std::unexpected(stored.error());
}

}  // namespace

std::string date(CaptureTime time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time.since_epoch).count();
  std::tm parts{};
  std::array<char, 16> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  return {text.data(), std::strftime(text.data(), text.size(), "%F", &parts)};
}

std::optional<fs::path> find_state(const std::string& given, Log& log) {
  auto own = given.empty() ? state_folder("hub") : fs::absolute(given);
  if (has_hub(own)) return own;
  if (given.empty() && has_hub(service_state)) return service_state;
  log.error("there is no hub in {}: start 'sealcam-hub' first, or name its folder with --state{}", own.string(),
            given.empty() ? "; for the hub of the service use sudo" : "");
  return std::nullopt;
}

int open_command(const OpenOptions& options, Log& log) {
  const auto address = access::request_address(socket_of(options), user_name());
  if (!address) return cannot_reach(address.error(), log);
  if (options.print) {
    sealcam::println("{}", *address);
    return EX_OK;
  }
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool own_page = options.page.empty() && runtime != nullptr && *runtime == '/' && ::geteuid() != 0;
  const auto file = own_page ? fs::path(runtime) / "sealcam-hub-open.html" : fs::path(options.page);
  if (!file.empty()) {
    if (auto r = write_page(file, *address); !r) return fail_with(r.error(), log);
    if (!own_page || open_browser(file)) return EX_OK;
  }
  log.warning("this command cannot start a browser here; open this address within a minute:");
  sealcam::println("{}", *address);
  return EX_OK;
}

int create_token(const TokenOptions& options, Log& log) {
  const auto rights = access::parse_rights(options.rights);
  if (!rights) {
    log.error("--rights {}: use metrics, view or privacy", options.rights);
    return EX_USAGE;
  }
  if (!access::is_name(options.name) || options.name.starts_with(access::browser_prefix)) {
    log.error(
        "'{}' cannot be the name of a token: use up to 64 letters, digits, spaces and '._@-'; names that begin "
        "with 'browser' belong to browsers",
        printable(options.name, access::max_name));
    return EX_USAGE;
  }
  const auto folder = find_state(options.state, log);
  if (!folder) return EX_NOINPUT;
  if (auto r = crypto::init(); !r) return fail_with(r.error(), log);
  const auto secret = access::make_secret();
  if (!secret) return fail_with(secret.error(), log);
  const auto hash = access::hash_of(*secret);
  if (!hash) return fail_with(hash.error(), log);
  UniqueFd output;
  if (!options.output.empty()) {
    output = UniqueFd(::open(options.output.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!output) {
      const auto code = errno == EEXIST ? Errc::exists : errno == EACCES ? Errc::permission : Errc::io;
      return fail_with(located({code, errno, "creating the file for the token"}, options.output), log);
    }
  }
  const auto now = SystemClock().wall();
  auto stored = store_token(*folder, {options.name, *rights, *hash, now, now, false});
  if (stored && output) stored = write_token(output.get(), *secret + "\n");
  if (!stored) {
    if (output) ::unlink(options.output.c_str());
    return fail_with(located(stored.error(), options.name), log);
  }
  if (!output) {
    log.info("this is the only time that the token is shown; the hub stores a hash of it");
    sealcam::println("{}", *secret);
  }
  return EX_OK;
}

int list_tokens(const TokenOptions& options, Log& log) {
  const auto folder = find_state(options.state, log);
  if (!folder) return EX_NOINPUT;
  const auto tokens = read_tokens(*folder);
  if (!tokens) return fail_with(tokens.error(), log);
  if (options.json) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& token : *tokens)
      list.push_back({{"name", token.name},
                      {"rights", access::name(token.rights)},
                      {"created", date(token.created)},
                      {"used", date(token.used)},
                      {"browser", token.browser}});
    sealcam::println("{}", list.dump());
    return EX_OK;
  }
  sealcam::println("{:<32} {:<8} {:<10} {}", "NAME", "RIGHTS", "CREATED", "LAST USED");
  for (const auto& token : *tokens)
    sealcam::println("{:<32} {:<8} {:<10} {}", token.name, access::name(token.rights), date(token.created),
                     date(token.used));
  return EX_OK;
}

int delete_token(const TokenOptions& options, Log& log) {
  const auto folder = find_state(options.state, log);
  if (!folder) return EX_NOINPUT;
  access::TokenFile file(*folder);
  const access::AsOwner owner(*folder);
  const auto stored = file.update([&](access::Tokens& tokens) -> Result<> {
    if (std::erase_if(tokens, [&](const access::Token& token) { return token.name == options.name; }) == 0)
      return fail(Errc::not_found, "no token has this name; list them with 'sealcam-hub token list'");
    return {};
  });
  if (!stored) return fail_with(located(stored.error(), printable(options.name, access::max_name)), log);
  return EX_OK;
}

}  // namespace sealcam::hub
