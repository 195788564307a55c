// SPDX-License-Identifier: Apache-2.0
// The running RabbitMQ of a folder.
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/broker/rabbitmq.hpp"

extern char** environ;

namespace sealcam::owner {

namespace {

std::filesystem::path pid_file(const BrokerFiles& files) { return files.folder / "rabbitmq.pid"; }

/// The end of a tool of RabbitMQ.
struct ToolResult {
  int exit_code = -1;  ///< -1: it did not start, or a signal ended it
  std::string output;  ///< the first bytes
};

/// Runs a tool for the node of this folder, with a short input.
ToolResult run_tool(const BrokerFiles& files, std::vector<std::string> arguments, std::string_view input) {
  std::vector<char*> argv, environment;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  auto place = sealcam::format("RABBITMQ_CONF_ENV_FILE={}", (files.folder / "rabbitmq-env.conf").string());
  for (char** each = environ; *each != nullptr; ++each)
    if (!std::string_view(*each).starts_with("RABBITMQ_CONF_ENV_FILE=")) environment.push_back(*each);
  environment.push_back(place.data());
  environment.push_back(nullptr);

  // One socket is input and output of the tool. The tool never receives SIGPIPE from it, and neither does this process.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  UniqueFd own(ends[0]), of_tool(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, of_tool.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, of_tool.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int status = ::posix_spawnp(&child, argv.front(), &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  of_tool.reset();
  if (status != 0) return {};

  ToolResult result;
  (void)::send(own.get(), input.data(), input.size(), MSG_NOSIGNAL);
  ::shutdown(own.get(), SHUT_WR);
  std::array<char, 4096> block;
  for (ssize_t n = 0; (n = ::read(own.get(), block.data(), block.size())) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0 && result.output.size() < block.size()) result.output.append(block.data(), static_cast<std::size_t>(n));
  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0)
    if (errno != EINTR) return {};
  if (WIFEXITED(ended)) result.exit_code = WEXITSTATUS(ended);
  return result;
}

/// Runs rabbitmqctl. It starts an Erlang machine of its own, which takes 1 to 10 s, and much longer on a busy machine.
int control(const BrokerFiles& files, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"rabbitmqctl", "--quiet", "--timeout", "120"});
  return run_tool(files, std::move(arguments), "").exit_code;
}

/// An Erlang binary. Numbers need no escapes.
std::string binary(std::string_view text) {
  std::string out = "<<";
  for (const char c : text) out += sealcam::format("{}{}", out.size() > 2 ? "," : "", static_cast<unsigned char>(c));
  return out + ">>";
}

/// Whether the process of rabbitmq.pid is an Erlang machine. A stopped node can leave its file, and rabbitmqctl would
/// then change a node of the same name from another folder.
bool is_running(const BrokerFiles& files) {
  const auto text = read_file(pid_file(files), 64);
  if (!text) return false;
  const auto pid = as_text(*text).substr(0, as_text(*text).find('\n'));
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto program = read_file(sealcam::format("/proc/{}/comm", pid), 64);
  return program && as_text(*program).starts_with("beam");
}

/// Evaluates an expression in the node with erl_call of the package erlang-base, which takes 20 ms. Returns whether
/// the value is `ok`. False if erl_call or the functions do not exist, or if the node belongs to another folder. The
/// caller then uses rabbitmqctl, which reads the name of the node from rabbitmq-env.conf.
bool evaluate(const BrokerFiles& files, std::string_view expression) {
  const auto settings = read_broker(files);
  const auto node = settings && !settings->nodes.empty() ? settings->nodes.front() : std::string();
  const auto result = run_tool(
      files, {"erl_call", "-timeout", "120", "-r", node.contains('.') ? "-name" : "-sname", rabbitmq_node(node), "-e"},
      rabbitmq_expression(files, expression) + ".\n");
  return result.exit_code == 0 && result.output == "{ok, ok}";
}

bool import_definitions(const BrokerFiles& files, const std::filesystem::path& definitions) {
  return evaluate(files,
                  sealcam::format("case file:read_file({}) of {{ok, Text}} -> rabbit_definitions:import_raw(Text); "
                                  "Error -> Error end",
                                  binary(definitions.string()))) ||
         control(files, {"import_definitions", definitions.string()}) == 0;
}

/// Gives the other running nodes of the cluster the files that this machine has. A node that is down receives them with
/// the next change. The nodes write in place, so that the key keeps its mode.
void share_files(const BrokerFiles& files) {
  std::string list;
  for (const auto& file : rabbitmq_shared_files(files)) list += (list.empty() ? "" : ", ") + binary(file.string());
  const auto expression = sealcam::format(
      "[] = [{{Node, File}} || File <- [{}], {{ok, Text}} <- [file:read_file(File)], "
      "Node <- rabbit_nodes:list_running(), Node =/= node(), "
      "rpc:call(Node, file, read_file, [File], 10000) =/= {{ok, Text}}, "
      "rpc:call(Node, file, write_file, [File, Text], 10000) =/= ok], ok",
      list);
  if (!evaluate(files, expression)) (void)control(files, {"eval", expression + "."});
}

}  // namespace

std::string rabbitmq_expression(const BrokerFiles& files, std::string_view expression) {
  return sealcam::format(
      "case file:read_file({}) of {{ok, Pid}} -> case string:trim(binary_to_list(Pid)) == "
      "os:getpid() of true -> {}; false -> other_node end; Missing -> Missing end",
      binary(pid_file(files).string()), expression);
}

bool reload_rabbitmq(const BrokerFiles& files) {
  constexpr std::size_t max_definitions = 1U << 30;
  if (!is_running(files)) return false;
  if (std::error_code none; std::filesystem::exists(files.folder / "nodes", none)) share_files(files);
  const auto now = read_file(files.definitions(), max_definitions);
  if (!now) return false;
  const auto imported_file = files.folder / "imported.json", changes = files.folder / "changes.json";
  const auto imported = read_file(imported_file, max_definitions);
  const auto text = imported ? rabbitmq_changes(as_text(*now), as_text(*imported)) : std::string(as_text(*now));
  constexpr std::size_t entries = 500;  // 12 s on a quiet machine; the tools end after 120 s
  for (const auto& part : rabbitmq_imports(text, entries))
    if (!write(changes, as_bytes(part)) || !import_definitions(files, changes)) return false;
  // An older file could lack changes that were undone since. Without the file, the next import is complete.
  std::error_code ec;
  if (!write(imported_file, *now)) std::filesystem::remove(imported_file, ec);
  return true;
}

Outcome<> remove_rabbitmq_user(const BrokerFiles& files, const DeviceId& device) {
  const auto id = device.to_string();
  if (evaluate(files, sealcam::format("rabbit_networking:close_all_user_connections({0}, {1}), "
                                      "case rabbit_auth_backend_internal:delete_user({0}, {2}) of "
                                      "{{error, {{no_such_user, _}}}} -> ok; Result -> Result end",
                                      binary(id), binary("revoked"), binary(operator_name))))
    return {};
  constexpr int no_user = 70;  // EX_SOFTWARE: rabbitmqctl reports a missing user so
  const int closed = control(files, {"close_all_user_connections", id, "revoked"});
  const int deleted = closed == 0 ? control(files, {"delete_user", id}) : closed;
  if (deleted == 0 || (closed == 0 && deleted == no_user)) return {};
  return failure(EX_UNAVAILABLE, sealcam::format("rabbitmqctl did not remove the user {} (exit code {}); check that "
                                                 "RabbitMQ runs as your user",
                                                 id, deleted));
}

}  // namespace sealcam::owner
