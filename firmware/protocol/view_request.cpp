// SPDX-License-Identifier: Apache-2.0
#include "protocol/view_request.hpp"

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

std::string_view name(RequestKind kind) noexcept {
  switch (kind) {
    case RequestKind::live: return "live";
    case RequestKind::still: return "still";
    case RequestKind::privacy_on: return "privacy-on";
    case RequestKind::privacy_off: return "privacy-off";
    case RequestKind::nonce: return "nonce";
    case RequestKind::record: return "record";
    case RequestKind::motion: return "motion";
    case RequestKind::past: return "past";
  }
  return "";
}

static bool fits(const ViewRequest& request) {
  if ((request.kind == RequestKind::past) != fits(std::span(request.past))) return false;
  if ((request.kind == RequestKind::privacy_off) != request.nonce.has_value() || request.nonce == Nonce()) return false;
  return (!request.prekey || request.prekey->number != PrekeyNumber()) &&
         (!request.receiver || request.receiver->arrival.count() >= 0);
}

Result<Bytes> encode_view_request(const ViewRequest& request, const Route& route, const crypto::SigningKey& hub) {
  if (!fits(request)) return fail(Errc::invalid_argument, "a field of the view request does not fit its kind or range");
  crypto::CborWriter writer;
  writer.map(4U + (request.nonce ? 1U : 0U) + (request.prekey ? 1U : 0U) + (request.receiver ? 1U : 0U) +
             (request.cannot_open ? 1U : 0U) + (request.past.empty() ? 0U : 1U));
  writer.integer(1).integer(static_cast<int>(request.kind)).integer(2);
  write_eight_bytes(writer, request.challenge);
  writer.integer(3).unsigned_integer(request.epoch.value()).integer(4).unsigned_integer(request.seq.value());
  if (request.nonce) write_eight_bytes(writer.integer(5), *request.nonce);
  if (const auto& prekey = request.prekey)
    writer.integer(6).array(2).unsigned_integer(prekey->number.value()).bytes(prekey->key.bytes());
  if (const auto& receiver = request.receiver) {
    writer.integer(7).array(3).unsigned_integer(receiver->counter.value());
    writer.integer(receiver->arrival.count()).unsigned_integer(receiver->received);
  }
  if (request.cannot_open) writer.integer(8).boolean(true);
  if (!request.past.empty()) write_past(writer.integer(9), request.past);
  return sign_message(MessageName::request, route, hub, writer.view());
}

/// Whether the prekey is a point of the curve. If unchecked, the request has no prekey.
enum class Points : bool { unchecked, checked };

static Result<> read_prekey(crypto::CborReader& reader, ViewRequest& request, Points points) {
  if (auto r = reader.key(6); !r) return r;
  if (auto r = reader.array(2); !r) return r;
  const auto number = reader.unsigned_integer();
  if (!number) return std::unexpected(number.error());
  if (*number == 0) return fail(Errc::malformed, "a prekey has the number of the key in the roster");
  const auto point = reader.bytes(crypto::PublicKey::size);
  if (!point) return std::unexpected(point.error());
  if (points == Points::unchecked) return {};
  auto key = crypto::PublicKey::parse(*point);
  if (!key) return std::unexpected(key.error());
  request.prekey = {PrekeyNumber(*number), *key};
  return {};
}

static Result<> read_receiver(crypto::CborReader& reader, ViewRequest& request) {
  if (auto r = reader.key(7); !r) return r;
  if (auto r = reader.array(3); !r) return r;
  const auto counter = reader.unsigned_integer();
  if (!counter) return std::unexpected(counter.error());
  const auto arrival = reader.integer();
  if (!arrival) return std::unexpected(arrival.error());
  if (*arrival < 0) return fail(Errc::malformed, "the arrival in a receiver report is negative");
  const auto received = reader.unsigned_integer();
  if (!received) return std::unexpected(received.error());
  request.receiver = {Counter(*counter), std::chrono::milliseconds(*arrival), *received};
  return {};
}

/// The optional fields. `left`: how many follow.
static Result<> read_optional(crypto::CborReader& reader, std::size_t left, ViewRequest& request, Points points) {
  const auto next_is = [&](std::int64_t key) {
    crypto::CborReader ahead = reader;
    if (left == 0 || !ahead.key(key)) return false;
    --left;
    return true;
  };
  if (next_is(5))
    if (auto r = read_eight_bytes(reader, 5, request.nonce.emplace()); !r) return r;
  if (next_is(6))
    if (auto r = read_prekey(reader, request, points); !r) return r;
  if (next_is(7))
    if (auto r = read_receiver(reader, request); !r) return r;
  request.cannot_open = next_is(8);
  if (request.cannot_open)
    if (auto r = read_true(reader, 8); !r) return r;
  if (next_is(9)) {
    if (auto r = reader.key(9); !r) return r;
    if (auto r = read_past(reader, request.past); !r) return r;
  }
  if (left > 0) return fail(Errc::malformed, "view request has unknown fields");
  return reader.finish();
}

static Result<ViewRequest> parse_view_request(ByteView payload, Points points) {
  crypto::CborReader reader(payload);
  ViewRequest request;
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 4) return fail(Errc::malformed, "view request lacks fields");
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto kind = reader.unsigned_integer();
  if (!kind) return std::unexpected(kind.error());
  if (*kind < 1 || *kind > 8) return fail(Errc::malformed, "unknown kind of view request");
  request.kind = static_cast<RequestKind>(*kind);
  if (auto r = read_eight_bytes(reader, 2, request.challenge); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 3, request.epoch); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 4, request.seq); !r) return std::unexpected(r.error());
  if (auto r = read_optional(reader, *pairs - 4, request, points); !r) return std::unexpected(r.error());
  if (!fits(request)) return fail(Errc::malformed, "a nonce or ranges of frames do not fit the kind of view request");
  return request;
}

Result<ViewRequest> claimed_view_request(ByteView message) {
  const auto parts = crypto::cose::parse_sign1(message);
  if (!parts) return std::unexpected(parts.error());
  return parse_view_request(parts->payload, Points::unchecked);
}

Result<ViewRequest> decode_view_request(ByteView message, const Route& route, const crypto::Verifier& hub) {
  const auto payload = verify_message(MessageName::request, route, hub, message);
  if (!payload) return std::unexpected(payload.error());
  return parse_view_request(*payload, Points::checked);
}

}  // namespace sealcam::protocol
