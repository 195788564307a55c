// SPDX-License-Identifier: Apache-2.0
/// HTTP/1.1 requests over TLS 1.3 to a server whose certificate this end does not check. The messages in the bodies
/// must authenticate the server: in pairing they sign the channel binding, in a link of a phone they have a MAC.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "pairing/replies.hpp"

namespace sealcam::pairing {

struct ClientTimeouts {
  std::chrono::milliseconds connect{10'000};  ///< name, TCP and TLS together
  std::chrono::milliseconds answer{20'000};   ///< for each reply
};

/// One request, without the fields that each request has.
struct HttpRequest {
  std::string_view method;  ///< POST, PUT or GET
  std::string_view target;  ///< path
  std::string_view type;    ///< of the content; empty: no content
  std::string content;      ///< wiped after it was sent
};

/// One connection. Each call blocks until its timeout at most. Failures have the kinds unreachable, timeout,
/// not_a_device (the server does not use TLS 1.3 or HTTP) and own_fault. Thread-bound. Move-only.
class HttpsConnection {
 public:
  static constexpr std::size_t max_answer = 64U << 10;

  [[nodiscard]] static ClientResult<HttpsConnection> connect(const protocol::HostPort& at,
                                                             const ClientTimeouts& timeout = {});
  HttpsConnection(HttpsConnection&&) noexcept;
  HttpsConnection& operator=(HttpsConnection&&) noexcept;
  ~HttpsConnection();

  /// The keying material that this end of the connection exports (protocol::pairing_exporter_label).
  [[nodiscard]] ClientResult<protocol::ChannelBinding> channel() const;
  /// After a failure, the connection cannot be used again.
  [[nodiscard]] ClientResult<HttpReply> request(HttpRequest request);

 private:
  struct State;
  explicit HttpsConnection(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam::pairing
