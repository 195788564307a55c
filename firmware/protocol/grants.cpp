// SPDX-License-Identifier: Apache-2.0
#include "protocol/grants.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

namespace hpke = crypto::hpke;
namespace sframe = crypto::sframe;

static constexpr std::size_t max_name = 64;

Bytes grant_info(const Route& route, const DeviceId& hub, Epoch epoch) {
  crypto::CborWriter writer;
  writer.array(5).text("sealcam/1 grant").bytes(route.account.bytes()).bytes(route.camera.bytes());
  writer.bytes(hub.bytes()).unsigned_integer(epoch.value());
  return writer.take();
}

Result<Bytes> encode_grants(const Roster& roster, const crypto::Digest& roster_hash, Epoch epoch,
                            sframe::CipherSuite suite, const GrantContent& content, CaptureTime created,
                            const Route& route, const crypto::SigningKey& camera, std::optional<CommandSeq> command,
                            std::optional<WifiTrouble> wifi) {
  if (command == CommandSeq()) return fail(Errc::invalid_argument, "a command without a number");
  if (content.camera_name.size() > max_name) return fail(Errc::invalid_argument, "camera's name is too long");
  SC_ASSERT(sframe::key_size(suite) > 0);
  crypto::CborWriter secret;
  secret.map(2).integer(1).bytes(content.base_key.reveal().first(sframe::key_size(suite)));
  secret.integer(2).text(content.camera_name);
  Bytes plaintext = secret.take();

  std::vector<const RosterHub*> hubs;
  for (const RosterHub& hub : roster.hubs)
    if (roster.active(hub.identity.id()) != nullptr) hubs.push_back(&hub);

  crypto::CborWriter writer;
  writer.map(6U + (command ? 1 : 0) + (wifi ? 1 : 0));
  writer.integer(1).unsigned_integer(epoch.value()).integer(2).integer(static_cast<int>(suite));
  writer.integer(3).unsigned_integer(roster.version.value()).integer(4).bytes(roster_hash);
  writer.integer(5).integer(created.since_epoch.count()).integer(6).map(hubs.size());
  for (const RosterHub* hub : hubs) {
    const DeviceId id = hub->identity.id();
    auto sealed = hpke::seal(hub->hpke, grant_info(route, id, epoch), plaintext);
    if (!sealed) {
      wipe(plaintext);
      return std::unexpected(sealed.error());
    }
    writer.bytes(id.bytes()).array(2).bytes(sealed->enc).bytes(sealed->ciphertext);
  }
  wipe(plaintext);
  if (command) writer.integer(7).unsigned_integer(command->value());
  if (wifi) writer.integer(8).integer(static_cast<int>(*wifi));
  return sign_message(MessageName::grants, route, camera, writer.view());
}

static Result<Grant> read_grant(crypto::CborReader& reader) {
  Grant grant;
  const auto id = reader.bytes(DeviceId::size);
  if (!id) return std::unexpected(id.error());
  grant.hub = DeviceId(id->first<DeviceId::size>());
  if (auto r = reader.array(2); !r) return std::unexpected(r.error());
  const auto enc = reader.bytes(grant.enc.size());
  if (!enc) return std::unexpected(enc.error());
  std::ranges::copy(*enc, grant.enc.begin());
  const auto ciphertext = reader.bytes();
  if (!ciphertext) return std::unexpected(ciphertext.error());
  if (ciphertext->size() > 256) return fail(Errc::malformed, "grant is too large");
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

/// The fields that need not be there.
static Result<> read_more(crypto::CborReader& reader, std::size_t pairs, Grants& grants) {
  for (std::int64_t last = 6; pairs > 0; --pairs) {
    const auto key = reader.integer();
    if (!key) return std::unexpected(key.error());
    if (*key <= last || *key > 8) return fail(Errc::malformed, "grants have other fields");
    last = *key;
    const auto value = reader.unsigned_integer();
    if (!value) return std::unexpected(value.error());
    if (*value == 0) return fail(Errc::malformed, last == 7 ? "a command without a number" : "a trouble that is none");
    if (last == 7) {
      grants.command = CommandSeq(*value);
      continue;
    }
    // Later cameras may know more of them.
    if (*value > 255) return fail(Errc::malformed, "trouble with a network");
    grants.wifi = static_cast<WifiTrouble>(std::min<std::uint64_t>(*value, static_cast<int>(WifiTrouble::other)));
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
  if (*pairs < 6 || *pairs > 8) return fail(Errc::malformed, "grants have other fields");
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

Result<GrantContent> open_grant(const Grants& grants, const Route& route, const DeviceId& hub,
                                const crypto::AgreementKey& key) {
  const auto it = std::ranges::find(grants.grants, hub, &Grant::hub);
  if (it == grants.grants.end()) return fail(Errc::not_found, "no grant for this hub");
  auto plaintext = hpke::open(key, it->enc, grant_info(route, hub, grants.epoch), it->ciphertext);
  if (!plaintext) return std::unexpected(plaintext.error());
  auto content = parse_content(*plaintext, grants.suite);
  wipe(*plaintext);
  return content;
}

}  // namespace sealcam::protocol
