// SPDX-License-Identifier: Apache-2.0
#include "owner/pair.hpp"

#include <format>

#include "pairing/client.hpp"

namespace sealcam::owner {

using pairing::ClientFailure;
using Kind = ClientFailure::Kind;

namespace {

enum class Step { before_code, code, after_code };

std::string_view verb(protocol::Role role) { return role == protocol::Role::camera ? "camera pair" : "hub link"; }

Failure code_failure(const ClientFailure& why) {
  static constexpr auto begin_again = "Switch the device off and on, then use the new pairing string that it shows";
  if (why.kind == Kind::closed || why.tries_left == 0)
    return {EX_NOPERM, std::format("The device takes no more codes: too many were wrong. {}", begin_again)};
  return {EX_NOPERM,
          std::format("The code is wrong; {} {} left. The code changes at each start of the device: read the "
                      "pairing string again",
                      why.tries_left, why.tries_left == 1 ? "try is" : "tries are")};
}

/// Nobody, or nobody who speaks this protocol.
Failure connection_failure(const ClientFailure& why, const std::string& at, Step step, protocol::Role role) {
  if (step == Step::after_code)
    return {EX_UNAVAILABLE,
            std::format("The device did not confirm: {}. See whether it works ('sealcam {} list'); if it "
                        "still shows a pairing string, run this command again with it",
                        why.words, protocol::name(role))};
  if (why.kind == Kind::not_a_device)
    return {EX_PROTOCOL,
            std::format("What answers at {} is no device that can be paired: {}. Check the address, or give "
                        "another with --at HOST:PORT",
                        at, why.words)};
  return {EX_UNAVAILABLE, std::format("The device cannot be reached: {}. It has to be switched on, in this network and "
                                      "nobody's yet; --at HOST:PORT gives another address",
                                      why.words)};
}

Failure in_between(Step step) {
  return {
      EX_NOPERM,
      std::format("Somebody is between this machine and the device: its proof belongs to another connection. {}. Pair "
                  "over another network, by cable for instance",
                  step == Step::before_code ? "The code was not sent" : "The device refused the claim")};
}

Failure explain(const ClientFailure& why, const PairRequest& request, const std::string& at, Step step) {
  switch (why.kind) {
    case Kind::wrong_code:
    case Kind::closed: return code_failure(why);
    case Kind::in_between: return in_between(step);
    case Kind::busy:
      return {EX_TEMPFAIL,
              "Somebody else is pairing with the device. Was it not you, switch it off; otherwise try again "
              "in a minute"};
    case Kind::other_device:
      return {EX_NOPERM, std::format("Another device answers at {}: {}. The code was not sent. Read the pairing string "
                                     "from the device's own screen again",
                                     at, why.words)};
    case Kind::other_role:
      return {EX_USAGE,
              std::format("The device is a {}. Run: sealcam {}", why.words,
                          verb(request.role == protocol::Role::camera ? protocol::Role::hub : protocol::Role::camera))};
    case Kind::refused: return {EX_CONFIG, std::format("The device refused: {}", why.words)};
    case Kind::own_fault: return {EX_SOFTWARE, why.words};
    default: return connection_failure(why, at, step, request.role);
  }
}

protocol::PairingEnrolment to_message(const Welcome& result, const PairRequest& request) {
  return {.broker_host = result.enrolment.broker_host,
          .broker_port = result.enrolment.broker_port,
          .ca_pem = result.enrolment.ca_pem,
          .certificate_pem = result.enrolment.certificate_pem,
          .name = result.enrolment.name,
          .roster = result.roster,
          .wifi = request.wifi.transform(&protocol::Wifi::duplicate)};
}

const protocol::HostPort& address_of(const PairRequest& request) {
  return request.instead ? *request.instead : request.shown.at;
}

/// A device that proved who it is, and let itself be claimed.
struct Claimed {
  pairing::Client client;
  pairing::Introduction device;
  std::string request_pem;
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

}  // namespace

Outcome<std::pair<protocol::Card, std::string>> introduce(const Account& account, const PairRequest& request) {
  if (auto r = check_terms(account, request.terms, request.role, request.shown.device); !r)
    return std::unexpected(r.error());
  auto claimed = claim(account, request);
  if (!claimed) return std::unexpected(claimed.error());
  return std::pair{claimed->device.card, std::move(claimed->request_pem)};
}

Outcome<Paired> pair(Account& account, const PairRequest& request, const Clock& clock) {
  if (auto r = prepare(account, request.terms, request.role, request.shown.device); !r)
    return std::unexpected(r.error());
  auto claimed = claim(account, request);
  if (!claimed) return std::unexpected(claimed.error());
  const auto& device = claimed->device;
  const auto result = welcome(account, device.card, claimed->request_pem, request.terms, clock);
  if (!result) return std::unexpected(result.error());
  if (auto r = claimed->client.enrol(to_message(*result, request), account.key()); !r)
    return std::unexpected(explain(r.error(), request, address_of(request).to_string(), Step::after_code));
  return Paired{{device.card.identity.id(), result->reloaded}, device.model, device.version};
}

}  // namespace sealcam::owner
