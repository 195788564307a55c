// SPDX-License-Identifier: Apache-2.0
#include "image_init/card.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/temporary_folder.hpp"

using namespace sealcam;
using image_init::parse_settings;

TEST_CASE("valid settings are accepted") {
  const auto all =
      parse_settings(R"({"name": "Front door", "wifi": {"ssid": "Büro", "psk": "a b\\c=d;e#"}, "country": "DE"})");
  REQUIRE(all.has_value());
  CHECK(all->host_name == "front-door");
  CHECK(all->country == "DE");
  REQUIRE(all->wifi.has_value());
  CHECK(as_text(all->wifi->ssid) == "Büro");
  CHECK(all->wifi->passphrase.reveal() == "a b\\c=d;e#");
  const auto none = parse_settings("{}");
  REQUIRE(none.has_value());
  CHECK(none->host_name.empty());
  CHECK_FALSE(none->wifi.has_value());
}

TEST_CASE("the error of rejected settings names the place and does not contain the passphrase") {
  const auto problem = [](std::string_view text) {
    const auto r = parse_settings(text);
    return r ? std::string("accepted") : r.error();
  };
  CHECK(problem(R"({"nmae": "x"})").contains("/nmae"));
  CHECK(problem(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hiden": true}})").contains("/wifi/hiden"));
  CHECK(problem(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hidden": "yes"}})").contains("/wifi/hidden"));
  CHECK(problem(R"({"wlan": {}})").contains("/wlan"));
  CHECK(problem(R"({"wifi": {}})").contains("/wifi/ssid"));
  CHECK(problem(R"({"wifi": {"psk": "geheimes1"}})").contains("/wifi/ssid"));
  CHECK(problem(R"({"wifi": {"ssid": "", "psk": "geheimes1"}})").contains("/wifi/ssid"));
  CHECK(
      problem(R"({"wifi": {"ssid": "123456789012345678901234567890123", "psk": "geheimes1"}})").contains("/wifi/ssid"));
  CHECK(problem(R"({"wifi": {"ssid": "a", "psk": "short"}})").contains("/wifi/psk"));
  CHECK(problem(R"({"wifi": {"ssid": "a", "psk": "has\nanother line"}})").contains("/wifi/psk"));
  CHECK(problem(R"({"country": "de"})").contains("/country"));
  CHECK(problem(R"({"name": "---"})").contains("/name"));
  CHECK(problem("not json") != "accepted");
  CHECK(problem("") != "accepted");
  for (const auto* text :
       {R"({"wifi": {"ssid": "", "psk": "geheimes1"}})", R"({"wifi": {"ssid": "a", "psk": "geheimes1"}, "x": 1})"})
    CHECK_FALSE(problem(text).contains("geheimes1"));
}

TEST_CASE("a host name is one label of letters, digits and hyphens") {
  CHECK(image_init::host_name_of("Front door") == "front-door");
  CHECK(image_init::host_name_of("  -Büro  2- ") == "b-ro-2");
  CHECK(image_init::host_name_of("a\n127.0.0.1 bank.example") == "a-127-0-0-1-bank-example");
  CHECK(image_init::host_name_of("").empty());
  CHECK(image_init::host_name_of("\xc3\xa4").empty());
  const auto max = image_init::host_name_of(std::string(62, 'a') + "-bcd");
  CHECK(max == std::string(62, 'a'));
}

TEST_CASE("a network name or passphrase cannot add lines to the connection file") {
  const auto settings = parse_settings(R"({"wifi": {"ssid": "x\npsk=evil", "psk": " two  spaces\\n "}})");
  REQUIRE(settings.has_value());
  const auto file = image_init::connection_file(image_init::connection_files[0], *settings->wifi, false);
  CHECK(file.contains("\nssid=120;10;112;115;107;61;101;118;105;108;\n"));
  CHECK(file.contains("\npsk=\\stwo\\s\\sspaces\\\\n\\s\n"));
  CHECK_FALSE(file.contains("\npsk=evil"));
}

TEST_CASE("a byte order mark before the settings is ignored") {
  const auto settings = parse_settings("\xef\xbb\xbf{\"country\": \"DE\"}\r\n");
  REQUIRE(settings.has_value());
  CHECK(settings->country == "DE");
}

TEST_CASE("only the file of a hidden network contains hidden=true") {
  for (const auto& [json, hidden] :
       {std::pair(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hidden": true}})", true),
        std::pair(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hidden": false}})", false),
        std::pair(R"({"wifi": {"ssid": "a", "psk": "geheimes1"}})", false)}) {
    const auto settings = parse_settings(json);
    REQUIRE(settings.has_value());
    CHECK(settings->wifi_hidden == hidden);
    for (const auto& kind : image_init::connection_files) {
      const auto file = image_init::connection_file(kind, *settings->wifi, settings->wifi_hidden);
      CHECK(file.contains("[wifi]\nmode=infrastructure\n" + std::string(hidden ? "hidden=true\n" : "") + "ssid="));
      CHECK(file.contains("hidden") == hidden);
    }
  }
}

TEST_CASE("the connection files fit networks with WPA2 and networks with only WPA3, and are different profiles") {
  const auto settings = parse_settings(R"({"wifi": {"ssid": "a", "psk": "geheimes1"}})");
  REQUIRE(settings.has_value());
  const auto file = [&](std::size_t i) {
    return image_init::connection_file(image_init::connection_files[i], *settings->wifi, false);
  };
  CHECK(file(0).starts_with("[connection]\nid=sealcam-card\nuuid=5ea1ca30-0000-4000-8000-000000000001\ntype=wifi\n"));
  CHECK(file(0).contains("[wifi-security]\nkey-mgmt=wpa-psk\npsk=geheimes1\n"));
  CHECK(file(1).starts_with("[connection]\nid=sealcam-card-wpa3\nuuid=5ea1ca30-0000-4000-8000-000000000002\n"));
  CHECK(file(1).contains("[wifi-security]\nkey-mgmt=sae\npsk=geheimes1\n"));
}

namespace {

/// The format of wireless-regdb: "RGDB", version 20, the countries with the places of their rules, a zero.
Bytes database(std::string_view countries, std::byte version = std::byte{20}) {
  Bytes out;
  for (const char c : std::string_view("RGDB\0\0\0", 7)) out.push_back(static_cast<std::byte>(c));
  out.push_back(version);
  for (std::size_t i = 0; i + 2 <= countries.size(); i += 2)
    for (const char c : {countries[i], countries[i + 1], '\1', '\2'}) out.push_back(static_cast<std::byte>(c));
  out.resize(out.size() + 4);
  for (const char c : std::string_view("rulesZZof01all02")) out.push_back(static_cast<std::byte>(c));
  return out;
}

}  // namespace

TEST_CASE("has_rules() finds a country in regulatory.db") {
  const auto rules = database("00ADDEUS");
  CHECK(image_init::has_rules(ByteView(rules), "DE") == true);
  CHECK(image_init::has_rules(ByteView(rules), "US") == true);
  CHECK(image_init::has_rules(ByteView(rules), "ZZ") == false);  // its letters are in the file, behind the list
}

TEST_CASE("has_rules() returns nothing for another file format") {
  const auto other = database("DE", std::byte{21});
  CHECK_FALSE(image_init::has_rules(ByteView(other), "DE").has_value());
  CHECK_FALSE(image_init::has_rules(as_bytes("RGDBDE"), "DE").has_value());
  CHECK_FALSE(image_init::has_rules(as_bytes("XXXX\0\0\0\x14"), "DE").has_value());
  const auto rules = database("00ADDE");
  CHECK_FALSE(image_init::has_rules(ByteView(rules).first(16), "DE").has_value());  // breaks off
  const test::TemporaryFolder folder;
  CHECK_FALSE(image_init::has_rules(folder.path() / "none", "DE").has_value());
}

TEST_CASE("a country is two capital letters") {
  CHECK(image_init::is_country("DE"));
  for (const auto* bad : {"", "D", "de", "DEU", "D1", "00", "D\n"}) CHECK_FALSE(image_init::is_country(bad));
}
