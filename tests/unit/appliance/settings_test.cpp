// SPDX-License-Identifier: Apache-2.0
#include "appliance/settings.hpp"

#include <catch2/catch_test_macros.hpp>

#include "appliance/connection_file.hpp"

using namespace sealcam;
using appliance::parse_settings;

TEST_CASE("settings of a card are read") {
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

TEST_CASE("wrong settings are refused with their place, and never with the passphrase") {
  const auto said = [](std::string_view text) {
    const auto r = parse_settings(text);
    return r ? std::string("accepted") : r.error();
  };
  CHECK(said(R"({"nmae": "x"})").contains("/nmae"));
  CHECK(said(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hiden": true}})").contains("/wifi/hiden"));
  CHECK(said(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hidden": "yes"}})").contains("/wifi/hidden"));
  CHECK(said(R"({"wlan": {}})").contains("/wlan"));
  CHECK(said(R"({"wifi": {}})").contains("/wifi/ssid"));
  CHECK(said(R"({"wifi": {"psk": "geheimes1"}})").contains("/wifi/ssid"));
  CHECK(said(R"({"wifi": {"ssid": "", "psk": "geheimes1"}})").contains("/wifi/ssid"));
  CHECK(said(R"({"wifi": {"ssid": "123456789012345678901234567890123", "psk": "geheimes1"}})").contains("/wifi/ssid"));
  CHECK(said(R"({"wifi": {"ssid": "a", "psk": "short"}})").contains("/wifi/psk"));
  CHECK(said(R"({"wifi": {"ssid": "a", "psk": "has\nanother line"}})").contains("/wifi/psk"));
  CHECK(said(R"({"country": "de"})").contains("/country"));
  CHECK(said(R"({"name": "---"})").contains("/name"));
  CHECK(said("not json") != "accepted");
  CHECK(said("") != "accepted");
  for (const auto* text :
       {R"({"wifi": {"ssid": "", "psk": "geheimes1"}})", R"({"wifi": {"ssid": "a", "psk": "geheimes1"}, "x": 1})"})
    CHECK_FALSE(said(text).contains("geheimes1"));
}

TEST_CASE("a host name is one label of letters, digits and hyphens") {
  CHECK(appliance::host_name_of("Front door") == "front-door");
  CHECK(appliance::host_name_of("  -Büro  2- ") == "b-ro-2");
  CHECK(appliance::host_name_of("a\n127.0.0.1 bank.example") == "a-127-0-0-1-bank-example");
  CHECK(appliance::host_name_of("").empty());
  CHECK(appliance::host_name_of("\xc3\xa4").empty());
  const auto longest = appliance::host_name_of(std::string(62, 'a') + "-bcd");
  CHECK(longest == std::string(62, 'a'));
}

TEST_CASE("a connection's file cannot be left by what is in it") {
  const auto settings = parse_settings(R"({"wifi": {"ssid": "x\npsk=evil", "psk": " two  spaces\\n "}})");
  REQUIRE(settings.has_value());
  const auto file = appliance::connection_file(*settings->wifi, false);
  CHECK(file.contains("\nssid=120;10;112;115;107;61;101;118;105;108;\n"));
  CHECK(file.contains("\npsk=\\stwo\\s\\sspaces\\\\n\\s\n"));
  CHECK_FALSE(file.contains("\npsk=evil"));
}

TEST_CASE("a network that does not say its name is called by it, no other") {
  for (const auto& [json, hidden] :
       {std::pair(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hidden": true}})", true),
        std::pair(R"({"wifi": {"ssid": "a", "psk": "geheimes1", "hidden": false}})", false),
        std::pair(R"({"wifi": {"ssid": "a", "psk": "geheimes1"}})", false)}) {
    const auto settings = parse_settings(json);
    REQUIRE(settings.has_value());
    CHECK(settings->wifi_hidden == hidden);
    const auto file = appliance::connection_file(*settings->wifi, settings->wifi_hidden);
    CHECK(file.contains("[wifi]\nmode=infrastructure\n" + std::string(hidden ? "hidden=true\n" : "") + "ssid="));
    CHECK(file.contains("hidden") == hidden);
  }
}
