// SPDX-License-Identifier: Apache-2.0
/// Runs Mosquitto in a child process on a free port of the loopback interface, with certificates of a test operator.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "support/temporary_folder.hpp"
#include "transport/tls/certificate.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::test {

[[nodiscard]] std::uint16_t free_port();
/// Whether a program accepts connections on one of the loopback addresses.
[[nodiscard]] bool accepts(std::uint16_t port);

/// A certificate authority of a broker's operator. All functions throw std::runtime_error on failure.
class TestOperator {
 public:
  explicit TestOperator(std::string_view name = "test operator");
  [[nodiscard]] const std::string& authority() const noexcept { return authority_; }
  [[nodiscard]] const transport::TlsKey& key() const noexcept { return key_; }
  struct Authorized {
    std::string certificate;
    transport::TlsKey key;
  };
  /// Creates the key and certificate of a device.
  [[nodiscard]] Authorized authorize(std::string_view name) const;
  /// Creates the key and certificate of a server. Its names are localhost, 127.0.0.1 and ::1, or only `host`.
  [[nodiscard]] Authorized server(std::string_view host = {}) const;
  /// Authorizes a client and returns its TLS configuration. `authority`: trusted certificate; default: this operator's.
  [[nodiscard]] transport::TlsConfig client(std::string_view name, std::string_view authority = {}) const;

 private:
  transport::TlsKey key_;
  std::string authority_;
};

struct MosquittoOptions {
  std::string access_list{};   ///< lines of an acl_file; empty: each client may read and write each topic
  std::string max_protocol{};  ///< maximum TLS version as OpenSSL writes it ("TLSv1.2"); empty: OpenSSL's default
  std::string server_host{};   ///< only name of the server certificate; empty: the loopback names
  std::string more{};          ///< lines appended to the configuration
  const TestOperator* server_certificate_of = nullptr;  ///< signs the server certificate; default: the operator
};

/// Owns the process and kills it on destruction. Thread-bound.
class Mosquitto {
 public:
  /// Returns whether Mosquitto is installed. A test that needs it calls SKIP() otherwise.
  [[nodiscard]] static bool installed();

  /// Starts the process and waits until it accepts connections. On failure, throws std::runtime_error with its log.
  explicit Mosquitto(const TestOperator& authority, MosquittoOptions options = {});
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;
  ~Mosquitto();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_.path(); }
  /// Returns the log of the process.
  [[nodiscard]] std::string log() const;
  /// Returns the CPU time (user and system) of the process.
  [[nodiscard]] std::chrono::microseconds cpu_time() const;

  void kill();   ///< sends SIGKILL and waits for the end of the process, if it runs
  void start();  ///< uses the same port and configuration
  void restart() { kill(), start(); }
  void pause();   ///< SIGSTOP
  void resume();  ///< SIGCONT

 private:
  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sealcam::test
