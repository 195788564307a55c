// SPDX-License-Identifier: Apache-2.0
#include "owner/enrollment/enrollment.hpp"

#include "base/format.hpp"
#include "pairing/client.hpp"

namespace sealcam::owner {

using pairing::ClientFailure;
using Kind = ClientFailure::Kind;

namespace {

enum class Step { before_code, code, after_code };

std::string_view command_for(protocol::Role role) {
  return role == protocol::Role::camera ? "sealcam camera pair" : "sealcam hub link";
}

Failure code_failure(const ClientFailure& why) {
  if (why.kind == Kind::closed || why.tries_left == 0)
    return {EX_NOPERM,
            "the device rejects all codes after too many wrong codes; switch it off and on, then use the new "
            "pairing string"};
  return {EX_NOPERM, sealcam::format("the pairing code is wrong, and {} {} left; the code changes at each start of the "
                                     "device, so read the pairing string again",
                                     why.tries_left, why.tries_left == 1 ? "try is" : "tries are")};
}

Failure connection_failure(const ClientFailure& why, const std::string& address, Step step, protocol::Role role) {
  if (step == Step::after_code)
    return {EX_UNAVAILABLE,
            sealcam::format("the device did not confirm the pairing: {}; check it with 'sealcam {} list', and pair "
                            "again if the device still shows a pairing string",
                            why.text, protocol::name(role))};
  if (why.kind == Kind::not_a_device)
    return {EX_PROTOCOL, sealcam::format("the answer from {} is not that of an unpaired device: {}; check the address, "
                                         "or give another one with --at HOST:PORT",
                                         address, why.text)};
  return {EX_UNAVAILABLE,
          sealcam::format("cannot reach the device at {}: {}; check that it is on, unpaired and in this network, or "
                          "give another address with --at HOST:PORT",
                          address, why.text)};
}

Failure relay_failure(Step step) {
  return {EX_NOPERM, sealcam::format("another machine relays the connection to the device, and {}; pair in another "
                                     "network, for example over a cable",
                                     step == Step::before_code ? "the code was not sent" : "the device rejected it")};
}

Failure explain(const ClientFailure& why, const PairRequest& request, const std::string& address, Step step) {
  switch (why.kind) {
    case Kind::wrong_code:
    case Kind::closed: return code_failure(why);
    case Kind::in_between: return relay_failure(step);
    case Kind::busy:
      return {EX_TEMPFAIL,
              "another client is pairing with the device; try again in a minute, or switch the device off "
              "if that is not your client"};
    case Kind::other_device:
      return {EX_NOPERM, sealcam::format("another device answers at {}: {}; the code was not sent, so read the pairing "
                                         "string from the device again",
                                         address, why.text)};
    case Kind::other_role:
      return {EX_USAGE, sealcam::format("the device is a {}; use '{}'", why.text,
                                        command_for(request.role == protocol::Role::camera ? protocol::Role::hub
                                                                                           : protocol::Role::camera))};
    case Kind::rejected: return {EX_CONFIG, sealcam::format("the device rejected the pairing: {}", why.text)};
    case Kind::own_fault: return {EX_SOFTWARE, why.text};
    default: return connection_failure(why, address, step, request.role);
  }
}

protocol::PairingEnrollment to_message(const EnrollmentBundle& bundle, const PairRequest& request) {
  return {.broker_host = bundle.enrollment.broker_host,
          .broker_port = bundle.enrollment.broker_port,
          .ca_pem = bundle.enrollment.ca_pem,
          .certificate_pem = bundle.enrollment.certificate_pem,
          .name = bundle.enrollment.name,
          .roster = bundle.roster,
          .wifi = request.wifi.transform(&protocol::Wifi::duplicate)};
}

const protocol::HostPort& address_of(const PairRequest& request) {
  return request.address ? *request.address : request.shown.at;
}

/// A device that proved its id and accepted the code.
struct Claimed {
  pairing::Client client;
  pairing::Introduction device;
  std::string request_pem;

  [[nodiscard]] DeviceRequest request() const { return {device.descriptor, device.signed_descriptor, request_pem}; }
};

Outcome<Claimed> claim(const Account& account, const PairRequest& request) {
  const auto& address = address_of(request);
  const auto fail_with = [&](const ClientFailure& why, Step step) {
    return std::unexpected(explain(why, request, address.to_string(), step));
  };
  auto client = pairing::Client::connect(address);
  if (!client) return fail_with(client.error(), Step::before_code);
  auto device = client->hello(request.shown.device, request.role);
  if (!device) return fail_with(device.error(), Step::before_code);
  auto csr = client->claim(request.shown.code, account.key());
  if (!csr) return fail_with(csr.error(), Step::code);
  return Claimed{std::move(*client), std::move(*device), std::move(*csr)};
}

/// The steps of pair() after prepare_enrollment().
Outcome<Enrolled> pair_prepared(Account& account, const PairRequest& request, const Clock& clock) {
  auto claimed = claim(account, request);
  if (!claimed) return std::unexpected(claimed.error());
  const auto& device = claimed->device;
  const auto bundle = make_enrollment_bundle(account, claimed->request(), request.options, clock);
  if (!bundle) return std::unexpected(bundle.error());
  const auto confirmed = claimed->client.enroll(to_message(*bundle, request), account.key());
  // After the dialog, because RabbitMQ can need longer than the device waits. Also without a confirmation, because the
  // device may have stored its enrollment.
  const auto reloaded = finish_access(*request.options.broker, *bundle);
  if (!confirmed)
    return std::unexpected(explain(confirmed.error(), request, address_of(request).to_string(), Step::after_code));
  if (!reloaded) return std::unexpected(reloaded.error());
  return Enrolled{device.descriptor.identity.id(), *reloaded, device.model, device.version};
}

}  // namespace

Outcome<DeviceRequest> request_from_device(const Account& account, const PairRequest& request) {
  if (auto r = check_enrollment_options(account, request.options, request.role, request.shown.device); !r)
    return std::unexpected(r.error());
  auto claimed = claim(account, request);
  if (!claimed) return std::unexpected(claimed.error());
  return claimed->request();
}

Outcome<Enrolled> pair(Account& account, const PairRequest& request, const Clock& clock) {
  const auto connected = prepare_enrollment(account, request.options, request.role, request.shown.device);
  if (!connected) return std::unexpected(connected.error());
  auto enrolled = pair_prepared(account, request, clock);
  // Otherwise the broker would not know this machine.
  if (!enrolled && *connected) (void)request.options.broker->apply();
  return enrolled;
}

}  // namespace sealcam::owner
