// SPDX-License-Identifier: Apache-2.0
#include "protocol/status.hpp"

#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

Result<Bytes> encode_status(const Status& status, const Route& route, const crypto::SigningKey& camera) {
  if (status.online && status.reset) return fail(Errc::invalid_argument, "a status cannot be both online and reset");
  if (status.fault && !status.online) return fail(Errc::invalid_argument, "a fault belongs to the status online");
  crypto::CborWriter writer;
  writer.map(2U + (status.privacy ? 1U : 0U) + (status.reset ? 1U : 0U) + (status.fault ? 1U : 0U));
  writer.integer(1).boolean(status.online);
  writer.integer(2).integer(status.started.since_epoch.count());
  if (status.privacy) writer.integer(3).boolean(true);
  if (status.reset) writer.integer(4).boolean(true);
  if (status.fault) writer.integer(5).integer(static_cast<int>(*status.fault));
  return sign_message(MessageName::status, route, camera, writer.view());
}

/// The value of the optional field `key`.
static Result<> read_field(crypto::CborReader& reader, std::int64_t key, Status& status) {
  if (key == 5) return read_fault(reader, status.fault.emplace());
  (key == 3 ? status.privacy : status.reset) = true;
  return read_true(reader);
}

Result<Status> decode_status(ByteView message, const Route& route, const crypto::Verifier& camera) {
  const auto payload = verify_message(MessageName::status, route, camera, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Status status;
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 2 || *pairs > 5) return fail(Errc::malformed, "status has unknown or missing fields");
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto online = reader.boolean();
  if (!online) return std::unexpected(online.error());
  status.online = *online;
  if (auto r = read_time(reader, 2, status.started); !r) return std::unexpected(r.error());
  std::int64_t last = 2;
  for (std::size_t i = 2; i < *pairs; ++i) {
    const auto key = reader.integer();
    if (!key) return std::unexpected(key.error());
    if (*key <= last || *key > 5) return fail(Errc::malformed, "status has unknown or missing fields");
    last = *key;
    if (auto r = read_field(reader, last, status); !r) return std::unexpected(r.error());
  }
  if (status.reset && status.online) return fail(Errc::malformed, "a status cannot be both online and reset");
  if (status.fault && !status.online) return fail(Errc::malformed, "a fault belongs to the status online");
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return status;
}

}  // namespace sealcam::protocol
