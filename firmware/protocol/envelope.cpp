// SPDX-License-Identifier: Apache-2.0
#include "protocol/envelope.hpp"

#include <array>
#include <numeric>

#include "base/format.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"

namespace sealcam::protocol {

std::string_view name(RejectReason reason) noexcept {
  switch (reason) {
    case RejectReason::not_member: return "not_member";
    case RejectReason::wrong_account: return "wrong_account";
    case RejectReason::bad_signature: return "bad_signature";
    case RejectReason::not_decryptable: return "not_decryptable";
    case RejectReason::replayed: return "replayed";
    case RejectReason::out_of_order: return "out_of_order";
    case RejectReason::closed_epoch: return "closed_epoch";
    case RejectReason::malformed: return "malformed";
    case RejectReason::cloned: return "cloned";
    case RejectReason::unknown_hub: return "unknown_hub";
    case RejectReason::other_signer: return "other_signer";
    case RejectReason::too_often: return "too_often";
    case RejectReason::wrong_epoch: return "wrong_epoch";
    case RejectReason::not_allowed: return "not_allowed";
  }
  return "unknown";
}

RejectReason to_reject_reason(const Error& error) noexcept {
  switch (error.code) {
    case Errc::wrong_key: return RejectReason::wrong_account;
    case Errc::bad_signature:
    case Errc::crypto: return RejectReason::bad_signature;
    case Errc::not_decryptable:
    case Errc::not_found: return RejectReason::not_decryptable;
    default: return RejectReason::malformed;
  }
}

std::uint64_t RejectCounts::total() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

RejectCounts& RejectCounts::operator+=(const RejectCounts& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  return *this;
}

namespace cose = crypto::cose;

std::string_view name(MessageName message) noexcept {
  switch (message) {
    case MessageName::roster: return "roster";
    case MessageName::index: return "index";
    case MessageName::command: return "command";
    case MessageName::grants: return "grants";
    case MessageName::frame: return "frame";
    case MessageName::request: return "request";
    case MessageName::status: return "status";
    case MessageName::descriptor: return "descriptor";
    case MessageName::authorization: return "authorization";
    case MessageName::pairing_proof: return "pairing-proof";
    case MessageName::pairing_claim: return "pairing-claim";
    case MessageName::enrollment: return "enrollment";
    case MessageName::receipt: return "receipt";
    case MessageName::link: return "link";
    case MessageName::phone_enrollment: return "phone-enrollment";
  }
  return "";
}

Bytes external_aad(MessageName message, const Route& route) {
  crypto::CborWriter writer;
  writer.array(4).text("sealcam/1").text(name(message)).bytes(route.account.bytes()).bytes(route.camera.bytes());
  return writer.take();
}

Bytes protected_header(const DeviceId& signer) {
  crypto::CborWriter writer;
  writer.map(2).integer(1).integer(cose::es256).integer(4).bytes(signer.bytes());
  return writer.take();
}

Result<Bytes> sign_message(MessageName message, const Route& route, const crypto::SigningKey& key, ByteView payload) {
  return cose::sign1(key, protected_header(key.id()), external_aad(message, route), payload);
}

namespace {

/// Size of the head of a byte string with `n` bytes (RFC 8949 section 3).
constexpr std::size_t string_head(std::size_t n) noexcept { return n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5; }

/// Sealcam messages have an empty unprotected header and one possible protected header for each signer. So each message
/// has one encoding, and its hash identifies it.
Result<cose::Sign1View> parse_strict(ByteView message) {
  if (message.size() > max_control_size) return fail(Errc::malformed, "control message is too large");
  auto view = cose::parse_sign1(message);
  if (!view) return view;
  const std::size_t expected = 1 + 1 + string_head(view->protected_header.size()) + view->protected_header.size() + 1 +
                               string_head(view->payload.size()) + view->payload.size() + 2 + 64;
  if (message.size() != expected) return fail(Errc::malformed, "unprotected header is not empty");
  return view;
}

}  // namespace

Result<DeviceId> claimed_signer(ByteView message) {
  auto view = parse_strict(message);
  if (!view) return std::unexpected(view.error());
  auto header = cose::parse_protected(view->protected_header);
  if (!header) return std::unexpected(header.error());
  return DeviceId::from(header->key_id);
}

Result<ByteView> verify_message(MessageName name, const Route& route, const crypto::Verifier& key, ByteView message) {
  auto view = parse_strict(message);
  if (!view) return std::unexpected(view.error());
  auto header = cose::parse_protected(view->protected_header);
  if (!header) return std::unexpected(header.error());
  if (!equal(header->key_id, key.id().bytes())) return fail(Errc::wrong_key, "message names another signer");
  if (!equal(view->protected_header, protected_header(key.id())))
    return fail(Errc::malformed, "protected header of a message");
  if (auto r = cose::verify_sign1(*view, external_aad(name, route), key); !r) return std::unexpected(r.error());
  return view->payload;
}

namespace {

constexpr std::string_view prefix = "sealcam/1/";
constexpr std::array leaves{Leaf::roster, Leaf::command, Leaf::grants, Leaf::video,
                            Leaf::still,  Leaf::past,    Leaf::status};

std::string base(const Route& route) {
  return sealcam::format("{}{}/{}/", prefix, route.account.to_string(), route.camera.to_string());
}

/// Removes the part before the next slash from `rest` and returns it.
std::string_view level(std::string_view& rest) {
  const auto slash = rest.find('/');
  const auto part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return part;
}

}  // namespace

std::string_view name(Leaf leaf) noexcept {
  switch (leaf) {
    case Leaf::roster: return "roster";
    case Leaf::command: return "command";
    case Leaf::grants: return "grants";
    case Leaf::video: return "video";
    case Leaf::still: return "still";
    case Leaf::past: return "past";
    case Leaf::status: return "status";
    case Leaf::request: return "request";
    case Leaf::index: return "index";
  }
  return "";
}

std::string topic(const Route& route, Leaf leaf) {
  SC_ASSERT(leaf != Leaf::request && leaf != Leaf::index);
  return base(route) + std::string(name(leaf));
}
std::string request_topic(const Route& route, const DeviceId& hub) {
  return base(route) + "request/" + hub.to_string();
}
std::string index_topic(const AccountId& account, const DeviceId& hub) {
  return sealcam::format("{}{}/index/{}", prefix, account.to_string(), hub.to_string());
}
std::string request_filter(const Route& route) { return base(route) + "request/+"; }
std::string account_filter(const AccountId& account, Leaf leaf) {
  return sealcam::format("{}{}/+/{}", prefix, account.to_string(), name(leaf));
}

Result<Topic> parse_topic(std::string_view text) {
  if (!text.starts_with(prefix)) return fail(Errc::malformed, "topic of another protocol");
  auto rest = text.substr(prefix.size());
  const auto account = AccountId::parse(level(rest));
  if (!account) return std::unexpected(account.error());
  const auto name_or_camera = level(rest);
  if (name_or_camera == name(Leaf::index)) {  // not an id: an id has 32 letters
    const auto hub = DeviceId::parse(rest);
    if (!hub) return std::unexpected(hub.error());
    return Topic{{*account, {}}, Leaf::index, *hub};
  }
  const auto camera = DeviceId::parse(name_or_camera);
  if (!camera) return std::unexpected(camera.error());
  Topic parsed{{*account, *camera}, Leaf::request, {}};
  for (Leaf leaf : leaves) {
    if (rest != name(leaf)) continue;
    parsed.leaf = leaf;
    return parsed;
  }
  if (!rest.starts_with("request/")) return fail(Errc::malformed, "unknown topic");
  const auto hub = DeviceId::parse(rest.substr(std::string_view("request/").size()));
  if (!hub) return std::unexpected(hub.error());
  parsed.hub = *hub;
  return parsed;
}

}  // namespace sealcam::protocol
