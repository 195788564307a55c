// SPDX-License-Identifier: Apache-2.0
// The messages of a phone's link from a hostile mailbox. The first byte selects the meaning of the rest: 0 and 1 are a
// link-descriptor and a link-enrollment; 2 and 3 are their content with the right MAC (3: the plaintext, sealed to the
// phone); 4 and 5 are the payloads of a descriptor and of a phone-enrollment, which the fuzzer signs, too.
#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "crypto/hkdf.hpp"
#include "crypto/hpke.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "protocol/phone_link.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using fuzz::must;
using fuzz::parties;

namespace {

const LinkKeys& keys() {
  static const auto* const all = new LinkKeys(must(LinkKeys::derive(must(LinkCode::parse("AAECAwQFBgcICQoLDA0ODw")))));
  return *all;
}

/// The hub of the parties is the phone.
Route route() { return {parties().owner.account(), parties().hub.id()}; }

Bytes descriptor_with_mac(ByteView descriptor) { return must(encode_link_descriptor(descriptor, keys())); }

Bytes sealed_with_mac(ByteView plaintext) {
  const Route to = route();
  crypto::CborWriter info;
  info.array(3).text("sealcam/1 phone").bytes(to.account.bytes()).bytes(to.camera.bytes());
  const auto sealed = must(crypto::hpke::seal(parties().hub.hpke(), info.view(), plaintext));
  Bytes content(to.account.bytes().begin(), to.account.bytes().end());
  content.insert(content.end(), sealed.enc.begin(), sealed.enc.end());
  content.insert(content.end(), sealed.ciphertext.begin(), sealed.ciphertext.end());
  const auto mac = must(crypto::hmac_sha256(keys().enrollment.reveal(), content));
  crypto::CborWriter writer;
  writer.array(4).bytes(to.account.bytes()).bytes(sealed.enc).bytes(sealed.ciphertext).bytes(mac);
  return writer.take();
}

/// An accepted descriptor is signed by the key in it, belongs to a phone, and has one encoding.
bool check_descriptor(ByteView message) {
  const auto descriptor = decode_link_descriptor(message, keys());
  if (!descriptor) return false;
  SC_ASSERT(message.size() <= LinkDescriptor::max_size);
  SC_ASSERT(descriptor->phone.role == Role::hub && !descriptor->phone.tls);
  SC_ASSERT(must(decode_device_descriptor(descriptor->message)).identity == descriptor->phone.identity);
  SC_ASSERT(equal(descriptor_with_mac(descriptor->message), message));
  return true;
}

/// An accepted enrollment is that of the owner for this phone, and its fields are in their ranges.
bool check_enrollment(ByteView message) {
  auto enrollment = decode_link_enrollment(message, keys(), parties().hub.id(), parties().hub.keys().hpke);
  if (!enrollment) return false;
  SC_ASSERT(message.size() <= PhoneEnrollment::max_message);
  SC_ASSERT(enrollment->owner == parties().owner.identity());
  SC_ASSERT(enrollment->broker.starts_with("wss://") && enrollment->broker.size() <= PhoneEnrollment::max_address);
  SC_ASSERT(!enrollment->name.empty() && enrollment->name.size() <= PhoneEnrollment::max_name);
  SC_ASSERT(enrollment->password.reveal().size() == PhonePassword::text_size);
  const DeviceDescriptor phone{Role::hub, parties().hub.identity(), parties().hub.hpke(), std::nullopt};
  const auto again = must(encode_link_enrollment(*enrollment, phone, parties().owner.keys().identity, keys()));
  const auto same = must(decode_link_enrollment(again, keys(), parties().hub.id(), parties().hub.keys().hpke));
  SC_ASSERT(same.broker == enrollment->broker && same.name == enrollment->name);
  SC_ASSERT(same.password.reveal() == enrollment->password.reveal());
  return true;
}

Bytes signed_descriptor(ByteView payload) {
  return must(
      sign_message(MessageName::descriptor, {AccountId(), parties().hub.id()}, parties().hub.keys().identity, payload));
}

/// Control: the honest messages pass, and those with another code do not.
bool honest_link_passes() {
  const auto descriptor = must(encode_device_descriptor(Role::hub, parties().hub.keys(), std::nullopt));
  const auto other = must(LinkKeys::derive(must(LinkCode::parse("AAECAwQFBgcICQoLDA0OEA"))));
  SC_ASSERT(!check_descriptor(must(encode_link_descriptor(descriptor, other))));
  const DeviceDescriptor phone{Role::hub, parties().hub.identity(), parties().hub.hpke(), std::nullopt};
  const auto enrollment = [&](const LinkKeys& with) {
    return must(encode_link_enrollment({.owner = parties().owner.identity(),
                                        .broker = "wss://broker.example:8884",
                                        .password = must(PhonePassword::draw()),
                                        .name = "phone"},
                                       phone, parties().owner.keys().identity, with));
  };
  SC_ASSERT(!check_enrollment(enrollment(other)));
  return check_descriptor(descriptor_with_mac(descriptor)) && check_enrollment(enrollment(keys()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool control = honest_link_passes();
  SC_ASSERT(control);
  if (size > (16U << 10)) return 0;  // more than both limits
  fuzz::Input in(data, size);
  const auto choice = in.byte() % 6;
  const auto rest = in.rest();
  switch (choice) {
    case 0: (void)check_descriptor(rest); break;
    case 1: (void)check_enrollment(rest); break;
    case 2: (void)check_descriptor(descriptor_with_mac(rest)); break;
    case 3: (void)check_enrollment(sealed_with_mac(rest)); break;
    case 4: (void)check_descriptor(descriptor_with_mac(signed_descriptor(rest))); break;
    default:
      (void)check_enrollment(sealed_with_mac(
          must(sign_message(MessageName::phone_enrollment, route(), parties().owner.keys().identity, rest))));
  }
  return 0;
}
