// SPDX-License-Identifier: Apache-2.0
#include "protocol/status.hpp"

#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

Result<Bytes> encode_status(const Status& status, const Route& route, const crypto::SigningKey& camera) {
  if (status.online && status.reset) return fail(Errc::invalid_argument, "a camera that is reset is not online");
  crypto::CborWriter writer;
  writer.map(2U + (status.privacy ? 1U : 0U) + (status.reset ? 1U : 0U)).integer(1).boolean(status.online);
  writer.integer(2).integer(status.started.since_epoch.count());
  if (status.privacy) writer.integer(3).boolean(true);
  if (status.reset) writer.integer(4).boolean(true);
  return sign_message(MessageName::status, route, camera, writer.view());
}

Result<Status> decode_status(ByteView message, const Route& route, const crypto::Verifier& camera) {
  const auto payload = verify_message(MessageName::status, route, camera, message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Status status;
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 2 || *pairs > 4) return fail(Errc::malformed, "status has other fields");
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto online = reader.boolean();
  if (!online) return std::unexpected(online.error());
  status.online = *online;
  if (auto r = read_time(reader, 2, status.started); !r) return std::unexpected(r.error());
  crypto::CborReader ahead = reader;
  status.privacy = *pairs == 4 || (*pairs == 3 && ahead.key(3));
  status.reset = *pairs == 4 || (*pairs == 3 && !status.privacy);
  if (status.privacy)
    if (auto r = read_true(reader, 3); !r) return std::unexpected(r.error());
  if (status.reset)
    if (auto r = read_true(reader, 4); !r) return std::unexpected(r.error());
  if (status.reset && status.online) return fail(Errc::malformed, "a camera that is reset is not online");
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return status;
}

}  // namespace sealcam::protocol
