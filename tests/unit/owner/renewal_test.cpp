// SPDX-License-Identifier: Apache-2.0
// Renewal of the broker's certificates, and the operator's backup. A backup is slow to open on purpose.
#include "owner/broker/authorization.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "operator_scene.hpp"
#include "owner/broker/device_records.hpp"

namespace sealcam::owner {
namespace {

namespace fs = std::filesystem;
using protocol::Role;
using test::Actor;
using test::must;
using test::OperatorScene;
using test::TlsIdentity;

std::string text(const fs::path& path) { return std::string(as_text(must(read_file(path, 1 << 20)))); }

TEST_CASE("a renewed broker certificate is of the same authority and has the new names") {
  const OperatorScene op({.hosts = {"old.example"}});
  const auto key = text(op.files.server_key()), certificate = text(op.files.server_certificate());
  REQUIRE(renew_server(op.files, {}));
  CHECK(text(op.files.server_key()) == key);
  CHECK(text(op.files.server_certificate()) != certificate);
  CHECK(transport::check_certificate(text(op.files.authority()), text(op.files.server_certificate())));
  CHECK(read_broker(op.files)->hosts == std::vector<std::string>{"old.example"});
  REQUIRE(renew_server(op.files, {"new.example", "old.example"}));
  CHECK(read_broker(op.files)->advertised_host() == "new.example");
  const auto before = text(op.files.server_certificate());
  CHECK_FALSE(renew_server(op.files, {"not a name"}));
  CHECK(text(op.files.server_certificate()) == before);
}

TEST_CASE("an interrupted renewal leaves a key and a certificate of the broker that match") {
  const OperatorScene op;
  const auto matches = [&] {
    const auto key = must(transport::TlsKey::from_pem(as_bytes(text(op.files.server_key()))));
    return must(transport::requested_key(must(transport::make_request(key, "x")))) ==
           must(transport::certificate_key(text(op.files.server_certificate())));
  };
  REQUIRE(matches());
  const auto certificate = text(op.files.server_certificate());
  fs::remove(op.files.server_certificate());
  fs::create_directories(op.files.server_certificate() / "in the way");
  CHECK_FALSE(renew_server(op.files, {}));
  fs::remove_all(op.files.server_certificate());
  REQUIRE(write_file_durably(op.files.server_certificate(), as_bytes(certificate)));
  CHECK(matches());
  // A new key: the operator deletes the old one.
  const auto key = text(op.files.server_key());
  fs::remove(op.files.server_key());
  REQUIRE(renew_server(op.files, {}));
  CHECK(text(op.files.server_key()) != key);
  CHECK(matches());
}

TEST_CASE("certificates stay valid after the authority's certificate is renewed") {
  const OperatorScene op;
  const Actor owner, camera;
  const auto old_authority = text(op.files.authority());
  const auto before = authorize(op.files, test::request(owner, Role::camera, camera, TlsIdentity(camera.id())));
  REQUIRE(before);
  REQUIRE(renew_authority(op.files));
  const auto new_authority = text(op.files.authority());
  CHECK(new_authority != old_authority);
  REQUIRE(renew_server(op.files, {}));
  // A device keeps the old authority. The broker has the new one.
  CHECK(transport::check_certificate(old_authority, text(op.files.server_certificate())));
  CHECK(transport::check_certificate(new_authority, before->certificate_pem));
  const auto after = authorize(op.files, test::request(owner, Role::camera, camera, TlsIdentity(camera.id())));
  REQUIRE(after);
  CHECK(transport::check_certificate(old_authority, after->certificate_pem));
  CHECK_FALSE(
      transport::check_certificate(text(OperatorScene().files.authority()), after->certificate_pem));  // control
}

TEST_CASE("a restored authority has the same key, devices and revocations") {
  const OperatorScene op({.port = 1234, .hosts = {}});
  const Actor owner, camera, hub, later;
  REQUIRE(authorize(op.files, test::request(owner, Role::camera, camera, TlsIdentity(camera.id()))));
  REQUIRE(authorize(op.files, test::request(owner, Role::hub, hub, TlsIdentity(hub.id()))));
  REQUIRE(revoke(op.files, hub.id()));
  REQUIRE(write_file_durably(op.files.own_access(), as_bytes("user monitor\n")));
  const auto passphrase = must(crypto::Passphrase::make(as_bytes("correct horse battery")));
  const auto file = op.folder.path() / "backup";
  REQUIRE(back_up_broker(op.files, file, passphrase, CaptureTime{}));
  CHECK(back_up_broker(op.files, file, passphrase, CaptureTime{}).error().exit_code == EX_CANTCREAT);

  const BrokerFiles restored{op.folder.path() / "restored"};
  auto content = text(file);
  CHECK_FALSE(content.contains("monitor"));
  const auto wrong = must(crypto::Passphrase::make(as_bytes("wrong horse battery")));
  CHECK(restore_broker(restored, content, wrong).error().exit_code == EX_NOPERM);
  CHECK_FALSE(fs::exists(restored.folder));
  REQUIRE(restore_broker(restored, content, passphrase));
  CHECK(text(restored.authority_key()).contains("PRIVATE KEY"));
  for (const auto path : {&BrokerFiles::authority, &BrokerFiles::server_key, &BrokerFiles::server_certificate,
                          &BrokerFiles::revocations, &BrokerFiles::own_access})
    CHECK(text((restored.*path)()) == text((op.files.*path)()));
  CHECK(read_broker(restored)->port == 1234);
  CHECK(list_authorized(restored) == op.list());
  CHECK(text(restored.access_list()).ends_with("user monitor\n"));
  // The restored authority signs for the same enrollments.
  const auto signed_later = authorize(restored, test::request(owner, Role::hub, later, TlsIdentity(later.id())));
  REQUIRE(signed_later);
  CHECK(transport::check_certificate(text(op.files.authority()), signed_later->certificate_pem));
  CHECK(restore_broker(restored, content, passphrase).error().exit_code == EX_CANTCREAT);

  const auto at = content.find("BEGIN SEALCAM BROKER") + 200;
  content[at] = content[at] == 'A' ? 'B' : 'A';
  CHECK_FALSE(restore_broker({op.folder.path() / "other"}, content, passphrase));
}

TEST_CASE("a backup with unknown or missing files is rejected") {
  const auto parse = [](const std::string& files) {
    return parse_backed_up_files(R"({"version": 1, "made": 0, "files": {)" + files + "}}");
  };
  CHECK(parse(R"("ca.pem": "x", "acl.own": "y")")->size() == 2);
  CHECK(parse("\"devices/" + std::string(32, 'a') + "\": \"x\"")->size() == 1);
  for (const auto* files :
       {R"("../ca.pem": "x")", R"("devices/../../x": "x")", R"("devices/short": "x")", R"("ca.key": "x")",
        R"("mosquitto.conf": "x")", R"("/etc/passwd": "x")", R"("ca.pem": 1)", R"("devices": {"x": "y"})"})
    CHECK_FALSE(parse(files));
  CHECK_FALSE(parse_backed_up_files("{}"));
}

}  // namespace
}  // namespace sealcam::owner
