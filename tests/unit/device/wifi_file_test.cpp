// SPDX-License-Identifier: Apache-2.0
#include "device/enrollment.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/file.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::device;

TEST_CASE("a Wi-Fi network that was written is read unchanged, and the file is private") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  CHECK(read_wifi_file(files).error().code == Errc::not_found);
  for (const char* text : {"12345678", "with \"quotes\" and \\ backslash", "                "}) {
    auto passphrase = protocol::Passphrase::parse(text);
    REQUIRE(passphrase);
    const protocol::Wifi wifi{Bytes{std::byte{0}, std::byte{0xff}}, std::move(*passphrase)};
    REQUIRE(write_wifi_file(files, wifi));
    const auto read = read_wifi_file(files);
    REQUIRE(read);
    CHECK(read->passphrase.reveal() == text);
    CHECK(read->ssid == wifi.ssid);
  }
  struct stat info{};
  REQUIRE(::stat(files.wifi().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("the result of joining is stored with the network, and a new network has none") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  auto passphrase = protocol::Passphrase::parse("12345678");
  const protocol::Wifi wifi{Bytes{std::byte{'a'}}, std::move(*passphrase)};
  WifiOutcome read{"left", 9};
  for (const auto& outcome : {WifiOutcome{"no_broker", 0}, WifiOutcome{"", 2}, WifiOutcome{"joined", 1}}) {
    REQUIRE(write_wifi_file(files, wifi, outcome));
    REQUIRE(read_wifi_file(files, &read));
    CHECK(read.word == outcome.word);
    CHECK(read.interrupted == outcome.interrupted);
  }
  REQUIRE(write_wifi_file(files, wifi));
  REQUIRE(read_wifi_file(files, &read));
  CHECK(read.word.empty());
  CHECK(read.interrupted == 0);
  for (const char* more : {R"("outcome": 1)", R"("outcome": "TWO words")", R"("interrupted": -1)"}) {
    const auto text = std::string(R"({"version": 1, "ssid": "61", "passphrase": "12345678", )") + more + "}";
    REQUIRE(write_file_durably(files.wifi(), as_bytes(text)));
    CHECK(read_wifi_file(files, &read).error().code == Errc::malformed);
  }
}

TEST_CASE("the error of a damaged Wi-Fi file names the file") {
  const test::TemporaryFolder folder;
  const StateFiles files{folder.path()};
  for (const char* content :
       {"", "{}", R"({"version": 2, "ssid": "61", "passphrase": "12345678"})",
        R"({"version": 1, "ssid": "", "passphrase": "12345678"})", R"({"version": 1, "ssid": "61", "passphrase": "1"})",
        R"({"version": 1, "ssid": "61", "passphrase": "12345678", "more": 1})"}) {
    REQUIRE(write_file_durably(files.wifi(), as_bytes(content)));
    const auto read = read_wifi_file(files);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    CHECK(std::string_view(read.error().what).contains("wifi.json"));
  }
}
