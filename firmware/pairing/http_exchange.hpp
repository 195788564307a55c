// SPDX-License-Identifier: Apache-2.0
/// HTTP/1.1 (RFC 9112) around one conversation: bytes in, bytes out, no sockets. What a fuzzer reads.
#pragma once

#include <memory>
#include <string>

#include "pairing/endpoint.hpp"

namespace sealcam::pairing {

/// Thread-bound. Holds at most one request: 8 KiB of header, 128 KiB of body, and what one read brings beyond.
class HttpExchange {
 public:
  static constexpr std::uint32_t max_header = 8U << 10;
  static constexpr std::uint64_t max_body = 128U << 10;

  /// `conversation` outlives it.
  explicit HttpExchange(Endpoint::Conversation& conversation);
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;
  ~HttpExchange();

  struct Output {
    std::string bytes;  ///< to be sent; empty while a request is not whole
    bool end = false;   ///< the connection ends once they are sent
  };
  /// Takes what the peer sent. Not to be called again once it said `end`.
  [[nodiscard]] Output receive(ByteView bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam::pairing
