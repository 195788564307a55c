// SPDX-License-Identifier: Apache-2.0
#include "protocol/camera_index.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

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

}  // namespace sealcam::protocol
