// SPDX-License-Identifier: Apache-2.0
#include "pairing/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "base/format.hpp"
#include "protocol/roster.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::pairing {

using Json = nlohmann::ordered_json;
using protocol::PairingCode;
using protocol::PairingEnrollment;

namespace {

Reply malformed(std::string_view why) { return rejection(400, "malformed", why); }

/// Decodes a body that has one member, {"name": "base64url"}.
std::expected<Bytes, Reply> read_message(std::string_view body, std::string_view member) {
  ConfigReader reader(body);
  const auto text = reader.required_text(sealcam::format("/{}", member));
  if (const auto wrong = reader.finish()) return std::unexpected(malformed(*wrong));
  auto bytes = from_base64url(text);
  if (!bytes) return std::unexpected(malformed(bytes.error().what));
  return std::move(*bytes);
}

/// The reply to a signed message that was not accepted.
Reply reject_message(const Error& error) {
  switch (error.code) {
    case Errc::wrong_key:
      return rejection(403, "channel",
                       "the message belongs to another connection, or its signer is not the claimed one");
    case Errc::bad_signature: return rejection(403, "signature", "the signature does not match");
    case Errc::malformed:
    case Errc::unsupported: return malformed(error.what);
    default: return rejection(500, "internal", "the device could not check the signature; restart it and try again");
  }
}

/// The reason to reject an enrollment; nothing if it fits this device.
std::optional<std::string_view> contradiction(const PairingEnrollment& message, const Endpoint::Device& device,
                                              const crypto::Verifier& owner) {
  const auto id = device.keys.identity.id();
  const auto name = transport::certificate_name(message.certificate_pem);
  const auto key = transport::certificate_key(message.certificate_pem);
  if (!name || !key) return "the certificate is malformed";
  if (*name != id.to_string()) return "the certificate names another device";
  if (!equal(*key, device.tls_key)) return "the certificate is for another TLS key";
  if (!transport::check_certificate(message.ca_pem, message.certificate_pem))
    return "the certificate is not signed by the given authority";
  if (device.role != protocol::Role::camera)
    return message.roster ? std::optional<std::string_view>("only cameras have rosters") : std::nullopt;
  if (!message.roster) return "the roster of the camera is missing";
  const auto roster = protocol::decode_roster(*message.roster, {owner.key().account(), id}, owner);
  if (!roster) return "the roster is invalid, or another owner signed it";
  if (roster->camera_identity != device.keys.identity.public_key() ||
      roster->camera_hpke != device.keys.hpke.public_key())
    return "the roster has other keys than this device";
  return std::nullopt;
}

}  // namespace

Reply rejection(unsigned status, std::string_view word, std::string_view message) {
  // A message may quote the peer's request, which may not be UTF-8.
  const Json body{{"error", word}, {"message", message}};
  return {status, body.dump(-1, ' ', false, Json::error_handler_t::replace), false};
}

Endpoint::Endpoint(Device device, PairingCode code, const Dependencies& deps)
    : device_(std::move(device)), code_(std::move(code)), deps_(deps) {}

bool Endpoint::busy() const noexcept { return claimant_ != nullptr && deps_.clock.monotonic() < claimed_until_; }

Reply Endpoint::judge_code(const PairingCode& given) {
  static constexpr std::string_view closed_text = "too many wrong codes: switch the device off and on to pair again";
  if (closed()) return rejection(429, "closed", closed_text);
  if (code_.matches(given)) return {};
  // Durable before the reply. Otherwise an attacker could restart the program after each reply and try more codes.
  const auto counted = deps_.tries.count();
  deps_.log.warning("pairing: wrong code {} of {}", deps_.tries.used(), max_tries);
  if (!counted) {
    deps_.log.error("pairing: the number of wrong codes is not stored: {}", to_string(counted.error()));
    return rejection(500, "storage", "the device cannot store the number of wrong codes");
  }
  const auto left = max_tries - std::min(deps_.tries.used(), max_tries);
  if (left == 0) deps_.log.warning("pairing: closed after too many wrong codes; switch the device off and on");
  const Json body{
      {"error", "code"},
      {"message", left == 0 ? std::string(closed_text) : sealcam::format("wrong code, {} tries left", left)},
      {"tries_left", left}};
  return {403, body.dump(), false};
}

Endpoint::Session::~Session() {
  if (endpoint_.claimant_ == this) endpoint_.claimant_ = nullptr;
}

bool Endpoint::Session::has_claim() const noexcept { return endpoint_.claimant_ == this && endpoint_.busy(); }

Reply Endpoint::Session::answer(std::string_view method, std::string_view target, std::string_view body) {
  Reply reply = method == "POST" ? dispatch(target, body) : rejection(405, "method", "the method must be POST");
  if (!reply.go_on) step_ = Step::ended;
  if (reply.status >= 400 && endpoint_.rejections_.allow(endpoint_.deps_.clock.monotonic()))
    endpoint_.deps_.log.info("pairing: a request was rejected with HTTP status {}{}", reply.status,
                             endpoint_.rejections_.note());
  return reply;
}

Reply Endpoint::Session::dispatch(std::string_view target, std::string_view body) {
  static constexpr std::array<std::pair<std::string_view, Step>, 3> steps = {
      {{"/pairing/1/hello", Step::hello}, {"/pairing/1/claim", Step::claim}, {"/pairing/1/enroll", Step::enroll}}};
  const auto requested = std::ranges::find(steps, target, &std::pair<std::string_view, Step>::first);
  if (requested == steps.end())
    return rejection(404, "not_found", "this path does not exist; use /pairing/1/hello, claim and enroll");
  if (requested->second != step_)
    return rejection(409, "order", "send hello, claim and enroll once each, in this order");
  if (endpoint_.paired_) return rejection(409, "paired", "this device is already paired");
  switch (step_) {
    case Step::hello: return hello(body);
    case Step::claim: return claim(body);
    default: return enroll(body);
  }
}

Reply Endpoint::Session::hello(std::string_view body) {
  ConfigReader reader(body);
  if (const auto wrong = reader.finish()) return malformed(*wrong);
  const auto& device = endpoint_.device_;
  const auto proof = protocol::encode_pairing_proof(channel_, device.keys.identity);
  if (!proof) return rejection(500, "internal", "the device cannot sign");
  step_ = Step::claim;
  const Json reply{{"descriptor", to_base64url(device.descriptor)},
                   {"proof", to_base64url(*proof)},
                   {"version", device.version},
                   {"model", device.model}};
  return {.body = reply.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Reply Endpoint::Session::claim(std::string_view body) {
  auto message = read_message(body, "claim");
  if (!message) return std::move(message.error());
  const auto id = endpoint_.device_.keys.identity.id();
  const auto claim = protocol::decode_pairing_claim(*message, channel_, id);
  wipe(*message);
  if (!claim) return reject_message(claim.error());
  // Before the check of the code. A second owner therefore cannot test codes, and does not use up a try.
  if (endpoint_.busy())
    return rejection(409, "busy", "another owner is pairing with this device; try again in a minute");
  if (Reply judged = endpoint_.judge_code(claim->code); judged.status != 200) return judged;
  auto owner = crypto::Verifier::open(claim->owner);
  if (!owner) return reject_message(owner.error());
  owner_ = std::move(*owner);
  endpoint_.claimant_ = this;
  endpoint_.claimed_until_ = endpoint_.deps_.clock.monotonic() + claim_time;
  endpoint_.deps_.log.info("pairing: claimed by account {}", claim->owner.account().to_string());
  step_ = Step::enroll;
  return {.body = Json{{"request", endpoint_.device_.request_pem}}.dump()};
}

Reply Endpoint::Session::enroll(std::string_view body) {
  if (!has_claim()) return rejection(409, "expired", "the claim has expired; pair again");
  auto bytes = read_message(body, "enrollment");
  if (!bytes) return std::move(bytes.error());
  const auto message =
      protocol::decode_pairing_enrollment(*bytes, channel_, endpoint_.device_.keys.identity.id(), *owner_);
  wipe(*bytes);
  if (!message) return reject_message(message.error());
  if (const auto why = contradiction(*message, endpoint_.device_, *owner_)) return rejection(422, "enrollment", *why);
  return finish(*message);
}

Reply Endpoint::Session::finish(const PairingEnrollment& message) {
  const auto installed = endpoint_.deps_.installer.install({.role = endpoint_.device_.role,
                                                            .owner = owner_->key(),
                                                            .broker_host = message.broker_host,
                                                            .broker_port = message.broker_port,
                                                            .ca_pem = message.ca_pem,
                                                            .certificate_pem = message.certificate_pem,
                                                            .name = message.name},
                                                           message.roster, message.wifi);
  if (!installed && installed.error().code == Errc::exists)
    return rejection(409, "paired", "this device is already paired");
  if (!installed) {
    endpoint_.deps_.log.error("pairing: {}", to_string(installed.error()));
    return rejection(500, "storage", "the device cannot store its enrollment");
  }
  endpoint_.paired_ = true;
  endpoint_.deps_.log.info("pairing: this {} is now paired with account {}", protocol::name(endpoint_.device_.role),
                           owner_->key().account().to_string());
  return {.body = R"({"paired":true})", .go_on = false};
}

namespace {

constexpr std::size_t max_file = 256;
constexpr std::size_t boot_id_size = 36;  // a UUID

/// Parses "<boot id> <number>\n". Nothing if the text has another form.
std::optional<std::pair<std::string_view, unsigned>> parse(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || !text.ends_with('\n')) return std::nullopt;
  unsigned used = 0;
  const char* const last = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data() + space + 1, last, used);
  if (error != std::errc() || end != last) return std::nullopt;
  return std::pair(text.substr(0, space), used);
}

}  // namespace

Result<FileTryCounter> FileTryCounter::open(std::filesystem::path file, std::string boot) {
  const auto content = read_file(file, max_file);
  if (!content && content.error().code == Errc::not_found) return FileTryCounter(std::move(file), std::move(boot), 0);
  if (!content && content.error().code != Errc::exhausted) return std::unexpected(content.error());
  const auto before = content ? parse(as_text(*content)) : std::nullopt;
  if (before) {
    const unsigned used = before->first == boot ? before->second : 0;
    return FileTryCounter(std::move(file), std::move(boot), used);
  }
  // Damage gives no new tries in this boot. Writing the file now lets the next boot start with a good one.
  FileTryCounter counter(std::move(file), std::move(boot), damaged);
  if (auto r = counter.store(); !r) return std::unexpected(r.error());
  return counter;
}

Result<> FileTryCounter::do_count() {
  ++used_;
  return store();
}

Result<> FileTryCounter::store() const {
  const auto text = sealcam::format("{} {}\n", boot_, used_);
  return write_file_durably(file_, as_bytes(text));
}

Result<std::string> boot_id() {
  const auto content = read_file("/proc/sys/kernel/random/boot_id", max_file);
  if (!content) return std::unexpected(content.error());
  std::string id(as_text(*content));
  while (id.ends_with('\n')) id.pop_back();
  const bool is_uuid = id.size() == boot_id_size && std::ranges::all_of(id, [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
                       });
  if (!is_uuid) return fail(Errc::malformed, "/proc/sys/kernel/random/boot_id is not a UUID");
  return id;
}

}  // namespace sealcam::pairing
