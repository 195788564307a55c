// SPDX-License-Identifier: Apache-2.0
#include "support/mosquitto.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::test {
namespace {

constexpr const char* binary = "/usr/sbin/mosquitto";
constexpr auto start_limit = std::chrono::seconds(10);

template <class T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(*result);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

template <class Address>
bool accepts(const Address& address, int family) {
  const UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  return accepts(loopback(port), AF_INET) || accepts(v6, AF_INET6);
}

TestOperator::TestOperator(std::string_view name)
    : key_(need(transport::TlsKey::generate())), authority_(need(transport::make_authority(key_, name))) {}

TestOperator::Authorized TestOperator::authorize(std::string_view name) const {
  auto key = need(transport::TlsKey::generate());
  const auto request = need(transport::make_request(key, name));
  auto certificate =
      need(transport::sign_request(authority_, key_, request, name, transport::CertificateUse::client, {}));
  return {std::move(certificate), std::move(key)};
}

TestOperator::Authorized TestOperator::server(std::string_view host) const {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  if (!host.empty()) names = {std::string(host)};
  auto key = need(transport::TlsKey::generate());
  const auto request = need(transport::make_request(key, "broker"));
  auto certificate =
      need(transport::sign_request(authority_, key_, request, "broker", transport::CertificateUse::server, names));
  return {std::move(certificate), std::move(key)};
}

transport::TlsConfig TestOperator::client(std::string_view name, std::string_view authority) const {
  auto authorized = authorize(name);
  return {.role = transport::TlsRole::client,
          .authority_pem = std::string(authority.empty() ? authority_ : authority),
          .certificate_pem = std::move(authorized.certificate),
          .key = std::move(authorized.key)};
}

bool Mosquitto::installed() { return ::access(binary, X_OK) == 0; }

Mosquitto::Mosquitto(const TestOperator& authority, MosquittoOptions options) : port_(free_port()) {
  const auto& dir = folder_.path();
  const auto server =
      (options.server_certificate_of ? *options.server_certificate_of : authority).server(options.server_host);
  write_text(dir / "ca.pem", authority.authority());
  write_text(dir / "server.pem", server.certificate);
  write_text(dir / "server.key", as_text(server.key.reveal_pem()));
  std::string config = sealcam::format(
      "listener {} 127.0.0.1\nallow_anonymous false\nrequire_certificate true\nuse_identity_as_username true\n"
      "use_username_as_clientid true\ncafile {}/ca.pem\ncertfile {}/server.pem\nkeyfile {}/server.key\n"
      "set_tcp_nodelay true\npersistence false\nlog_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n"
      "log_timestamp false\n",
      port_, dir.string(), dir.string(), dir.string());
  // Without this, a broker that root starts drops its privileges and can no longer read its files.
  if (::geteuid() == 0) config += "user root\n";
  std::string openssl = "openssl_conf = start\n[start]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n[limits]\n";
  if (!options.max_protocol.empty()) openssl += sealcam::format("MaxProtocol = {}\n", options.max_protocol);
  write_text(dir / "openssl.cnf", openssl);
  if (!options.access_list.empty()) {
    write_text(dir / "acl", options.access_list);
    std::filesystem::permissions(dir / "acl", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    config += sealcam::format("acl_file {}/acl\n", dir.string());
  }
  write_text(dir / "mosquitto.conf", config + options.more);
  start();
}

Mosquitto::~Mosquitto() { kill(); }

std::string Mosquitto::log() const {
  std::ifstream in(folder_.path() / "log", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::chrono::microseconds Mosquitto::cpu_time() const {
  std::ifstream in(sealcam::format("/proc/{}/stat", pid_));
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto after_name = text.rfind(')');
  if (after_name == std::string::npos) return {};
  std::istringstream fields(text.substr(after_name + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i) fields >> skip;
  long user = 0, system = 0;
  fields >> user >> system;
  return std::chrono::microseconds((user + system) * (1'000'000 / ::sysconf(_SC_CLK_TCK)));
}

void Mosquitto::start() {
  if (pid_ > 0) return;
  const auto config = (folder_.path() / "mosquitto.conf").string();
  const auto log_path = (folder_.path() / "log").string();
  const auto openssl = (folder_.path() / "openssl.cnf").string();
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // ends the broker if the test crashes
    if (::getppid() != parent) ::_exit(127);
    const int out = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::setenv("OPENSSL_CONF", openssl.c_str(), 1);
    ::execl(binary, binary, "-c", config.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  const auto limit = std::chrono::steady_clock::now() + start_limit;
  while (!accepts(port_)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("mosquitto exited during its start: " + log());
    }
    if (std::chrono::steady_clock::now() > limit) {
      kill();
      throw std::runtime_error("mosquitto does not accept connections: " + log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void Mosquitto::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
}

void Mosquitto::pause() {
  if (pid_ > 0) ::kill(pid_, SIGSTOP);
}
void Mosquitto::resume() {
  if (pid_ > 0) ::kill(pid_, SIGCONT);
}

}  // namespace sealcam::test
