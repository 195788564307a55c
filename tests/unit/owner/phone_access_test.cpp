// SPDX-License-Identifier: Apache-2.0
// Access of phones to a broker: a phone logs in with a password, of which the operator has a salted hash only.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "operator_scene.hpp"
#include "owner/broker/authorization.hpp"
#include "owner/broker/operator.hpp"
#include "owner/broker/web_listener.hpp"

namespace sealcam::owner {
namespace {

using protocol::Role;
using test::Actor;
using test::must;
using test::OperatorScene;
using test::phone_request;
using test::TlsIdentity;

constexpr std::string_view password = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

struct World : OperatorScene {
  Actor owner, phone;
  World() { REQUIRE(write_broker_settings(files, {.hosts = {"broker.example"}, .web_port = 8884})); }
  [[nodiscard]] std::string passwords() const {
    return std::string(as_text(must(read_file(files.passwords(), 1 << 20))));
  }
};

TEST_CASE("a phone gets no certificate, and its record and the password file contain the hash only") {
  const World w;
  const auto local = local_operator(w.files);
  const auto given = local->authorize(phone_request(w.owner, w.phone, password));
  REQUIRE(given);
  CHECK(given->empty());
  CHECK(w.list() == std::vector{Authorized{Role::hub, w.phone.id(), w.owner.account()}});
  REQUIRE(write_authorizations(w.files));
  const auto record = read_device(w.files, w.phone.id());
  REQUIRE(record);
  CHECK(record->certificates.empty());
  REQUIRE(record->login);
  CHECK(must(crypto::PasswordHash::make(as_bytes(password), record->login->salt)) == *record->login);
  CHECK(parse_device_record(device_record_text(*record), "f") == *record);
  CHECK(w.passwords().starts_with(w.phone.id().to_string() + ":$7$101$"));
  CHECK_FALSE(w.passwords().contains(password));
  CHECK(w.access().contains("user " + w.phone.id().to_string()));

  const auto revoked = revoke(w.files, w.phone.id());
  REQUIRE(revoked);
  CHECK(w.passwords().empty());
  CHECK_FALSE(w.access().contains(w.phone.id().to_string()));
}

TEST_CASE("a new link replaces the password of the phone") {
  const World w;
  REQUIRE(authorize(w.files, phone_request(w.owner, w.phone, password)));
  const auto first = read_device(w.files, w.phone.id());
  REQUIRE(authorize(w.files, phone_request(w.owner, w.phone, "another password")));
  const auto second = read_device(w.files, w.phone.id());
  REQUIRE((first && second));
  CHECK(first->login != second->login);
  REQUIRE(write_authorizations(w.files));
  const auto file = w.passwords();
  CHECK(std::ranges::count(file, '\n') == 1);
}

TEST_CASE("a device has a certificate or a password") {
  const World w;
  const Actor hub;
  const auto certificate = [&](const Actor& device) {
    return authorize(w.files, test::request(w.owner, Role::hub, device, TlsIdentity(device.id())));
  };
  REQUIRE(certificate(hub));
  const auto login = authorize(w.files, phone_request(w.owner, hub, password));
  REQUIRE_FALSE(login);
  CHECK(login.error().exit_code == EX_NOPERM);
  CHECK(login.error().message.contains("is authorized with a certificate"));
  REQUIRE(authorize(w.files, phone_request(w.owner, w.phone, password)));
  const auto other_way = certificate(w.phone);
  REQUIRE_FALSE(other_way);
  CHECK(other_way.error().message.contains("is authorized as a phone"));
  REQUIRE(revoke(w.files, hub.id()));
  CHECK(authorize(w.files, phone_request(w.owner, hub, password)));  // control
}

TEST_CASE("a request that mixes a phone and a device with a certificate is rejected") {
  const World w;
  const TlsIdentity tls(w.phone.id());
  const auto phone = phone_request(w.owner, w.phone, password);
  const auto device = test::request(w.owner, Role::hub, w.phone, tls);
  auto with_request = phone;
  with_request.request_pem = device.request_pem;
  CHECK(authorize(w.files, with_request).error().exit_code == EX_NOPERM);
  // An attacker who saw the descriptor of a hub cannot log in as this hub with a password.
  auto with_descriptor = phone;
  with_descriptor.descriptor = device.descriptor;
  CHECK(authorize(w.files, with_descriptor).error().exit_code == EX_NOPERM);
  auto without_request = device;
  without_request.request_pem.clear();
  CHECK_FALSE(authorize(w.files, without_request));
  CHECK(w.list().empty());
  CHECK(authorize(w.files, phone));  // control
}

TEST_CASE("without a listener for phones, a phone is rejected with the next step") {
  const OperatorScene op;
  const Actor owner, phone;
  const auto rejected = authorize(op.files, phone_request(owner, phone, password));
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().exit_code == EX_CONFIG);
  CHECK(rejected.error().message.contains("sealcam broker web " + op.files.folder.string()));
  CHECK_FALSE(local_operator(op.files)->web_address(owner.account()));
  CHECK(op.list().empty());
}

TEST_CASE("a phone gets the address of the listener for phones") {
  const World w;
  CHECK(local_operator(w.files)->web_address(w.owner.account()) == "wss://broker.example:8884");
  const auto file = w.folder.path() / "answer";
  REQUIRE(write_answer(file, {{"broker.example", 8883}, "authority", {}}));
  const auto remote = remote_operator(file);
  REQUIRE(remote);
  CHECK((*remote)->web_address(w.owner.account()).error().exit_code == EX_CONFIG);
  CHECK((*remote)->authorize(phone_request(w.owner, w.phone, password)).error().message.contains("--broker DIR"));
}

TEST_CASE("a record with a damaged login is rejected") {
  const World w;
  REQUIRE(authorize(w.files, phone_request(w.owner, w.phone, password)));
  const auto record = read_device(w.files, w.phone.id());
  REQUIRE(record);
  const auto text = device_record_text(*record);
  CHECK(parse_device_record(text, "f"));  // control
  const auto changed = [&](std::string_view from, std::string_view to) {
    auto out = text;
    REQUIRE(out.contains(from));
    out.replace(out.find(from), from.size(), to);
    return parse_device_record(out, "f");
  };
  CHECK_FALSE(changed("\"hub\"", "\"camera\""));
  CHECK_FALSE(changed("\"salt\": \"", "\"salt\": \"00"));
  CHECK_FALSE(changed("\"hash\": \"", "\"hash\": \"x"));
  CHECK_FALSE(changed("\"hash\"", "\"other\""));
}

TEST_CASE("the listener for phones is one part of mosquitto.conf, and other lines stay") {
  const BrokerFiles files{"/srv/broker"};
  BrokerSettings settings{.listen = "0.0.0.0", .hosts = {}, .web_port = 8884};
  const auto base = mosquitto_configuration(files, {.listen = "0.0.0.0", .hosts = {}}, "");
  CHECK_FALSE(base.contains("websockets"));
  const auto first = with_web_listener(base + "# mine\n", files, settings) + "# also mine\n";
  CHECK(first.starts_with(base + "# mine\n"));
  for (const auto* line : {"\nlistener 8884 0.0.0.0\n", "\nprotocol websockets\n", "\ntls_version tlsv1.2\n",
                           "\nuse_username_as_clientid true\n", "\npassword_file /srv/broker/passwords\n",
                           "\ncertfile /srv/broker/web.pem\n", "\nmemory_limit 536870912\n"}) {
    INFO(line);
    CHECK(first.contains(line));
  }
  CHECK(with_web_listener(first, files, settings) == first);
  CHECK(mosquitto_configuration(files, settings, "") == with_web_listener(base, files, settings));
  auto limit = first;  // of the operator
  limit.replace(limit.find("536870912"), 9, "999999999");
  CHECK(with_web_listener(limit, files, settings) == limit);
  settings.web_port = 8885;
  const auto moved = with_web_listener(limit, files, settings);
  CHECK(moved.contains("\nlistener 8885 0.0.0.0\n"));
  CHECK_FALSE(moved.contains("8884"));
  CHECK(moved.starts_with(base + "# mine\n"));
  CHECK(moved.ends_with("# also mine\n"));
}

TEST_CASE("a backup contains the listener for phones and their passwords' hashes") {
  const World w;
  // Any server's certificate of this name.
  const auto certificate = WebCertificate::read(w.files.server_certificate(), w.files.server_key(), "localhost");
  REQUIRE(certificate);
  const auto change = set_web_listener(w.files, std::nullopt, *certificate);
  REQUIRE(change);
  CHECK(change->port == 8884);  // as before
  CHECK_FALSE(change->running);
  REQUIRE(authorize(w.files, phone_request(w.owner, w.phone, password)));
  REQUIRE(write_authorizations(w.files));
  const auto passphrase = must(crypto::Passphrase::make(as_bytes("correct horse battery")));
  const auto file = w.folder.path() / "backup";
  REQUIRE(back_up_broker(w.files, file, passphrase, CaptureTime{}));
  const auto backup = must(read_file(file, 1 << 20));
  const BrokerFiles restored{w.folder.path() / "restored"};
  REQUIRE(restore_broker(restored, as_text(backup), passphrase));
  for (const auto path : {&BrokerFiles::web_certificate, &BrokerFiles::web_key, &BrokerFiles::passwords})
    CHECK(read_file((restored.*path)(), 1 << 20) == read_file((w.files.*path)(), 1 << 20));
  CHECK(w.passwords().contains(w.phone.id().to_string()));
  CHECK(local_operator(restored)->web_address(w.owner.account()) == "wss://broker.example:8884");
  CHECK(as_text(must(read_file(restored.configuration(), 1 << 20))).contains("\nlistener 8884 "));

  // Mosquitto would not start without these files.
  std::filesystem::remove(w.files.web_key());
  const auto incomplete = w.folder.path() / "incomplete";
  REQUIRE(back_up_broker(w.files, incomplete, passphrase, CaptureTime{}));
  const auto rejected =
      restore_broker({w.folder.path() / "other"}, as_text(must(read_file(incomplete, 1 << 20))), passphrase);
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().message.contains("web.key is missing"));
}

TEST_CASE("the certificate for phones must fit its key and the name that phones use") {
  const World w;
  const auto read = [&](const std::filesystem::path& certificate, const std::filesystem::path& key,
                        const std::string& host) { return WebCertificate::read(certificate, key, host); };
  const auto pem = w.files.server_certificate();
  CHECK(read(pem, w.files.server_key(), "127.0.0.1"));
  CHECK(read(pem, w.files.server_key(), "localhost"));
  CHECK(read(pem, w.files.server_key(), "127.0.0.2").error().message.contains("is not for '127.0.0.2'"));
  CHECK(read(pem, w.files.authority_key(), "localhost").error().message.contains("is not the key"));
  CHECK_FALSE(read(pem, pem, "localhost"));
  CHECK_FALSE(read(w.files.server_key(), w.files.server_key(), "localhost"));

  // The chain of a local authority, which mbedTLS alone does not read.
  const auto authority = must(transport::TlsKey::generate()), key = must(transport::TlsKey::generate());
  const transport::Period period{CaptureTime{std::chrono::seconds(1'790'000'000)},
                                 CaptureTime{std::chrono::seconds(1'800'000'000)}};
  const auto authority_pem = must(transport::make_web_authority(authority, "Home", {"192.0.2.7"}, period));
  const auto leaf = must(transport::make_web_certificate(authority_pem, authority, key, {"192.0.2.7"}, period));
  const auto chain = w.folder.path() / "chain.pem", leaf_key = w.folder.path() / "chain.key";
  REQUIRE(write_file_durably(chain, as_bytes(leaf + authority_pem)));
  REQUIRE(write_file_durably(leaf_key, key.reveal_pem()));
  CHECK(read(chain, leaf_key, "192.0.2.7"));
  CHECK_FALSE(read(chain, leaf_key, "192.0.2.8"));
  CHECK(read(w.folder.path() / "none", w.files.server_key(), "localhost").error().exit_code == EX_NOINPUT);
}

}  // namespace
}  // namespace sealcam::owner
