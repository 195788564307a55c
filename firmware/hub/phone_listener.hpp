// SPDX-License-Identifier: Apache-2.0
/// The listener for phones as the settings describe it: reads the app, the certificate and its key once, and opens the
/// server. Thread-bound to the network thread.
#pragma once

#include <memory>
#include <optional>

#include "base/log.hpp"
#include "device/enrollment.hpp"
#include "hub/app.hpp"
#include "hub/phone/phone_server.hpp"

namespace sealcam::hub {

class PhoneListener {
 public:
  /// The log has a warning each day when the certificate is valid for less than this.
  static constexpr std::chrono::days warning_time{30};
  static constexpr std::size_t max_pem = std::size_t{64} << 10;

  /// All references outlive the listener. Only the owner of `enrollment` opens the mailbox. Errors: those of
  /// phone::AppFiles::read(), TlsContext::make_web_server() and phone::PhoneServer::open(), each with its place.
  [[nodiscard]] static Result<std::unique_ptr<PhoneListener>> open(boost::asio::io_context& io,
                                                                   const PhoneSettings& settings,
                                                                   const device::Enrollment& enrollment,
                                                                   const Clock& clock, Log& log);
  PhoneListener(const PhoneListener&) = delete;
  PhoneListener& operator=(const PhoneListener&) = delete;

  /// Checks how long the certificate is valid. Call it regularly.
  void tick();
  void stop() { server_->stop(); }
  [[nodiscard]] phone::PhoneServer::Address address() const { return server_->address(); }

 private:
  PhoneListener(phone::AppFiles files, const device::Enrollment& enrollment, CaptureTime certificate_end,
                const Clock& clock, Log& log);

  const Clock& clock_;
  Log& log_;
  CaptureTime certificate_end_;
  std::optional<BootTime> checked_;
  phone::Mailbox mailbox_;
  phone::Site site_;
  std::unique_ptr<phone::PhoneServer> server_;  ///< its connections use the site
};

}  // namespace sealcam::hub
