// SPDX-License-Identifier: Apache-2.0
/// Cards and admissions carry the key they are signed with. What is to be signed here gets the hub's or the owner's:
/// the payload then says another key only where the fuzzer changed it.
#pragma once

#include "cast.hpp"
#include "crypto/cose.hpp"
#include "input.hpp"
#include "protocol/card.hpp"

namespace sealcam::fuzz {

inline void check_card(bool sign, ByteView rest) {
  using namespace protocol;
  const auto& hub = cast().hub;
  const Route route{AccountId(), hub.id()};
  const auto message =
      sign ? must(sign_message(MessageName::card, route, hub.keys().identity, rest)) : Bytes(rest.begin(), rest.end());
  const auto card = decode_card(message);
  if (!card || card->identity != hub.identity() || card->hpke != hub.hpke()) return;
  const auto again = must(encode_card(card->role, hub.keys()));
  SC_ASSERT(equal(must(crypto::cose::parse_sign1(message)).payload, must(crypto::cose::parse_sign1(again)).payload));
}

inline void check_admission(bool sign, ByteView rest) {
  using namespace protocol;
  const auto& owner = cast().owner;
  const auto message = sign ? must(sign_message(MessageName::admission, {owner.account(), cast().camera.id()},
                                                owner.keys().identity, rest))
                            : Bytes(rest.begin(), rest.end());
  const auto admission = decode_admission(message);
  if (!admission) return;
  SC_ASSERT(must(claimed_signer(message)) == admission->owner.id());
  if (admission->owner != owner.identity()) return;
  const auto again = must(encode_admission(*admission, owner.keys().identity));
  SC_ASSERT(equal(must(crypto::cose::parse_sign1(message)).payload, must(crypto::cose::parse_sign1(again)).payload));
}

}  // namespace sealcam::fuzz
