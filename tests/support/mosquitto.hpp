// SPDX-License-Identifier: Apache-2.0
/// The real Mosquitto for tests: a process of its own on a free port of the loopback interface, with certificates of
/// an operator made for the occasion.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "support/temporary_folder.hpp"
#include "transport/certificate.hpp"
#include "transport/tls_context.hpp"

namespace sealcam::test {

/// An operator's authority and what it signs. Throws std::runtime_error when something cannot be made.
class TestOperator {
 public:
  explicit TestOperator(std::string_view name = "test operator");
  [[nodiscard]] const std::string& authority() const noexcept { return authority_; }
  [[nodiscard]] const transport::TlsKey& key() const noexcept { return key_; }
  struct Admitted {
    std::string certificate;
    transport::TlsKey key;
  };
  /// A device's key and certificate.
  [[nodiscard]] Admitted admit(std::string_view name) const;
  /// A key and certificate of a server at localhost, 127.0.0.1 and ::1, or at `host` alone.
  [[nodiscard]] Admitted server(std::string_view host = {}) const;
  /// What a client that was admitted needs, trusting `authority` (default: this operator's).
  [[nodiscard]] transport::TlsConfig client(std::string_view name, std::string_view authority = {}) const;

 private:
  transport::TlsKey key_;
  std::string authority_;
};

struct MosquittoOptions {
  std::string access_list{};   ///< lines of an acl_file; empty: everybody may do everything
  std::string max_protocol{};  ///< newest TLS it speaks, in OpenSSL's words ("TLSv1.2"); empty: OpenSSL's default
  std::string server_host{};   ///< the server certificate's only name; empty: the loopback names
  std::string more{};          ///< lines appended to the configuration
  const TestOperator* server_certificate_of = nullptr;  ///< who signs the server certificate; default: the operator
};

/// Owns the process: killed on destruction. Thread-bound.
class Mosquitto {
 public:
  /// Whether Mosquitto is installed; a test that needs it calls SKIP() when it is not.
  [[nodiscard]] static bool installed();

  /// Starts it and waits until it accepts connections. Throws std::runtime_error with its log when it does not.
  explicit Mosquitto(const TestOperator& authority, MosquittoOptions options = {});
  Mosquitto(const Mosquitto&) = delete;
  Mosquitto& operator=(const Mosquitto&) = delete;
  ~Mosquitto();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_.path(); }
  /// What it wrote to its log so far.
  [[nodiscard]] std::string log() const;
  /// CPU time it has used (user and system).
  [[nodiscard]] std::chrono::microseconds cpu_time() const;

  void kill();   ///< SIGKILL, waits for its end; nothing when it is not running
  void start();  ///< the same port and configuration
  void restart() { kill(), start(); }
  void pause();   ///< SIGSTOP
  void resume();  ///< SIGCONT

 private:
  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace sealcam::test
