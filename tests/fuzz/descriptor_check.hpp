// SPDX-License-Identifier: Apache-2.0
/// Checks of device descriptors and authorizations. Both contain the key that verifies their signature. The fuzzer
/// signs with the key of the hub or owner, so the message is valid unless the fuzzer changed the key in the payload.
#pragma once

#include "crypto/cose.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::fuzz {

inline void check_device_descriptor(bool sign, ByteView rest) {
  using namespace protocol;
  const auto& hub = parties().hub;
  const Route route{AccountId(), hub.id()};
  const auto message = sign ? must(sign_message(MessageName::descriptor, route, hub.keys().identity, rest))
                            : Bytes(rest.begin(), rest.end());
  const auto descriptor = decode_device_descriptor(message);
  if (!descriptor || descriptor->identity != hub.identity() || descriptor->hpke != hub.hpke()) return;
  const auto again = must(encode_device_descriptor(descriptor->role, hub.keys(), descriptor->tls));
  SC_ASSERT(equal(must(crypto::cose::parse_sign1(message)).payload, must(crypto::cose::parse_sign1(again)).payload));
}

inline void check_authorization(bool sign, ByteView rest) {
  using namespace protocol;
  const auto& owner = parties().owner;
  const auto message = sign ? must(sign_message(MessageName::authorization, {owner.account(), parties().camera.id()},
                                                owner.keys().identity, rest))
                            : Bytes(rest.begin(), rest.end());
  const auto authorization = decode_authorization(message);
  if (!authorization) return;
  SC_ASSERT(must(claimed_signer(message)) == authorization->owner.id());
  if (authorization->owner != owner.identity()) return;
  const auto again = must(encode_authorization(*authorization, owner.keys().identity));
  SC_ASSERT(equal(must(crypto::cose::parse_sign1(message)).payload, must(crypto::cose::parse_sign1(again)).payload));
}

}  // namespace sealcam::fuzz
