// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/authorization.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "operator_scene.hpp"
#include "owner/broker/device_records.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {
namespace {

using protocol::Role;
using test::Actor;
using test::must;
using test::OperatorScene;
using test::TlsIdentity;

TEST_CASE("an authorized device has a certificate and its topics") {
  const OperatorScene op;
  const Actor owner, camera;
  const TlsIdentity tls(camera.id());
  const auto authorized = authorize(op.files, test::request(owner, Role::camera, camera, tls));
  REQUIRE(authorized);
  CHECK(authorized->device == Authorized{Role::camera, camera.id(), owner.account()});
  CHECK(apply_authorizations(op.files) == false);  // no broker is running
  CHECK(transport::certificate_name(authorized->certificate_pem) == camera.id().to_string());
  CHECK(op.access().contains("user " + camera.id().to_string()));
  CHECK(op.list() == std::vector{authorized->device});
}

TEST_CASE("a request with another key or another name than the authorization is rejected") {
  const OperatorScene op;
  const Actor owner, camera, other;
  const TlsIdentity tls(camera.id()), same_name(camera.id()), other_name(other.id());
  const auto good = test::request(owner, Role::camera, camera, tls);
  CHECK_FALSE(authorize(op.files, {same_name.request, good.descriptor, good.authorization}));
  CHECK_FALSE(authorize(op.files, {other_name.request, good.descriptor, good.authorization}));
  CHECK_FALSE(authorize(op.files, {other_name.request, good.descriptor,
                                   test::authorization(owner, Role::camera, camera.id(), other_name.key)}));
  CHECK(op.list().empty());
  CHECK(authorize(op.files, good));  // control
}

TEST_CASE("an account cannot get a certificate for a device that did not sign the key") {
  const OperatorScene op;
  const Actor victim, thief, camera, own;
  const TlsIdentity tls(camera.id()), stolen(camera.id()), other(own.id());
  const auto rejected = [&](const AuthorizationRequest& request, std::string_view word) {
    const auto result = authorize(op.files, request);
    REQUIRE_FALSE(result);
    INFO(result.error().message);
    CHECK(result.error().exit_code == EX_NOPERM);
    CHECK(result.error().message.contains(word));
    CHECK(op.list().empty());
  };
  const auto statement = test::authorization(thief, Role::camera, camera.id(), stolen.key);
  // The thief made the key and the request. The descriptor of the victim's camera contains another key.
  rejected({stolen.request, test::descriptor(Role::camera, camera, tls.key), statement}, "did not sign the key");
  // A descriptor of a device of the thief.
  rejected({stolen.request, test::descriptor(Role::camera, own, stolen.key), statement}, "the descriptor is of device");
  // Another role than the device's.
  rejected({tls.request, test::descriptor(Role::camera, camera, tls.key),
            test::authorization(thief, Role::hub, camera.id(), tls.key)},
           "the device is a camera");
  for (const auto& damaged : {Bytes(), Bytes(100), test::descriptor(Role::camera, camera, stolen.key)}) {
    auto changed = damaged;
    if (!changed.empty()) changed.back() ^= std::byte{1};
    CHECK_FALSE(authorize(op.files, {stolen.request, changed, statement}));
  }
  CHECK(op.list().empty());
  CHECK(authorize(op.files, test::request(victim, Role::camera, camera, tls)));  // control
}

TEST_CASE("a changed authorization is rejected") {
  const OperatorScene op;
  const Actor owner, camera;
  const TlsIdentity tls(camera.id());
  const auto good = test::request(owner, Role::camera, camera, tls);
  for (const auto at : {good.authorization.size() / 4, good.authorization.size() / 2, good.authorization.size() - 1}) {
    auto changed = good;
    changed.authorization[at] ^= std::byte{1};
    CHECK_FALSE(authorize(op.files, changed));
  }
  CHECK_FALSE(authorize(op.files, {good.request_pem, good.descriptor, {}}));
  CHECK(op.list().empty());
}

TEST_CASE("another account cannot take over a device with a copy of its request") {
  const OperatorScene op;
  const Actor owner, stranger, camera;
  const TlsIdentity tls(camera.id());
  REQUIRE(authorize(op.files, test::request(owner, Role::camera, camera, tls)));
  const auto before = op.access();
  const auto stolen = authorize(op.files, test::request(stranger, Role::camera, camera, tls));
  REQUIRE_FALSE(stolen);
  CHECK(stolen.error().message.contains("revoke"));
  CHECK(op.access() == before);
  // Its own account may authorize it again. Another account may do so after the revocation.
  CHECK(authorize(op.files, test::request(owner, Role::camera, camera, tls)));
  REQUIRE(revoke(op.files, camera.id()));
  CHECK(authorize(op.files, test::request(stranger, Role::camera, camera, tls)));
}

TEST_CASE("only the account's own key is authorized as owner") {
  const OperatorScene op;
  const Actor owner, device;
  const TlsIdentity tls(device.id()), own(owner.id());
  CHECK_FALSE(authorize(op.files, test::request(owner, Role::owner, device, tls)));
  CHECK_FALSE(authorize(op.files, test::request(owner, Role::camera, owner, own)));
  CHECK(authorize(op.files, test::request(owner, Role::owner, owner, own)));
}

TEST_CASE("an account has a maximum number of devices") {
  const OperatorScene op({.hosts = {}, .devices_per_account = 2});
  const Actor owner, stranger;
  const auto add = [&](const Actor& of, const Actor& device) {
    return authorize(op.files, test::request(of, Role::hub, device, TlsIdentity(device.id())));
  };
  const Actor first, second, third, other;
  CHECK((add(owner, first) && add(owner, second)));
  const auto rejected = add(owner, third);
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().message.contains("maximum"));
  CHECK(add(owner, second));    // again
  CHECK(add(stranger, other));  // another account
  REQUIRE(revoke(op.files, first.id()));
  CHECK(add(owner, third));
}

TEST_CASE("a revocation puts every certificate of the device on the revocation list") {
  const OperatorScene op;
  const Actor owner, camera, hub;
  const TlsIdentity tls(camera.id());
  const auto list = [&] { return std::string(as_text(must(read_file(op.files.revocation_list(), 1 << 20)))); };
  const auto first = list();
  CHECK(first.contains("BEGIN X509 CRL"));  // from the first start
  std::vector<std::string> serials;
  for (int i = 0; i < 2; ++i) {
    const auto authorized = authorize(op.files, test::request(owner, Role::camera, camera, tls));
    REQUIRE(authorized);
    serials.push_back(to_hex(must(transport::certificate_serial(authorized->certificate_pem))));
  }
  REQUIRE(authorize(op.files, test::request(owner, Role::hub, hub, TlsIdentity(hub.id()))));
  const auto revoked = revoke(op.files, camera.id());
  REQUIRE(revoked);
  CHECK_FALSE(revoked->reloaded);
  CHECK_FALSE(revoked->cleared);
  CHECK_FALSE(op.access().contains(camera.id().to_string()));
  const auto revocations = read_revocations(op.files);
  REQUIRE(revocations);
  CHECK(revocations->certificates == serials);
  CHECK(revocations->number == 2);
  CHECK(revocations->devices == std::vector{Authorized{Role::camera, camera.id(), owner.account()}});
  CHECK(revocations->former == revocations->devices);  // its last roster is deleted with the owner
  CHECK(list() != first);
  // The device waits for a running broker. A device that was never authorized does not.
  CHECK(revoke(op.files, camera.id()));
  CHECK_FALSE(revoke(op.files, Actor().id()));
}

TEST_CASE("a command that waits for another one reports what is changed") {
  const OperatorScene op;
  const auto turn = lock_reload(op.files);
  REQUIRE(turn);
  // Records and lists do not wait for a broker that reads its lists.
  const Actor owner, camera;
  CHECK(authorize(op.files, test::request(owner, Role::camera, camera, TlsIdentity(camera.id()))));
  CHECK(lock_broker(op.files));
  const auto waited = lock_reload(op.files, std::chrono::seconds(0));
  REQUIRE_FALSE(waited);
  CHECK(waited.error().exit_code == EX_TEMPFAIL);
  CHECK(waited.error().message.contains("is stored in " + op.files.folder.string()));
  CHECK(waited.error().message.contains("run 'sealcam account connect"));
}

TEST_CASE("a device that is authorized very often keeps its newest certificates") {
  const OperatorScene op;
  const Actor owner, camera;
  const TlsIdentity tls(camera.id());
  for (std::size_t i = 0; i < max_certificates + 2; ++i)
    REQUIRE(authorize(op.files, test::request(owner, Role::camera, camera, tls)));
  const auto record = read_device(op.files, camera.id());
  REQUIRE(record);
  CHECK(record->certificates.size() == max_certificates);
  const auto revocations = read_revocations(op.files);
  REQUIRE(revocations);
  CHECK(revocations->certificates.size() == 2);
}

TEST_CASE("a damaged record is rejected") {
  const OperatorScene op;
  const Actor owner, camera, hub;
  REQUIRE(authorize(op.files, test::request(owner, Role::camera, camera, TlsIdentity(camera.id()))));
  const auto path = op.files.devices() / camera.id().to_string();
  const auto good = std::string(as_text(must(read_file(path, 1 << 16))));
  const auto access = op.access();
  for (const auto& text : {good + "topic readwrite #\n", std::string("{}"), std::string()}) {
    REQUIRE(write_file_durably(path, as_bytes(text)));
    CHECK_FALSE(authorize(op.files, test::request(owner, Role::hub, hub, TlsIdentity(hub.id()))));
    CHECK(op.access() == access);
  }
  // The record of another device, under the name of this one.
  REQUIRE(write_file_durably(op.files.devices() / hub.id().to_string(), as_bytes(good)));
  REQUIRE(write_file_durably(path, as_bytes(good)));
  CHECK_FALSE(read_devices(op.files));
}

TEST_CASE("records and revocations are read as they were written") {
  const Actor device, account;
  const Authorized hub{Role::hub, device.id(), account.account()};
  for (const auto& record : {DeviceRecord{hub, {}}, DeviceRecord{hub, {"41", "7f00"}}})
    CHECK(parse_device_record(device_record_text(record), "f") == record);
  for (const auto& revocations :
       {Revocations{}, Revocations{7, {"0a"}, {hub, hub}}, Revocations{7, {"0a"}, {hub}, {hub}}})
    CHECK(parse_revocations(revocations_text(revocations), "f") == revocations);
  for (const char* text : {"", "{}", R"({"version": 1, "number": 0, "certificates": [], "devices": []})",
                           R"({"version": 1, "number": 1, "certificates": ["A0"], "devices": []})",
                           R"({"version": 1, "number": 1, "certificates": [""], "devices": []})",
                           R"({"version": 1, "number": 1, "certificates": [], "devices": [{}]})",
                           R"({"version": 1, "number": 999999999, "certificates": [], "devices": []})"}) {
    INFO(text);
    const auto parsed = parse_revocations(text, "the file");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.contains("the file"));
    CHECK_FALSE(parse_device_record(text, "f"));
  }
}

}  // namespace
}  // namespace sealcam::owner
