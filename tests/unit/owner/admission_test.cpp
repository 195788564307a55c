// SPDX-License-Identifier: Apache-2.0
#include "owner/admission.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/file.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {
namespace {

using protocol::Role;
using test::Actor;
using test::must;

struct Request {
  std::string pem;
  crypto::PublicKey key;
};
Request request_for(const DeviceId& device) {
  const auto tls = must(transport::TlsKey::generate());
  auto pem = must(transport::make_request(tls, device.to_string()));
  const auto key = must(crypto::PublicKey::parse(must(transport::requested_key(pem))));
  return {std::move(pem), key};
}

Bytes admission(const Actor& owner, Role role, const DeviceId& device, const crypto::PublicKey& tls) {
  return must(protocol::encode_admission({.role = role, .device = device, .owner = owner.identity(), .tls = tls},
                                         owner.keys().identity));
}

struct Operator {
  test::TemporaryFolder folder;
  BrokerFiles files{folder.path() / "broker"};
  Operator() { REQUIRE(make_broker(files, {})); }
  [[nodiscard]] std::string access() const {
    return std::string(as_text(must(read_file(files.access_list(), 1 << 20))));
  }
};

TEST_CASE("a device that its owner vouches for gets a certificate and a block") {
  const Operator op;
  const Actor owner, camera;
  const auto request = request_for(camera.id());
  const auto admitted = admit(op.files, request.pem, admission(owner, Role::camera, camera.id(), request.key));
  REQUIRE(admitted);
  CHECK(admitted->who == Admitted{Role::camera, camera.id(), owner.account()});
  CHECK_FALSE(admitted->reloaded);
  CHECK(transport::certificate_name(admitted->certificate_pem) == camera.id().to_string());
  CHECK(op.access().contains(access_block(admitted->who)));
  CHECK(must(list_admitted(op.files).transform_error([](const Failure&) { return Error{Errc::io}; })) ==
        std::vector{admitted->who});

  const auto gone = expel(op.files, camera.id());
  REQUIRE(gone);
  CHECK_FALSE(op.access().contains(camera.id().to_string()));
  CHECK_FALSE(expel(op.files, camera.id()));
}

TEST_CASE("a request with another key or another name is refused") {
  const Operator op;
  const Actor owner, camera, other;
  const auto request = request_for(camera.id());
  const auto same_name = request_for(camera.id());
  const auto other_name = request_for(other.id());
  const auto statement = admission(owner, Role::camera, camera.id(), request.key);
  CHECK_FALSE(admit(op.files, same_name.pem, statement));
  CHECK_FALSE(admit(op.files, other_name.pem, statement));
  CHECK_FALSE(admit(op.files, other_name.pem, admission(owner, Role::camera, camera.id(), other_name.key)));
  CHECK_FALSE(op.access().contains("user"));
  CHECK(admit(op.files, request.pem, statement));  // the control
}

TEST_CASE("a statement that was changed is refused") {
  const Operator op;
  const Actor owner, camera;
  const auto request = request_for(camera.id());
  const auto statement = admission(owner, Role::camera, camera.id(), request.key);
  for (const auto at : {statement.size() / 4, statement.size() / 2, statement.size() - 1}) {
    auto changed = statement;
    changed[at] ^= std::byte{1};
    CHECK_FALSE(admit(op.files, request.pem, changed));
  }
  CHECK_FALSE(admit(op.files, request.pem, {}));
  CHECK_FALSE(op.access().contains("user"));
}

TEST_CASE("nobody moves a device into another account who merely saw its request") {
  const Operator op;
  const Actor owner, stranger, camera;
  const auto request = request_for(camera.id());
  REQUIRE(admit(op.files, request.pem, admission(owner, Role::camera, camera.id(), request.key)));
  const auto before = op.access();
  const auto stolen = admit(op.files, request.pem, admission(stranger, Role::camera, camera.id(), request.key));
  REQUIRE_FALSE(stolen);
  CHECK(stolen.error().message.contains("expel"));
  CHECK(op.access() == before);
  // Its own account may renew it, and once it is expelled it may go elsewhere.
  CHECK(admit(op.files, request.pem, admission(owner, Role::camera, camera.id(), request.key)));
  REQUIRE(expel(op.files, camera.id()));
  CHECK(admit(op.files, request.pem, admission(stranger, Role::camera, camera.id(), request.key)));
}

TEST_CASE("only the account's own key becomes its owner at the broker") {
  const Operator op;
  const Actor owner, device;
  const auto request = request_for(device.id());
  CHECK_FALSE(admit(op.files, request.pem, admission(owner, Role::owner, device.id(), request.key)));
  const auto own = request_for(owner.id());
  CHECK_FALSE(admit(op.files, own.pem, admission(owner, Role::camera, owner.id(), own.key)));
  CHECK(admit(op.files, own.pem, admission(owner, Role::owner, owner.id(), own.key)));
}

TEST_CASE("a block that was changed by hand is not passed on") {
  const Operator op;
  const Actor owner, camera, hub;
  const auto request = request_for(camera.id());
  REQUIRE(admit(op.files, request.pem, admission(owner, Role::camera, camera.id(), request.key)));
  const auto block = op.files.access_blocks() / camera.id().to_string();
  auto text = std::string(as_text(must(read_file(block, 1 << 16)))) + "topic readwrite #\n";
  REQUIRE(write_file_durably(block, as_bytes(text)));
  const auto next = request_for(hub.id());
  CHECK_FALSE(admit(op.files, next.pem, admission(owner, Role::hub, hub.id(), next.key)));
  CHECK_FALSE(op.access().contains("readwrite"));
}

}  // namespace
}  // namespace sealcam::owner
