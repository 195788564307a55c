// SPDX-License-Identifier: Apache-2.0
#include "pairing/endpoint.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "core/config.hpp"
#include "pairing/base64url.hpp"
#include "protocol/roster.hpp"
#include "transport/certificate.hpp"

namespace sealcam::pairing {

using Json = nlohmann::ordered_json;
using protocol::PairingCode;
using protocol::PairingEnrolment;

namespace {

Reply malformed(std::string_view why) { return refusal(400, "malformed", why); }

/// The one member of a body, {"name": "base64url"}.
std::expected<Bytes, Reply> read_message(std::string_view body, std::string_view member) {
  ConfigReader reader(body);
  const auto text = reader.required_text(std::format("/{}", member));
  if (const auto wrong = reader.finish()) return std::unexpected(malformed(*wrong));
  auto bytes = from_base64url(text);
  if (!bytes) return std::unexpected(malformed(bytes.error().what));
  return std::move(*bytes);
}

/// Why a signed message is refused.
Reply refuse_message(const Error& error) {
  switch (error.code) {
    case Errc::wrong_key:
      return refusal(403, "channel", "the message was made for another connection or signed in another name");
    case Errc::bad_signature: return refusal(403, "signature", "the signature does not match");
    case Errc::malformed:
    case Errc::unsupported: return malformed(error.what);
    default: return refusal(500, "internal", "the device cannot check signatures");
  }
}

/// Why the contents of an enrolment are not what this device needs; nothing when they are.
std::optional<std::string_view> contradiction(const PairingEnrolment& message, const Endpoint::Device& device,
                                              const crypto::Verifier& owner) {
  const auto id = device.keys.identity.id();
  const auto name = transport::certificate_name(message.certificate_pem);
  const auto key = transport::certificate_key(message.certificate_pem);
  if (!name || !key) return "the certificate cannot be read";
  if (*name != id.to_string()) return "the certificate is another device's";
  if (!equal(*key, device.tls_key)) return "the certificate is not about this device's TLS key";
  if (!transport::check_certificate(message.ca_pem, message.certificate_pem))
    return "the certificate is not signed by the authority that comes with it";
  if (device.role != protocol::Role::camera)
    return message.roster ? std::optional<std::string_view>("only cameras have rosters") : std::nullopt;
  if (!message.roster) return "a camera needs its roster";
  const auto roster = protocol::decode_roster(*message.roster, {owner.key().account(), id}, owner);
  if (!roster) return "the roster is not valid, or not by the owner who claimed";
  if (roster->camera_identity != device.keys.identity.public_key() ||
      roster->camera_hpke != device.keys.hpke.public_key())
    return "the roster is about other keys than this device's";
  return std::nullopt;
}

}  // namespace

Reply refusal(unsigned status, std::string_view word, std::string_view message) {
  // What a stranger sent may be in a message; it need not be UTF-8.
  const Json body{{"error", word}, {"message", message}};
  return {status, body.dump(-1, ' ', false, Json::error_handler_t::replace), false};
}

Endpoint::Endpoint(Device device, PairingCode code, const Parts& parts)
    : device_(std::move(device)), code_(std::move(code)), parts_(parts) {}

bool Endpoint::busy() const noexcept { return claimant_ != nullptr && parts_.clock.monotonic() < claimed_until_; }

Reply Endpoint::judge_code(const PairingCode& given) {
  static constexpr std::string_view closed_words =
      "too many wrong codes: pairing is closed until the device is switched off and on";
  if (closed()) return refusal(429, "closed", closed_words);
  if (code_.matches(given)) return {};
  // Durable before it is answered: whoever cuts the power at the right moment has a new code to guess.
  const auto counted = parts_.tries.count();
  parts_.log.warning("pairing: a wrong code, {} of {}", parts_.tries.used(), max_tries);
  if (!counted) {
    parts_.log.error("pairing: wrong codes cannot be counted: {}", to_string(counted.error()));
    return refusal(500, "storage", "the device cannot count wrong codes");
  }
  const auto left = max_tries - std::min(parts_.tries.used(), max_tries);
  if (left == 0) parts_.log.warning("pairing: closed until the device is switched off and on");
  const Json body{{"error", "code"},
                  {"message", left == 0 ? std::string(closed_words) : std::format("wrong code, {} tries left", left)},
                  {"tries_left", left}};
  return {403, body.dump(), false};
}

Endpoint::Conversation::~Conversation() {
  if (endpoint_.claimant_ == this) endpoint_.claimant_ = nullptr;
}

bool Endpoint::Conversation::has_claim() const noexcept { return endpoint_.claimant_ == this && endpoint_.busy(); }

Reply Endpoint::Conversation::answer(std::string_view method, std::string_view target, std::string_view body) {
  Reply reply = method == "POST" ? say(target, body) : refusal(405, "method", "only POST is answered here");
  if (!reply.go_on) step_ = Step::ended;
  if (reply.status >= 400 && endpoint_.refusals_.allow(endpoint_.parts_.clock.monotonic()))
    endpoint_.parts_.log.info("pairing: a request was refused with {}", reply.status);
  return reply;
}

Reply Endpoint::Conversation::say(std::string_view target, std::string_view body) {
  static constexpr std::array<std::pair<std::string_view, Step>, 3> steps = {
      {{"/pairing/1/hello", Step::hello}, {"/pairing/1/claim", Step::claim}, {"/pairing/1/enrol", Step::enrol}}};
  const auto wanted = std::ranges::find(steps, target, &std::pair<std::string_view, Step>::first);
  if (wanted == steps.end()) return refusal(404, "not_found", "nothing is here");
  if (wanted->second != step_) return refusal(409, "order", "hello, claim and enrol come once each and in this order");
  if (endpoint_.paired_) return refusal(409, "paired", "this device is somebody's already");
  switch (step_) {
    case Step::hello: return hello(body);
    case Step::claim: return claim(body);
    default: return enrol(body);
  }
}

Reply Endpoint::Conversation::hello(std::string_view body) {
  ConfigReader reader(body);
  if (const auto wrong = reader.finish()) return malformed(*wrong);
  const auto& device = endpoint_.device_;
  const auto proof = protocol::encode_pairing_proof(channel_, device.keys.identity);
  if (!proof) return refusal(500, "internal", "the device cannot sign");
  step_ = Step::claim;
  const Json reply{{"card", to_base64url(device.card)},
                   {"proof", to_base64url(*proof)},
                   {"version", device.version},
                   {"model", device.model}};
  return {.body = reply.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Reply Endpoint::Conversation::claim(std::string_view body) {
  auto message = read_message(body, "claim");
  if (!message) return std::move(message.error());
  const auto id = endpoint_.device_.keys.identity.id();
  const auto claim = protocol::decode_pairing_claim(*message, channel_, id);
  wipe(*message);
  if (!claim) return refuse_message(claim.error());
  // Before the code is looked at: a second owner neither learns whether it is right nor uses up a try.
  if (endpoint_.busy()) return refusal(409, "busy", "somebody else is pairing with this device; try again in a minute");
  if (Reply judged = endpoint_.judge_code(claim->code); judged.status != 200) return judged;
  auto owner = crypto::Verifier::open(claim->owner);
  if (!owner) return refuse_message(owner.error());
  owner_ = std::move(*owner);
  endpoint_.claimant_ = this;
  endpoint_.claimed_until_ = endpoint_.parts_.clock.monotonic() + claim_time;
  endpoint_.parts_.log.info("pairing: claimed by account {}", claim->owner.account().to_string());
  step_ = Step::enrol;
  return {.body = Json{{"request", endpoint_.device_.request_pem}}.dump()};
}

Reply Endpoint::Conversation::enrol(std::string_view body) {
  if (!has_claim()) return refusal(409, "expired", "the claim's time is over; begin again");
  auto bytes = read_message(body, "enrolment");
  if (!bytes) return std::move(bytes.error());
  const auto message =
      protocol::decode_pairing_enrolment(*bytes, channel_, endpoint_.device_.keys.identity.id(), *owner_);
  wipe(*bytes);
  if (!message) return refuse_message(message.error());
  if (const auto why = contradiction(*message, endpoint_.device_, *owner_)) return refusal(422, "enrolment", *why);
  return finish(*message);
}

Reply Endpoint::Conversation::finish(const PairingEnrolment& message) {
  const auto installed = endpoint_.parts_.installer.install({.role = endpoint_.device_.role,
                                                             .owner = owner_->key(),
                                                             .broker_host = message.broker_host,
                                                             .broker_port = message.broker_port,
                                                             .ca_pem = message.ca_pem,
                                                             .certificate_pem = message.certificate_pem,
                                                             .name = message.name},
                                                            message.roster, message.wifi);
  if (!installed && installed.error().code == Errc::exists)
    return refusal(409, "paired", "this device is somebody's already");
  if (!installed) {
    endpoint_.parts_.log.error("pairing: {}", to_string(installed.error()));
    return refusal(500, "storage", "the device cannot store its enrolment");
  }
  endpoint_.paired_ = true;
  endpoint_.parts_.log.info("pairing: this {} now belongs to account {}", protocol::name(endpoint_.device_.role),
                            owner_->key().account().to_string());
  return {.body = R"({"paired":true})", .go_on = false};
}

}  // namespace sealcam::pairing
