// SPDX-License-Identifier: Apache-2.0
#include "device/enrollment.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/file.hpp"
#include "crypto/psa.hpp"
#include "support/temporary_folder.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::device {
namespace {

Enrollment sample() {
  REQUIRE(crypto::init());
  const auto owner = crypto::VolatileDevice::generate();
  REQUIRE(owner);
  return {.role = protocol::Role::camera,
          .owner = owner->keys().identity.public_key(),
          .broker_host = "broker.example",
          .broker_port = 18883,
          .ca_pem = "-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n",
          .certificate_pem = "-----BEGIN CERTIFICATE-----\nown\n-----END CERTIFICATE-----\n",
          .name = "Haustür"};
}

std::string text_of(const std::filesystem::path& path) {
  const auto bytes = read_file(path, 1 << 20);
  REQUIRE(bytes);
  return std::string(as_text(*bytes));
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("the TLS configuration for the broker has the enrollment's certificates and the key of the folder") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  const auto enrollment = sample();
  const auto missing = broker_tls(files, enrollment);
  REQUIRE(!missing);
  CHECK(missing.error().code == Errc::malformed);
  CHECK(to_string(missing.error()).starts_with(files.tls_key().string() + ": "));

  REQUIRE(write_file_durably(files.tls_key(), as_bytes("no key")));
  const auto damaged = broker_tls(files, enrollment);
  REQUIRE(!damaged);
  CHECK(damaged.error().code == Errc::malformed);
  CHECK(to_string(damaged.error()).starts_with(files.tls_key().string() + ": tls.key is damaged"));

  const auto key = transport::TlsKey::generate();
  REQUIRE(key);
  REQUIRE(write_file_durably(files.tls_key(), key->reveal_pem()));
  const auto tls = broker_tls(files, enrollment);
  REQUIRE(tls);
  CHECK(tls->role == transport::TlsRole::client);
  CHECK(tls->authority_pem == enrollment.ca_pem);
  CHECK(tls->certificate_pem == enrollment.certificate_pem);
  CHECK(std::ranges::equal(tls->key.reveal_pem(), key->reveal_pem()));
}

TEST_CASE("an enrollment that was written is read unchanged") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  const auto written = sample();
  REQUIRE(write_enrollment(files, written));
  struct stat info{};
  REQUIRE(::stat(files.enrollment().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  const auto read = read_enrollment(files);
  REQUIRE(read);
  CHECK(read->role == written.role);
  CHECK(read->owner == written.owner);
  CHECK(read->broker_host == written.broker_host);
  CHECK(read->broker_port == written.broker_port);
  CHECK(read->ca_pem == written.ca_pem);
  CHECK(read->certificate_pem == written.certificate_pem);
  CHECK(read->name == written.name);
}

TEST_CASE("an unpaired device has no enrollment") {
  const test::TemporaryFolder folder;
  const auto read = read_enrollment({folder.path()});
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::not_found);
}

TEST_CASE("the error of a damaged enrollment names the place") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  REQUIRE(write_enrollment(files, sample()));
  const auto good = text_of(files.enrollment());
  const auto rejected_at = [&](const std::string& text, std::string_view place) {
    REQUIRE(write_file_durably(files.enrollment(), as_bytes(text)));
    std::string why;
    const auto read = read_enrollment(files, &why);
    INFO(why);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    CHECK(why.contains(place));
  };
  rejected_at("", "enrollment.json: the file is empty");
  rejected_at("", "restore the state folder from a copy, or reset");
  rejected_at(good.substr(0, good.size() / 2), "JSON");
  rejected_at(replaced(good, "\"version\": 1", "\"version\": 2"), "/version");
  rejected_at(replaced(good, "\"camera\"", "\"kettle\""), "/role");
  rejected_at(replaced(good, "\"04", "\"05"), "/owner");
  rejected_at(replaced(good, "18883", "0"), "/broker/port");
  rejected_at(replaced(good, "\"name\"", "\"nickname\""), "/nickname");
  rejected_at(replaced(good, "\"authority\"", "\"authorities\""), "/authority");
}

TEST_CASE("a name that is too long or not UTF-8 is rejected") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  auto enrollment = sample();
  enrollment.name = std::string(max_name, 'x');
  CHECK(write_enrollment(files, enrollment));
  enrollment.name = std::string(max_name + 1, 'x');
  CHECK_FALSE(write_enrollment(files, enrollment));
  enrollment.name = "\xff\xfe";
  CHECK_FALSE(write_enrollment(files, enrollment));
}

TEST_CASE("an installation stores the roster with the enrollment, and a second one is rejected") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  const auto enrollment = sample();
  const DeviceId camera = enrollment.owner.id();
  const auto path = files.rosters(enrollment.owner.account()) / camera.to_string();
  FolderInstaller installer(files, camera);
  const Bytes roster(3, std::byte{7});
  REQUIRE(installer.install(enrollment, roster, std::nullopt));
  CHECK(read_file(path, 10).value() == roster);
  CHECK(read_enrollment(files).value().owner == enrollment.owner);
  CHECK(installer.install(enrollment, Bytes(), std::nullopt).error().code == Errc::exists);
  CHECK(read_file(path, 10).value() == roster);
}

TEST_CASE("an installation deletes the Wi-Fi network of an interrupted one") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  auto enrollment = sample();
  FolderInstaller installer(files, enrollment.owner.id());
  enrollment.name = "\xff";  // cannot be written
  std::optional<protocol::Wifi> wifi;
  wifi.emplace(Bytes(1, std::byte{'a'}), protocol::Passphrase::parse("12345678").value());
  CHECK_FALSE(installer.install(enrollment, Bytes(), wifi));
  CHECK(read_wifi_file(files));  // control: the interrupted installation left it
  enrollment.name.clear();
  REQUIRE(installer.install(enrollment, Bytes(), std::nullopt));
  CHECK(read_wifi_file(files).error().code == Errc::not_found);
}

}  // namespace
}  // namespace sealcam::device
