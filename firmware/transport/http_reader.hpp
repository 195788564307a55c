// SPDX-License-Identifier: Apache-2.0
/// The requests of one HTTP/1.1 connection (RFC 9112), without sockets: for small servers behind TLS. It holds at most
/// one request. Thread-bound.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace sealcam::transport {

/// The reason phrase of a status code; empty for an unknown one.
[[nodiscard]] std::string_view http_reason(unsigned status) noexcept;

class HttpReader {
 public:
  struct Limits {
    std::uint32_t header = 0;  ///< bytes of the request line and all fields
    std::uint64_t body = 0;
  };
  /// Why a request is rejected. The connection cannot continue. The texts exist until the program ends.
  struct Fault {
    unsigned status = 400;       ///< RFC 9110 section 15
    std::string_view kind = {};  ///< one word: malformed, too_large, length
    std::string_view text = {};
  };

  explicit HttpReader(const Limits& limits);
  HttpReader(HttpReader&&) noexcept;
  HttpReader& operator=(HttpReader&&) = delete;
  /// Wipes the body, which may contain a secret.
  ~HttpReader();

  /// Takes the peer's bytes. Nothing if the request is complete or needs more bytes. Must not be called after a fault.
  /// Bytes after a complete request are a fault, because the next request depends on the reply.
  [[nodiscard]] std::optional<Fault> receive(ByteView bytes);
  [[nodiscard]] bool complete() const noexcept;
  /// Wipes the request and waits for the next one.
  void next();

  // Of a complete request. The views are valid until the next call of a function that is not const.
  [[nodiscard]] std::string_view method() const;
  [[nodiscard]] std::string_view target() const;
  [[nodiscard]] std::string_view body() const;
  /// The values of all fields with this name, in any case.
  [[nodiscard]] std::vector<std::string> fields(std::string_view name) const;
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] bool http_1_0() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam::transport
