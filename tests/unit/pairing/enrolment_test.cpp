// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "core/file.hpp"
#include "crypto/psa.hpp"
#include "pairing/device_state.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::pairing {
namespace {

Enrolment sample() {
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

TEST_CASE("an enrolment comes back as it was written") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  const auto written = sample();
  REQUIRE(write_enrolment(files, written));
  struct stat info{};
  REQUIRE(::stat(files.enrolment().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  const auto read = read_enrolment(files);
  REQUIRE(read);
  CHECK(read->role == written.role);
  CHECK(read->owner == written.owner);
  CHECK(read->broker_host == written.broker_host);
  CHECK(read->broker_port == written.broker_port);
  CHECK(read->ca_pem == written.ca_pem);
  CHECK(read->certificate_pem == written.certificate_pem);
  CHECK(read->name == written.name);
}

TEST_CASE("a device that is nobody's has no enrolment") {
  const test::TemporaryFolder folder;
  const auto read = read_enrolment({folder.path()});
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::not_found);
}

TEST_CASE("a damaged enrolment is refused with the place of the damage") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  REQUIRE(write_enrolment(files, sample()));
  const auto good = text_of(files.enrolment());
  const auto refused_at = [&](const std::string& text, std::string_view place) {
    REQUIRE(write_file_durably(files.enrolment(), as_bytes(text)));
    std::string why;
    const auto read = read_enrolment(files, &why);
    INFO(why);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    CHECK(why.contains(place));
  };
  refused_at("", "JSON");
  refused_at(good.substr(0, good.size() / 2), "JSON");
  refused_at(replaced(good, "\"version\": 1", "\"version\": 2"), "/version");
  refused_at(replaced(good, "\"camera\"", "\"kettle\""), "/role");
  refused_at(replaced(good, "\"04", "\"05"), "/owner");
  refused_at(replaced(good, "18883", "0"), "/broker/port");
  refused_at(replaced(good, "\"name\"", "\"nickname\""), "/nickname");
  refused_at(replaced(good, "\"authority\"", "\"authorities\""), "/authority");
}

TEST_CASE("names that no grant could carry are refused") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  auto enrolment = sample();
  enrolment.name = std::string(largest_name, 'x');
  CHECK(write_enrolment(files, enrolment));
  enrolment.name = std::string(largest_name + 1, 'x');
  CHECK_FALSE(write_enrolment(files, enrolment));
  enrolment.name = "\xff\xfe";
  CHECK_FALSE(write_enrolment(files, enrolment));
}

}  // namespace
}  // namespace sealcam::pairing
