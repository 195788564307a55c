// SPDX-License-Identifier: Apache-2.0
#include "protocol/roster.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

const RosterHub* Roster::active(const DeviceId& hub) const noexcept {
  const auto it = std::ranges::find_if(hubs, [&](const RosterHub& h) { return h.identity.id() == hub; });
  if (it == hubs.end()) return nullptr;
  if (it->integration && std::ranges::contains(suspended, *it->integration)) return nullptr;
  return &*it;
}

namespace {

void write_integration(crypto::CborWriter& writer, Integration integration) {
  std::array<std::byte, 8> label;
  store_be(label, integration.value());
  writer.bytes(label);
}

Result<Integration> read_integration(crypto::CborReader& reader) {
  const auto label = reader.bytes(8);
  if (!label) return std::unexpected(label.error());
  return Integration(load_be<std::uint64_t>(*label));
}

Result<RosterHub> read_hub(crypto::CborReader& reader) {
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 2 || *pairs > 4) return fail(Errc::malformed, "roster has a malformed hub");
  RosterHub hub;
  if (auto r = read_public_key(reader, 1, hub.identity); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 2, hub.hpke); !r) return std::unexpected(r.error());
  std::size_t left = *pairs - 2;
  crypto::CborReader ahead = reader;
  if (left > 0 && ahead.key(3)) {
    reader = ahead;
    auto integration = read_integration(reader);
    if (!integration) return std::unexpected(integration.error());
    hub.integration = *integration;
    --left;
  }
  if (left == 0) return hub;
  if (auto r = read_true(reader, 4); !r) return std::unexpected(r.error());
  hub.may_switch_privacy = true;
  if (left != 1) return fail(Errc::malformed, "roster has a malformed hub");
  return hub;
}

Result<> read_hubs(crypto::CborReader& reader, std::vector<RosterHub>& hubs) {
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count > Roster::max_hubs) return fail(Errc::malformed, "too many hubs in a roster");
  DeviceId previous;
  for (std::size_t i = 0; i < *count; ++i) {
    auto hub = read_hub(reader);
    if (!hub) return std::unexpected(hub.error());
    const DeviceId id = hub->identity.id();
    if (i > 0 && id <= previous) return fail(Errc::malformed, "hubs of a roster are not in order");
    previous = id;
    hubs.push_back(*hub);
  }
  return {};
}

Result<> read_suspended(crypto::CborReader& reader, std::vector<Integration>& suspended) {
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count > Roster::max_suspended) return fail(Errc::malformed, "too many suspended integrations in a roster");
  for (std::size_t i = 0; i < *count; ++i) {
    const auto integration = read_integration(reader);
    if (!integration) return std::unexpected(integration.error());
    if (i > 0 && *integration <= suspended.back())
      return fail(Errc::malformed, "suspended integrations are not in order");
    suspended.push_back(*integration);
  }
  return {};
}

}  // namespace

Result<Bytes> encode_roster(Roster roster, const Route& route, const crypto::SigningKey& owner) {
  if (roster.hubs.size() > Roster::max_hubs || roster.suspended.size() > Roster::max_suspended)
    return fail(Errc::invalid_argument, "roster has too many entries");
  std::ranges::sort(roster.hubs, {}, [](const RosterHub& h) { return h.identity.id(); });
  const auto twice = std::ranges::adjacent_find(roster.hubs, {}, [](const RosterHub& h) { return h.identity.id(); });
  if (twice != roster.hubs.end()) return fail(Errc::invalid_argument, "roster lists a hub twice");
  std::ranges::sort(roster.suspended);
  roster.suspended.erase(std::ranges::unique(roster.suspended).begin(), roster.suspended.end());

  crypto::CborWriter writer;
  writer.map(6).integer(1).unsigned_integer(roster.version.value());
  writer.integer(2).bytes(roster.camera_identity.bytes()).integer(3).bytes(roster.camera_hpke.bytes());
  writer.integer(4).array(roster.hubs.size());
  for (const RosterHub& hub : roster.hubs) {
    writer.map(2U + (hub.integration ? 1U : 0U) + (hub.may_switch_privacy ? 1U : 0U));
    writer.integer(1).bytes(hub.identity.bytes()).integer(2).bytes(hub.hpke.bytes());
    if (hub.integration) write_integration(writer.integer(3), *hub.integration);
    if (hub.may_switch_privacy) writer.integer(4).boolean(true);
  }
  writer.integer(5).array(roster.suspended.size());
  for (Integration integration : roster.suspended) write_integration(writer, integration);
  writer.integer(6).integer(roster.issued.since_epoch.count());
  return sign_message(MessageName::roster, route, owner, writer.view());
}

Result<Roster> decode_roster(ByteView message, const Route& route, const crypto::Verifier& owner) {
  const auto payload = verify_message(MessageName::roster, route, owner, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Roster roster;
  if (auto r = reader.map(6); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 1, roster.version); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 2, roster.camera_identity); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, roster.camera_hpke); !r) return std::unexpected(r.error());
  if (auto r = reader.key(4); !r) return std::unexpected(r.error());
  if (auto r = read_hubs(reader, roster.hubs); !r) return std::unexpected(r.error());
  if (auto r = reader.key(5); !r) return std::unexpected(r.error());
  if (auto r = read_suspended(reader, roster.suspended); !r) return std::unexpected(r.error());
  if (auto r = read_time(reader, 6, roster.issued); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (roster.camera_identity.id() != route.camera) return fail(Errc::malformed, "roster has the key of another camera");
  return roster;
}

Result<crypto::Digest> roster_hash(ByteView message) {
  const auto envelope = crypto::cose::parse_sign1(message);
  if (!envelope) return std::unexpected(envelope.error());
  return crypto::sha256(envelope->payload);
}

}  // namespace sealcam::protocol
