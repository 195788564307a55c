// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "base/file.hpp"
#include "owner/sync/exchange.hpp"
#include "support/mosquitto.hpp"

namespace sealcam::test {

namespace {

using namespace std::chrono_literals;

/// Starts a program that writes its output to `out` and ends with the test.
pid_t start(std::vector<std::string> arguments, int out) {
  std::vector<char*> argv;
  for (auto& word : arguments) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

transport::MqttConfig config_of(const std::filesystem::path& state, std::optional<std::string> client_id) {
  auto config = owner::broker_connection({state});
  if (!config) throw std::runtime_error(config.error().message);
  if (client_id) config->client_id = std::move(*client_id);
  return std::move(*config);
}

}  // namespace

Ran run(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  const pid_t pid = start(arguments, ends[1]);
  ::close(ends[1]);
  Ran ran;
  char block[4096];
  for (ssize_t n; (n = ::read(ends[0], block, sizeof block)) > 0;)
    ran.output.append(block, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

Ran sealcam(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SEALCAM_PROGRAM);
  return run(arguments);
}

BrokerProcess::BrokerProcess(const std::filesystem::path& configuration, std::uint16_t port) {
  const auto log_path = configuration.parent_path() / "log";
  const UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  pid_ = start({"/usr/sbin/mosquitto", "-c", configuration.string()}, log.get());
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (!accepts(port)) {
    const bool ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (!ended && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(10ms);
      continue;
    }
    if (!ended) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    const auto text = read_file(log_path, 1 << 20);
    throw std::runtime_error("mosquitto: " + (text ? std::string(as_text(*text)) : std::string("no log")));
  }
}

BrokerProcess::~BrokerProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

TestClient::TestClient(const std::filesystem::path& state, std::optional<std::string> client_id)
    : TestClient(config_of(state, std::move(client_id))) {}

TestClient::TestClient(transport::MqttConfig config) {
  auto client = transport::Mqtt5Client::open(io_, std::move(config), *this, log_);
  if (!client) throw std::runtime_error(to_string(client.error()));
  client_ = std::move(*client);
}

template <class Done>
bool TestClient::wait(std::chrono::milliseconds limit, Done done) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!done() && std::chrono::steady_clock::now() < until) {
    io_.restart();
    io_.run_one_for(20ms);
  }
  return done();
}

bool TestClient::connects(std::chrono::milliseconds limit) {
  return wait(limit, [this] { return connected_; });
}

bool TestClient::disconnects(std::chrono::milliseconds limit) {
  return wait(limit, [this] { return !connected_; });
}

Result<> TestClient::publish(std::string_view topic, ByteView payload, bool retain) {
  auto answer = std::make_shared<std::optional<Result<>>>();
  client_->publish({.topic = topic, .payload = payload, .qos = transport::Qos::at_least_once, .retain = retain},
                   [answer](Result<> result) { *answer = result; });
  if (!wait(5s, [&] { return answer->has_value(); })) return fail(Errc::timeout, "no answer from the broker");
  return **answer;
}

bool TestClient::publish_becomes(bool allowed, std::string_view topic) {
  for (int i = 0; i < 50; ++i) {
    const auto result = publish(topic, as_bytes("x"));
    if (allowed ? result.has_value() : !result && result.error().code == Errc::permission) return true;
    wait(100ms, [] { return false; });
  }
  return false;
}

const std::vector<TestClient::Received>& TestClient::receive(std::chrono::milliseconds time, std::size_t enough) {
  wait(time, [&] { return received_.size() >= enough; });
  return received_;
}

std::string TestClient::last_text() const {
  const auto lines = log_.lines();
  return lines.empty() ? "" : lines.back();
}

void TestClient::on_message(const transport::Message& message) {
  received_.push_back(
      {std::string(message.topic), Bytes(message.payload.begin(), message.payload.end()), message.retained});
}

}  // namespace sealcam::test
