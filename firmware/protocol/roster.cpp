// SPDX-License-Identifier: Apache-2.0
#include "protocol/roster.hpp"

#include <algorithm>
#include <array>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"
#include "protocol/software_report.hpp"

namespace sealcam::protocol {

// The entry of the software report in grants: no KEM, and an enc that has the smallest size.
static constexpr std::uint64_t software_kem = 0;
static constexpr std::array software_enc{std::byte{0}};

Result<Bytes> encode_index(CameraIndex index, const AccountId& account, const DeviceId& hub,
                           const crypto::SigningKey& owner) {
  std::ranges::sort(index.cameras);
  index.cameras.erase(std::ranges::unique(index.cameras).begin(), index.cameras.end());
  if (index.cameras.size() > CameraIndex::max_cameras)
    return fail(Errc::invalid_argument, "a hub's index has more than 1024 cameras");
  crypto::CborWriter writer;
  writer.map(2).integer(1).unsigned_integer(index.version.value()).integer(2).array(index.cameras.size());
  for (const DeviceId& camera : index.cameras) writer.bytes(camera.bytes());
  return sign_message(MessageName::index, {account, hub}, owner, writer.view());
}

Result<CameraIndex> decode_index(ByteView message, const AccountId& account, const DeviceId& hub,
                                 const crypto::Verifier& owner) {
  const auto payload = verify_message(MessageName::index, {account, hub}, owner, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  CameraIndex index;
  if (auto r = reader.map(2); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 1, index.version); !r) return std::unexpected(r.error());
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count > CameraIndex::max_cameras) return fail(Errc::malformed, "too many cameras in a hub's index");
  for (std::size_t i = 0; i < *count; ++i) {
    const auto bytes = reader.bytes(DeviceId::size);
    if (!bytes) return std::unexpected(bytes.error());
    const DeviceId camera(bytes->first<DeviceId::size>());
    if (i > 0 && camera <= index.cameras.back()) return fail(Errc::malformed, "cameras of an index are not in order");
    index.cameras.push_back(camera);
  }
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return index;
}

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

namespace hpke = crypto::hpke;
namespace sframe = crypto::sframe;

namespace {

constexpr std::size_t max_name = 64;

Result<> write_grant(crypto::CborWriter& writer, const GrantsInput& input, const Route& route, const RosterHub& hub,
                     ByteView plaintext) {
  const DeviceId id = hub.identity.id();
  const auto newest = input.prekey ? input.prekey(id) : std::nullopt;
  const Prekey key = newest.value_or(Prekey{PrekeyNumber(), hub.hpke});
  const auto sealed = hpke::seal(key.key, grant_info(route, id, input.epoch, key.number), plaintext);
  if (!sealed) return std::unexpected(sealed.error());
  writer.bytes(id.bytes()).array(4).unsigned_integer(kem_p256).unsigned_integer(key.number.value());
  writer.bytes(sealed->enc).bytes(sealed->ciphertext);
  return {};
}

/// The entry with the id of the camera.
Result<> write_software(crypto::CborWriter& writer, const GrantsInput& input, const Route& route) {
  const auto sealed = seal_software_report(*input.software, route, input.epoch, input.suite, input.content.base_key);
  if (!sealed) return std::unexpected(sealed.error());
  writer.bytes(route.camera.bytes()).array(4).unsigned_integer(software_kem).unsigned_integer(0);
  writer.bytes(software_enc).bytes(*sealed);
  return {};
}

Result<> write_grants(crypto::CborWriter& writer, const GrantsInput& input, const Route& route) {
  std::vector<const RosterHub*> hubs;
  for (const RosterHub& hub : input.roster.hubs)
    if (input.roster.active(hub.identity.id()) != nullptr) hubs.push_back(&hub);
  crypto::CborWriter secret;
  secret.map(2).integer(1).bytes(input.content.base_key.reveal().first(sframe::key_size(input.suite)));
  secret.integer(2).text(input.content.camera_name);
  Bytes plaintext = secret.take();
  const bool reports = input.software != nullptr && hubs.size() < Roster::max_hubs;
  writer.integer(6).map(hubs.size() + std::size_t{reports});
  Result<> result;
  // The entry of the camera is between those of the hubs, because the ids are ascending.
  bool due = reports;
  for (const RosterHub* hub : hubs) {
    if (result && due && route.camera < hub->identity.id()) {
      result = write_software(writer, input, route);
      due = false;
    }
    if (result) result = write_grant(writer, input, route, *hub, plaintext);
  }
  if (result && due) result = write_software(writer, input, route);
  wipe(plaintext);
  return result;
}

}  // namespace

Bytes grant_info(const Route& route, const DeviceId& hub, Epoch epoch, PrekeyNumber key) {
  crypto::CborWriter writer;
  writer.array(6).text("sealcam/1 grant").bytes(route.account.bytes()).bytes(route.camera.bytes());
  writer.bytes(hub.bytes()).unsigned_integer(epoch.value()).unsigned_integer(key.value());
  return writer.take();
}

Result<Bytes> encode_grants(const GrantsInput& input, const Route& route, const crypto::SigningKey& camera) {
  if (input.command == CommandSeq()) return fail(Errc::invalid_argument, "command has no number");
  if (input.content.camera_name.size() > max_name) return fail(Errc::invalid_argument, "camera's name is too long");
  SC_ASSERT(sframe::key_size(input.suite) > 0);
  crypto::CborWriter writer;
  writer.map(6U + (input.command ? 1U : 0U) + (input.wifi ? 1U : 0U) + (input.not_stored ? 1U : 0U));
  writer.integer(1).unsigned_integer(input.epoch.value()).integer(2).integer(static_cast<int>(input.suite));
  writer.integer(3).unsigned_integer(input.roster.version.value()).integer(4).bytes(input.roster_hash);
  writer.integer(5).integer(input.created.since_epoch.count());
  if (auto r = write_grants(writer, input, route); !r) return std::unexpected(r.error());
  if (input.command) writer.integer(7).unsigned_integer(input.command->value());
  if (input.wifi) writer.integer(8).integer(static_cast<int>(*input.wifi));
  if (input.not_stored) writer.integer(9).boolean(true);
  return sign_message(MessageName::grants, route, camera, writer.view());
}

static Result<Grant> read_grant(crypto::CborReader& reader) {
  Grant grant;
  const auto id = reader.bytes(DeviceId::size);
  if (!id) return std::unexpected(id.error());
  grant.hub = DeviceId(id->first<DeviceId::size>());
  if (auto r = reader.array(4); !r) return std::unexpected(r.error());
  const auto kem = reader.unsigned_integer();
  if (!kem) return std::unexpected(kem.error());
  grant.kem = *kem;
  const auto key = reader.unsigned_integer();
  if (!key) return std::unexpected(key.error());
  grant.key = PrekeyNumber(*key);
  const auto enc = reader.bytes();
  if (!enc) return std::unexpected(enc.error());
  const auto ciphertext = reader.bytes();
  if (!ciphertext) return std::unexpected(ciphertext.error());
  if (enc->empty() || enc->size() > Grant::max_enc || ciphertext->size() > Grant::max_ciphertext)
    return fail(Errc::malformed, "grant has a part of a wrong size");
  grant.enc.assign(enc->begin(), enc->end());
  grant.ciphertext.assign(ciphertext->begin(), ciphertext->end());
  return grant;
}

static Result<> read_grants(crypto::CborReader& reader, std::vector<Grant>& grants) {
  const auto count = reader.map();
  if (!count) return std::unexpected(count.error());
  if (*count > Roster::max_hubs) return fail(Errc::malformed, "too many grants");
  for (std::size_t i = 0; i < *count; ++i) {
    auto grant = read_grant(reader);
    if (!grant) return std::unexpected(grant.error());
    if (i > 0 && grant->hub <= grants.back().hub) return fail(Errc::malformed, "grants are not in order");
    grants.push_back(std::move(*grant));
  }
  return {};
}

/// The entry with the id of the camera is no grant. A newer camera may use it in another way.
static void take_software(Grants& grants, const DeviceId& camera) {
  const auto it = std::ranges::find(grants.grants, camera, &Grant::hub);
  if (it == grants.grants.end()) return;
  if (it->kem == software_kem && it->key == PrekeyNumber() && equal(it->enc, software_enc))
    grants.software = std::move(it->ciphertext);
  grants.grants.erase(it);
}

/// The optional field `key`.
static Result<> read_field(crypto::CborReader& reader, std::int64_t key, Grants& grants) {
  if (key == 9) {
    const auto value = reader.boolean();
    if (!value) return std::unexpected(value.error());
    if (!*value) return fail(Errc::malformed, "flag is present but false");
    grants.not_stored = true;
    return {};
  }
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  if (*value == 0) return fail(Errc::malformed, key == 7 ? "command has no number" : "Wi-Fi fault has no number");
  if (key == 7) {
    grants.command = CommandSeq(*value);
    return {};
  }
  // Newer cameras may report other faults.
  if (*value > 255) return fail(Errc::malformed, "Wi-Fi fault is out of range");
  grants.wifi = static_cast<WifiFault>(std::min<std::uint64_t>(*value, static_cast<int>(WifiFault::other)));
  return {};
}

static Result<> read_more(crypto::CborReader& reader, std::size_t pairs, Grants& grants) {
  for (std::int64_t last = 6; pairs > 0; --pairs) {
    const auto key = reader.integer();
    if (!key) return std::unexpected(key.error());
    if (*key <= last || *key > 9) return fail(Errc::malformed, "grants have unknown or missing fields");
    last = *key;
    if (auto r = read_field(reader, last, grants); !r) return r;
  }
  return {};
}

Result<Grants> decode_grants(ByteView message, const Route& route, const crypto::Verifier& camera) {
  const auto payload = verify_message(MessageName::grants, route, camera, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Grants grants;
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 6 || *pairs > 9) return fail(Errc::malformed, "grants have unknown or missing fields");
  if (auto r = read_number(reader, 1, grants.epoch); !r) return std::unexpected(r.error());
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto suite = reader.unsigned_integer();
  if (!suite) return std::unexpected(suite.error());
  if (*suite != 4 && *suite != 5) return fail(Errc::unsupported, "cipher suite of grants");
  grants.suite = static_cast<sframe::CipherSuite>(*suite);
  if (auto r = read_number(reader, 3, grants.roster_version); !r) return std::unexpected(r.error());
  if (auto r = read_digest(reader, 4, grants.roster_hash); !r) return std::unexpected(r.error());
  if (auto r = read_time(reader, 5, grants.created); !r) return std::unexpected(r.error());
  if (auto r = reader.key(6); !r) return std::unexpected(r.error());
  if (auto r = read_grants(reader, grants.grants); !r) return std::unexpected(r.error());
  take_software(grants, route.camera);
  if (auto r = read_more(reader, *pairs - 6, grants); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return grants;
}

static Result<GrantContent> parse_content(ByteView plaintext, sframe::CipherSuite suite) {
  crypto::CborReader reader(plaintext);
  GrantContent content;
  if (auto r = reader.map(2); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto key = reader.bytes(sframe::key_size(suite));
  if (!key) return std::unexpected(key.error());
  std::ranges::copy(*key, content.base_key.fill().begin());
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto name = reader.text();
  if (!name) return std::unexpected(name.error());
  if (name->size() > max_name) return fail(Errc::malformed, "camera's name is too long");
  content.camera_name = *name;
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return content;
}

Result<GrantContent> open_grant(const Grants& grants, const Route& route, const DeviceId& hub, const GrantKeys& keys) {
  const auto it = std::ranges::find(grants.grants, hub, &Grant::hub);
  if (it == grants.grants.end()) return fail(Errc::not_found, "no grant for this hub");
  if (it->kem != kem_p256) return fail(Errc::not_decryptable, "the grant uses an unknown KEM");
  const auto* key = keys(it->key);
  if (key == nullptr) return fail(Errc::not_decryptable, "the grant is for a key that this hub does not have");
  hpke::Enc enc;
  if (it->enc.size() != enc.size()) return fail(Errc::not_decryptable, "the grant's enc is not a point");
  std::ranges::copy(it->enc, enc.begin());
  auto plaintext = hpke::open(*key, enc, grant_info(route, hub, grants.epoch, it->key), it->ciphertext);
  if (!plaintext) return std::unexpected(plaintext.error());
  auto content = parse_content(*plaintext, grants.suite);
  wipe(*plaintext);
  return content;
}

Result<GrantContent> open_grant(const Grants& grants, const Route& route, const DeviceId& hub,
                                const crypto::AgreementKey& key) {
  return open_grant(grants, route, hub, [&](PrekeyNumber number) { return number == PrekeyNumber() ? &key : nullptr; });
}

}  // namespace sealcam::protocol
