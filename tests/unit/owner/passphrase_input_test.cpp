// SPDX-License-Identifier: Apache-2.0
#include "owner/console.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "support/temporary_folder.hpp"

namespace sealcam::owner {
namespace {

Outcome<protocol::Passphrase> read_from(std::string_view content) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "passphrase";
  std::ofstream(file) << content;
  return read_wifi_passphrase(file.string(), "--password-file");
}

TEST_CASE("a Wi-Fi passphrase is the first line of its file, with any line end") {
  for (const char* content : {"geheimes 1", "geheimes 1\n", "geheimes 1\r\n", "geheimes 1\r\nsecond line\r\n"}) {
    const auto passphrase = read_from(content);
    REQUIRE(passphrase);
    CHECK(passphrase->reveal() == "geheimes 1");
  }
}

TEST_CASE("the error for an invalid Wi-Fi passphrase does not contain the passphrase") {
  for (const char* content : {"", "\n", "short\n", "geheimes\r1\n", "geheimes1\r\r\n", "geheimes1\xc3\xbc\n"}) {
    const auto passphrase = read_from(content);
    REQUIRE_FALSE(passphrase);
    CHECK(passphrase.error().exit_code == EX_USAGE);
    CHECK_FALSE(passphrase.error().message.contains("geheimes"));
  }
  CHECK_FALSE(read_from(std::string(1000, 'a')));
  CHECK(read_wifi_passphrase("/nonexistent", "--password-file").error().exit_code == EX_NOINPUT);
}

}  // namespace
}  // namespace sealcam::owner
