// SPDX-License-Identifier: Apache-2.0
#include "protocol/status.hpp"

#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

Result<Bytes> encode_status(const Status& status, const Route& route, const crypto::SigningKey& camera) {
  crypto::CborWriter writer;
  writer.map(2).integer(1).boolean(status.online).integer(2).integer(status.started.since_epoch.count());
  return sign_message(MessageName::status, route, camera, writer.view());
}

Result<Status> decode_status(ByteView message, const Route& route, const crypto::Verifier& camera) {
  const auto payload = verify_message(MessageName::status, route, camera, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Status status;
  if (auto r = reader.map(2); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto online = reader.boolean();
  if (!online) return std::unexpected(online.error());
  status.online = *online;
  if (auto r = read_time(reader, 2, status.started); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return status;
}

}  // namespace sealcam::protocol
