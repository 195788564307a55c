// SPDX-License-Identifier: Apache-2.0
#include "hub/phone_listener.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::hub {
namespace {

/// A PEM text that is wiped, because it may be a key.
struct WipedText {
  Bytes bytes;
  WipedText() = default;
  WipedText(WipedText&&) noexcept = default;
  WipedText& operator=(WipedText&&) = delete;
  ~WipedText() { wipe(bytes); }
};

Result<WipedText> read_pem(const std::filesystem::path& path) {
  auto content = read_file(path, PhoneListener::max_pem);
  if (!content) return std::unexpected(content.error());
  WipedText text;
  text.bytes = std::move(*content);
  return text;
}

std::string broker_source(const PhoneSettings& settings, const device::Enrollment& enrollment) {
  static constexpr std::string_view scheme = "wss://";
  if (settings.broker.empty()) return phone::policy_source(enrollment.broker_host, "");
  const auto at = protocol::HostPort::parse(std::string_view(settings.broker).substr(scheme.size()));
  return at ? phone::policy_source(at->host, sealcam::format("{}", at->port)) : phone::policy_source("", "");
}

}  // namespace

PhoneListener::PhoneListener(phone::AppFiles files, const device::Enrollment& enrollment, CaptureTime certificate_end,
                             const Clock& clock, Log& log)
    : clock_(clock),
      log_(log),
      certificate_end_(certificate_end),
      mailbox_(enrollment.owner, clock),
      site_(std::move(files), mailbox_) {}

Result<std::unique_ptr<PhoneListener>> PhoneListener::open(boost::asio::io_context& io, const PhoneSettings& settings,
                                                           const device::Enrollment& enrollment, const Clock& clock,
                                                           Log& log) {
  auto files = phone::AppFiles::read(settings.folder, broker_source(settings, enrollment));
  if (!files) return std::unexpected(files.error());
  const auto certificate = read_pem(settings.certificate), key = read_pem(settings.key);
  if (!certificate) return std::unexpected(certificate.error());
  if (!key) return std::unexpected(key.error());
  const auto place = [&](const Error& error) { return std::unexpected(located(error, settings.certificate.native())); };
  auto tls = transport::TlsContext::make_web_server(as_text(certificate->bytes), key->bytes);
  if (!tls) return place(tls.error());
  const auto end = transport::certificate_end(as_text(certificate->bytes));
  if (!end) return place(end.error());

  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(settings.address, ec);
  if (ec) return fail(Errc::invalid_argument, "the address /app/listen of hub.json is not numeric");
  auto listener = std::unique_ptr<PhoneListener>(new PhoneListener(std::move(*files), enrollment, *end, clock, log));
  auto server = phone::PhoneServer::open(io, {address, settings.port}, std::move(*tls), listener->site_, clock, log);
  if (!server) return std::unexpected(server.error());
  listener->server_ = std::move(*server);
  const auto bound = listener->address();
  log.info("phones can load the app at port {} of {}", bound.port(), bound.address().to_string());
  listener->tick();
  return listener;
}

void PhoneListener::tick() {
  const auto now = clock_.boot();
  if (checked_ && now - *checked_ < std::chrono::days(1)) return;
  checked_ = now;
  const auto wall = clock_.wall();
  if (!is_plausible(wall)) return;
  const auto left = std::chrono::floor<std::chrono::days>(certificate_end_.since_epoch - wall.since_epoch);
  if (left >= warning_time) return;
  log_.warning(
      "the certificate for phones {}: renew it, for example with 'sealcam-hub certificate', and restart the hub",
      left.count() < 0 ? std::string("is no longer valid")
                       : sealcam::format("is valid for {} more days", left.count()));
}

}  // namespace sealcam::hub
