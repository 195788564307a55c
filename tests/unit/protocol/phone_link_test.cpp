// SPDX-License-Identifier: Apache-2.0
/// Code, keys, descriptor and enrollment of a phone's link. The corpus has more cases
/// (tests/conformance/rules/R-PHONE-*).
#include "protocol/phone_link.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/actors.hpp"
#include "support/tampering.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using test::check_tampering;
using test::must;

namespace {

/// One link, with a phone that answers honestly.
struct Link {
  test::Actor owner, phone, stranger;
  LinkKeys keys = must(LinkKeys::derive(must(LinkCode::draw())));
  LinkKeys other = must(LinkKeys::derive(must(LinkCode::draw())));
  Bytes descriptor = must(encode_device_descriptor(Role::hub, phone.keys(), std::nullopt));
  DeviceDescriptor decoded = must(decode_device_descriptor(descriptor));

  [[nodiscard]] static PhoneEnrollment enrollment(const test::Actor& owner, std::string broker = "wss://[::1]:8884",
                                                  std::string name = "phone") {
    return {owner.identity(), std::move(broker), must(PhonePassword::draw()), std::move(name)};
  }
  [[nodiscard]] Result<Bytes> encode(const PhoneEnrollment& enrollment) const {
    return encode_link_enrollment(enrollment, decoded, owner.keys().identity, keys);
  }
  [[nodiscard]] Result<PhoneEnrollment> decode(ByteView message) const {
    return decode_link_enrollment(message, keys, phone.id(), phone.keys().hpke);
  }
};

}  // namespace

TEST_CASE("a link code has one text") {
  must(crypto::init());
  const auto code = must(LinkCode::draw());
  const auto text = code.reveal();
  CHECK(text.size() == 22);
  CHECK(equal(must(LinkCode::parse(text)).bytes(), code.bytes()));
  CHECK(must(LinkCode::draw()).reveal() != text);
  CHECK_FALSE(LinkCode::parse(text.substr(1)));
  CHECK_FALSE(LinkCode::parse(text + "A"));
  CHECK_FALSE(LinkCode::parse(text.substr(0, 21) + "B"));  // unused bits that are not zero
  CHECK_FALSE(LinkCode::parse("+" + text.substr(1)));
  CHECK(PhonePassword::text_size == 43);
}

TEST_CASE("slot and keys of a link differ from each other and from those of other codes") {
  must(crypto::init());
  const auto code = must(LinkCode::draw());
  const auto keys = must(LinkKeys::derive(code)), again = must(LinkKeys::derive(code));
  const auto other = must(LinkKeys::derive(must(LinkCode::draw())));
  CHECK(keys.slot == again.slot);
  CHECK(equal(keys.enrollment.reveal(), again.enrollment.reveal()));
  CHECK_FALSE(equal(keys.descriptor.reveal(), keys.enrollment.reveal()));
  CHECK_FALSE(equal(keys.descriptor.reveal().first(16), keys.slot));
  CHECK(keys.slot != other.slot);
  CHECK_FALSE(equal(keys.descriptor.reveal(), other.descriptor.reveal()));
}

TEST_CASE("the owner accepts the descriptor of a phone that has the code, and no changed one") {
  Link l;
  const auto message = must(encode_link_descriptor(l.descriptor, l.keys));
  const auto read = must(decode_link_descriptor(message, l.keys));
  CHECK(read.phone.identity == l.phone.identity());
  CHECK(read.phone.hpke == l.phone.hpke());
  CHECK(equal(read.message, l.descriptor));
  const auto other = decode_link_descriptor(message, l.other);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::wrong_key);
  check_tampering(message, [&](ByteView m) { return decode_link_descriptor(m, l.keys).has_value(); });
}

TEST_CASE("a device with a TLS key is no phone, also with the code") {
  Link l;
  for (const auto role : {Role::camera, Role::hub, Role::owner}) {
    const auto device = must(encode_device_descriptor(role, l.phone.keys(), l.stranger.identity()));
    const auto read = decode_link_descriptor(must(encode_link_descriptor(device, l.keys)), l.keys);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::unsupported);
  }
}

TEST_CASE("only the phone with the code opens its enrollment, and no changed one") {
  Link l;
  const auto sent = Link::enrollment(l.owner);
  const auto message = must(l.encode(sent));
  const auto read = must(l.decode(message));
  CHECK(read.owner == l.owner.identity());
  CHECK(read.broker == sent.broker);
  CHECK(read.name == "phone");
  CHECK(read.password.reveal() == sent.password.reveal());
  CHECK(decode_link_enrollment(message, l.other, l.phone.id(), l.phone.keys().hpke).error().code == Errc::wrong_key);
  CHECK(decode_link_enrollment(message, l.keys, l.phone.id(), l.stranger.keys().hpke).error().code ==
        Errc::not_decryptable);
  CHECK(decode_link_enrollment(message, l.keys, l.stranger.id(), l.phone.keys().hpke).error().code ==
        Errc::not_decryptable);
  check_tampering(message, [&](ByteView m) { return l.decode(m).has_value(); });
  // The password is in the sealed part only.
  CHECK_FALSE(as_text(message).contains(sent.password.reveal()));
  CHECK_FALSE(as_text(message).contains("phone"));
}

TEST_CASE("an enrollment that phones would reject is not sent") {
  Link l;
  for (const auto* address : {"ws://a:1", "wss://a", "wss://a:0", "wss://a:1/x", "wss://u@a:1", "wss://:1", ""})
    CHECK_FALSE(l.encode(Link::enrollment(l.owner, address)));
  CHECK_FALSE(l.encode(Link::enrollment(l.owner, "wss://a:1", "")));
  CHECK_FALSE(l.encode(Link::enrollment(l.owner, "wss://a:1", std::string(65, 'n'))));
  CHECK(l.encode(Link::enrollment(l.owner, "wss://a:1", std::string(64, 'n'))));  // control
}
