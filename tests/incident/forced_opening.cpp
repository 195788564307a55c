// SPDX-License-Identifier: Apache-2.0
#include "forced_opening.hpp"

namespace sealcam::incident {

void ForcedOpening::on_grants(ByteView message) {
  const auto grants = protocol::decode_grants(message, person_.route, person_.camera.verifier());
  if (!grants) return;
  auto content = protocol::open_grant(*grants, person_.route, person_.hub.id(), person_.hub.keys().hpke);
  if (!content) return;
  if (grants_.size() == 4) grants_.erase(grants_.begin());
  grants_.push_back(std::move(*content));
}

std::optional<protocol::FrameHeader> ForcedOpening::open(ByteView message, const protocol::Route& source) {
  const auto frame = protocol::parse_frame(message);
  if (!frame) return std::nullopt;
  plain_.resize(std::max(plain_.size(), frame->sealed.size()));
  for (auto grant = grants_.rbegin(); grant != grants_.rend(); ++grant) {
    // A key of the frame's epoch with this hub's base key. A hub that follows the protocol does not have such a key.
    const auto key = crypto::sframe::OpeningKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, frame->epoch,
                                                      grant->base_key);
    if (!key) continue;
    for (const auto& route : {person_.route, source})
      if (const auto opened = protocol::FrameOpener(route).open(plain_, *frame, *key)) return opened->header;
  }
  return std::nullopt;
}

}  // namespace sealcam::incident
