// SPDX-License-Identifier: Apache-2.0
/// Optional fields of view requests and grants, and the index: which forms a receiver accepts, and which it rejects.
#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/roster.hpp"
#include "protocol/view_request.hpp"
#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using crypto::CborWriter;
using test::must;

namespace {

struct World {
  test::Actor owner, camera, hub, second;
  Route route = test::route_of(owner, camera);

  [[nodiscard]] Result<ViewRequest> request(std::size_t pairs, const std::function<void(CborWriter&)>& more,
                                            RequestKind kind = RequestKind::live) const {
    CborWriter writer;
    writer.map(pairs).integer(1).integer(static_cast<int>(kind)).integer(2).bytes(Bytes(8, std::byte{7}));
    writer.integer(3).integer(5).integer(4).integer(6);
    more(writer);
    const auto message = must(sign_message(MessageName::request, route, hub.keys().identity, writer.view()));
    return decode_view_request(message, route, hub.verifier());
  }
  /// Of both hubs, in the order of their ids.
  [[nodiscard]] Roster roster() const {
    return must(
        decode_roster(must(encode_roster(test::roster_of(camera, 1, {&hub, &second}), route, owner.keys().identity)),
                      route, owner.verifier()));
  }
  [[nodiscard]] ViewRequest encoded(const ViewRequest& request) const {
    return must(
        decode_view_request(must(encode_view_request(request, route, hub.keys().identity)), route, hub.verifier()));
  }
  /// Grants of epoch 1 with one entry for `hub`.
  [[nodiscard]] Result<Grants> grants(const std::function<void(CborWriter&)>& grant, std::size_t hubs = 1) const {
    CborWriter writer;
    writer.map(6).integer(1).integer(1).integer(2).integer(4).integer(3).integer(1).integer(4).bytes(Bytes(32));
    writer.integer(5).integer(0).integer(6).map(hubs);
    grant(writer);
    const auto message = must(sign_message(MessageName::grants, route, camera.keys().identity, writer.view()));
    return decode_grants(message, route, camera.verifier());
  }
  [[nodiscard]] Result<CameraIndex> index(const std::function<void(CborWriter&)>& body) const {
    CborWriter writer;
    body(writer);
    const auto message =
        must(sign_message(MessageName::index, {owner.account(), hub.id()}, owner.keys().identity, writer.view()));
    return decode_index(message, owner.account(), hub.id(), owner.verifier());
  }
};

const Bytes eight(8, std::byte{1});

Bytes bytes_of(const Grant& grant) {
  Bytes all = grant.enc;
  all.insert(all.end(), grant.ciphertext.begin(), grant.ciphertext.end());
  return all;
}

}  // namespace

TEST_CASE("a decoded view request has all optional fields of the encoded one") {
  World w;
  ViewRequest request{RequestKind::privacy_off, Challenge(1), Epoch(2), RequestSeq(3)};
  request.nonce = Nonce(~0ULL);
  request.prekey = Prekey{PrekeyNumber(~0ULL), w.second.hpke()};
  request.receiver = ReceiverReport{Counter(90), std::chrono::milliseconds(3000), 88};
  request.cannot_open = true;
  const auto read = w.encoded(request);
  CHECK(read.nonce == request.nonce);
  CHECK(read.prekey == request.prekey);
  CHECK(read.receiver == request.receiver);
  CHECK(read.cannot_open);
  const auto message = must(encode_view_request(request, w.route, w.hub.keys().identity));
  CHECK(message.size() <= limits::max_view_request_size);
  // Each field alone.
  for (int field = 6; field <= 8; ++field) {
    ViewRequest one{RequestKind::live, Challenge(1), Epoch(2), RequestSeq(3)};
    if (field == 6) one.prekey = request.prekey;
    if (field == 7) one.receiver = request.receiver;
    one.cannot_open = field == 8;
    const auto back = w.encoded(one);
    CHECK(back.prekey == one.prekey);
    CHECK(back.receiver == one.receiver);
    CHECK(back.cannot_open == one.cannot_open);
  }
  CHECK(w.encoded({RequestKind::nonce, Challenge(1), Epoch(2), RequestSeq(3)}).kind == RequestKind::nonce);
}

TEST_CASE("a privacy-off request has a nonce, and no other request has one") {
  World w;
  const auto nonce = [](CborWriter& writer) { writer.integer(5).bytes(eight); };
  CHECK(w.request(5, nonce, RequestKind::privacy_off));
  CHECK(w.request(4, [](CborWriter&) {}, RequestKind::privacy_off).error().code == Errc::malformed);
  for (const auto kind : {RequestKind::live, RequestKind::still, RequestKind::privacy_on, RequestKind::nonce,
                          RequestKind::record, RequestKind::motion}) {
    CHECK(w.request(4, [](CborWriter&) {}, kind));  // control
    CHECK(w.request(5, nonce, kind).error().code == Errc::malformed);
  }
  for (const std::size_t size : {0U, 7U, 9U})
    CHECK_FALSE(w.request(
        5, [&](CborWriter& out) { out.integer(5).bytes(Bytes(size, std::byte{1})); }, RequestKind::privacy_off));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(5).bytes(Bytes(8)); }, RequestKind::privacy_off));
  ViewRequest request{RequestKind::privacy_off, Challenge(1), Epoch(2), RequestSeq(3)};
  const auto encode = [&] { return encode_view_request(request, w.route, w.hub.keys().identity); };
  CHECK(encode().error().code == Errc::invalid_argument);
  request.nonce = Nonce();
  CHECK(encode().error().code == Errc::invalid_argument);
  request.nonce = Nonce(1);
  CHECK(encode());
  request.kind = RequestKind::live;
  CHECK(encode().error().code == Errc::invalid_argument);
}

TEST_CASE("a request of the kind past has 1 to 16 ranges in order, and no other request has ranges") {
  World w;
  ViewRequest request{RequestKind::past, Challenge(1), Epoch(2), RequestSeq(3)};
  const auto encode = [&] { return encode_view_request(request, w.route, w.hub.keys().identity); };
  CHECK(encode().error().code == Errc::invalid_argument);
  const auto maximum = Counter(0xffff'ffff);
  request.past = {{Epoch(5), Counter(0), Counter(0)}, {Epoch(5), Counter(1), maximum}, {Epoch(6), Counter(0), maximum}};
  CHECK(w.encoded(request).past == request.past);
  const auto valid = request.past;
  const auto rejects = [&](std::vector<PastRange> ranges) {
    request.past = std::move(ranges);
    CHECK(encode().error().code == Errc::invalid_argument);
  };
  rejects({{Epoch(5), Counter(1), Counter(0)}});
  rejects({{Epoch(5), Counter(0), maximum.next()}});
  rejects({valid[1], valid[0]});
  rejects({valid[2], valid[0]});
  rejects({valid[0], valid[0]});
  request.past.clear();
  for (std::uint64_t i = 0; i < PastRange::max; ++i)
    request.past.push_back({Epoch(~std::uint64_t{0}), Counter(0xffff'ff00 + 2 * i), Counter(0xffff'ff00 + 2 * i)});
  CHECK(w.encoded(request).past == request.past);  // the maximum one has at most 512 bytes
  auto more = request.past;
  more.push_back({Epoch(~std::uint64_t{0}), maximum, maximum});
  rejects(more);
  request.past = valid;
  request.kind = RequestKind::record;
  CHECK(encode().error().code == Errc::invalid_argument);
}

TEST_CASE("a view request with another form of its optional fields is rejected") {
  World w;
  const auto prekey = [&](CborWriter& out, std::uint64_t number) {
    out.integer(6).array(2).unsigned_integer(number).bytes(w.second.hpke().bytes());
  };
  CHECK(w.request(5, [&](CborWriter& out) { prekey(out, 1); }));
  CHECK_FALSE(w.request(5, [&](CborWriter& out) { prekey(out, 0); }));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(6).array(2).integer(1).bytes(Bytes(65, std::byte{4})); }));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(6).array(1).integer(1); }));
  CHECK(w.request(5, [](CborWriter& out) { out.integer(7).array(3).integer(1).integer(2).integer(3); }));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(7).array(3).integer(1).integer(-2).integer(3); }));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(7).array(2).integer(1).integer(2); }));
  CHECK(w.request(5, [](CborWriter& out) { out.integer(8).boolean(true); }));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(8).boolean(false); }));
  CHECK_FALSE(w.request(5, [](CborWriter& out) { out.integer(9).boolean(true); }));
  CHECK(w.request(6, [&](CborWriter& out) {
    prekey(out, 1);
    out.integer(8).boolean(true);
  }));
  CHECK_FALSE(w.request(6, [&](CborWriter& out) {
    out.integer(8).boolean(true);
    prekey(out, 1);
  }));
  CHECK_FALSE(w.request(6, [&](CborWriter& out) {
    prekey(out, 1);
    prekey(out, 1);
  }));
  CHECK_FALSE(w.request(5, [](CborWriter&) {}));
  CHECK_FALSE(w.request(4, [](CborWriter& out) { out.integer(8).boolean(true); }));
}

TEST_CASE("a grant is sealed to the hub's newest prekey, and opens with this key only") {
  World w;
  const auto device = must(crypto::VolatileDevice::generate());
  const auto& prekey = device.keys().hpke;
  const auto roster = w.roster();
  const auto message = must(encode_grants({.roster = roster,
                                           .content = {},
                                           .epoch = Epoch(9),
                                           .prekey = [&](const DeviceId& hub) -> std::optional<Prekey> {
                                             if (hub != w.hub.id()) return std::nullopt;
                                             return Prekey{PrekeyNumber(3), prekey.public_key()};
                                           }},
                                          w.route, w.camera.keys().identity));
  auto grants = must(decode_grants(message, w.route, w.camera.verifier()));
  const auto with = [&](const crypto::AgreementKey& key) {
    return open_grant(grants, w.route, w.hub.id(),
                      [&](PrekeyNumber number) { return number == PrekeyNumber(3) ? &key : nullptr; });
  };
  CHECK(with(prekey));
  CHECK(with(w.hub.keys().hpke).error().code == Errc::not_decryptable);
  CHECK(open_grant(grants, w.route, w.hub.id(), w.hub.keys().hpke).error().code == Errc::not_decryptable);
  CHECK(open_grant(grants, w.route, w.second.id(), w.second.keys().hpke));  // has no prekey
  // The number is part of the sealed context: another number in the message does not open with the same key.
  for (auto& grant : grants.grants)
    if (grant.hub == w.hub.id()) grant.key = PrekeyNumber(4);
  CHECK(open_grant(grants, w.route, w.hub.id(), [&](PrekeyNumber) { return &prekey; }).error().code ==
        Errc::not_decryptable);
}

TEST_CASE("a grant with an unknown KEM affects its own hub only") {
  World w;
  const auto roster = w.roster();
  const auto own = must(decode_grants(
      must(encode_grants({.roster = roster, .content = {}, .epoch = Epoch(1)}, w.route, w.camera.keys().identity)),
      w.route, w.camera.verifier()));
  const auto decode = [&](std::uint64_t kem, std::size_t enc) {
    return w.grants(
        [&](CborWriter& out) {
          for (const auto& grant : own.grants) {
            const bool other = grant.hub == w.hub.id();
            out.bytes(grant.hub.bytes()).array(4).unsigned_integer(other ? kem : kem_p256).integer(0);
            out.bytes(other ? Bytes(enc, std::byte{4}) : grant.enc).bytes(grant.ciphertext);
          }
        },
        2);
  };
  for (const auto& [kem, enc] : {std::pair<std::uint64_t, std::size_t>{0x647a, 1120}, {~0ULL, 1}, {kem_p256, 64}}) {
    const auto grants = must(decode(kem, enc));
    CHECK(open_grant(grants, w.route, w.hub.id(), w.hub.keys().hpke).error().code == Errc::not_decryptable);
    CHECK(open_grant(grants, w.route, w.second.id(), w.second.keys().hpke));
  }
  CHECK_FALSE(decode(0x647a, 0));
  CHECK_FALSE(decode(0x647a, 1121));
}

TEST_CASE("a grant with missing, additional or large parts is rejected") {
  World w;
  const auto grant = [&](std::size_t items, std::size_t ciphertext) {
    return w.grants([&](CborWriter& out) {
      out.bytes(w.hub.id().bytes()).array(items).integer(16).integer(0);
      if (items > 3) out.bytes(Bytes(65));
      out.bytes(Bytes(ciphertext));
      if (items > 4) out.integer(0);
    });
  };
  CHECK(grant(4, 256));
  CHECK_FALSE(grant(3, 10));
  CHECK_FALSE(grant(5, 10));
  CHECK_FALSE(grant(4, 257));
  CHECK_FALSE(w.grants([&](CborWriter& out) {
    out.bytes(w.hub.id().bytes()).array(4).integer(16).integer(-1).bytes(Bytes(65)).bytes(Bytes(10));
  }));
}

TEST_CASE("grants for 64 hubs fit into a control message, also with the maximum enc") {
  World w;
  Bytes id(DeviceId::size);
  const auto grants = w.grants(
      [&](CborWriter& out) {
        for (unsigned n = 0; n < Roster::max_hubs; ++n) {
          id[0] = static_cast<std::byte>(n);
          out.bytes(id).array(4).integer(0x647a).unsigned_integer(~0ULL);
          out.bytes(Bytes(Grant::max_enc)).bytes(Bytes(Grant::max_ciphertext));
        }
      },
      Roster::max_hubs);
  REQUIRE(grants);
  CHECK(bytes_of(grants->grants.back()).size() == Grant::max_enc + Grant::max_ciphertext);
}

TEST_CASE("a decoded index equals the encoded one, sorted and without repetitions") {
  World w;
  const auto& account = w.owner.account();
  const auto message = must(encode_index({IndexVersion(4), {w.second.id(), w.camera.id(), w.second.id()}}, account,
                                         w.hub.id(), w.owner.keys().identity));
  const auto read = must(decode_index(message, account, w.hub.id(), w.owner.verifier()));
  CHECK(read.version == IndexVersion(4));
  REQUIRE(read.cameras.size() == 2);
  CHECK(read.cameras[0] < read.cameras[1]);
  // It is valid for its hub, account and owner only.
  CHECK_FALSE(decode_index(message, account, w.second.id(), w.owner.verifier()));
  CHECK_FALSE(decode_index(message, w.second.account(), w.hub.id(), w.owner.verifier()));
  CHECK_FALSE(decode_index(message, account, w.hub.id(), w.second.verifier()));
  CHECK(encode_index({IndexVersion(1), {}}, account, w.hub.id(), w.owner.keys().identity));
}

TEST_CASE("an index in another form is rejected") {
  World w;
  const auto ids = [&](CborWriter& out, std::initializer_list<unsigned> numbers) {
    out.map(2).integer(1).integer(1).integer(2).array(numbers.size());
    for (const unsigned n : numbers) out.bytes(Bytes(20, static_cast<std::byte>(n)));
  };
  CHECK(w.index([&](CborWriter& out) { ids(out, {1, 2}); }));
  CHECK_FALSE(w.index([&](CborWriter& out) { ids(out, {2, 1}); }));
  CHECK_FALSE(w.index([&](CborWriter& out) { ids(out, {1, 1}); }));
  CHECK_FALSE(w.index([](CborWriter& out) { out.map(1).integer(1).integer(1); }));
  CHECK_FALSE(w.index([](CborWriter& out) { out.map(2).integer(1).integer(1).integer(2).array(1).bytes(Bytes(19)); }));
  CHECK_FALSE(
      w.index([](CborWriter& out) { out.map(3).integer(1).integer(1).integer(2).array(0).integer(3).integer(0); }));
  const auto many = [&](unsigned count) {
    return w.index([&](CborWriter& out) {
      out.map(2).integer(1).integer(1).integer(2).array(count);
      Bytes id(20);
      for (unsigned n = 0; n < count; ++n) {
        store_be(MutableBytes(id), static_cast<std::uint16_t>(n));
        out.bytes(id);
      }
    });
  };
  CHECK(many(CameraIndex::max_cameras));
  CHECK_FALSE(many(CameraIndex::max_cameras + 1));
}
