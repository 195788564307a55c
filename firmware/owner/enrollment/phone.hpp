// SPDX-License-Identifier: Apache-2.0
/// How a phone joins the account: through the mailbox of a hub that serves the app (protocol page, "Phones"). The hub
/// is not trusted. The code in the address authenticates phone and owner to each other.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "owner/account/account.hpp"
#include "owner/broker/operator.hpp"
#include "owner/enrollment/enrollment.hpp"
#include "pairing/https_connection.hpp"
#include "protocol/phone_link.hpp"

namespace sealcam::owner {

/// HTTP requests to the server of the app. Thread-bound.
class AppServer {
 public:
  virtual ~AppServer() = default;
  /// Blocks for some seconds at most. Errors: EX_UNAVAILABLE, with the reason.
  [[nodiscard]] Outcome<pairing::HttpReply> request(std::string_view method, const std::string& path, ByteView body) {
    return do_request(method, path, body);
  }

 private:
  virtual Outcome<pairing::HttpReply> do_request(std::string_view method, const std::string& path, ByteView body) = 0;
};

/// Over HTTPS, with a new connection for each request. It does not check the server's certificate, because the messages
/// are signed and have MACs.
[[nodiscard]] std::unique_ptr<AppServer> https_app_server(const protocol::HostPort& at);

/// The address of the app: https://HOST or https://HOST:PORT, also with a slash behind it. Fails with the next step.
[[nodiscard]] Outcome<protocol::HostPort> parse_app_address(std::string_view text);

struct PhoneLinkRequest {
  std::string name;
  protocol::HostPort app;
  std::shared_ptr<const Operator> broker;
};

struct PhoneLinkDependencies {
  AppServer& app;
  const Clock& clock;
  std::function<void(std::chrono::milliseconds)> pause;
  /// The address that the phone opens. It contains the code, so it is for the owner's eyes only.
  std::function<void(const std::string& address)> show;
  /// A phone with the code answered. After this call the link must not be interrupted.
  std::function<void(const DeviceId& phone)> received;
};

/// The time of a slot (R-PHONE-4).
inline constexpr std::chrono::minutes link_time{10};

/// Links one phone. Blocks until a phone answers, for `link_time` at most. The account is changed only after a phone
/// with the code answered. If a later step fails, access and record are removed again. After a power cut the record is
/// `unfinished`. Rosters are renewed, but not published.
[[nodiscard]] Outcome<Enrolled> link_phone(Account& account, const PhoneLinkRequest& request,
                                           const PhoneLinkDependencies& deps);

}  // namespace sealcam::owner
