// SPDX-License-Identifier: Apache-2.0
#include "appliance/radio.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/temporary_folder.hpp"

using namespace sealcam;

namespace {

/// As wireless-regdb makes it: "RGDB", version 20, countries and where their rules are, a zero.
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

TEST_CASE("countries are looked up in the kernel's own database") {
  const auto rules = database("00ADDEUS");
  CHECK(appliance::has_rules(ByteView(rules), "DE") == true);
  CHECK(appliance::has_rules(ByteView(rules), "US") == true);
  CHECK(appliance::has_rules(ByteView(rules), "ZZ") == false);  // its letters are in the file, behind the list
}

TEST_CASE("what is no database knows nothing") {
  const auto other = database("DE", std::byte{21});
  CHECK_FALSE(appliance::has_rules(ByteView(other), "DE").has_value());
  CHECK_FALSE(appliance::has_rules(as_bytes("RGDBDE"), "DE").has_value());
  CHECK_FALSE(appliance::has_rules(as_bytes("XXXX\0\0\0\x14"), "DE").has_value());
  const auto rules = database("00ADDE");
  CHECK_FALSE(appliance::has_rules(ByteView(rules).first(16), "DE").has_value());  // breaks off
  const test::TemporaryFolder folder;
  CHECK_FALSE(appliance::has_rules(folder.path() / "none", "DE").has_value());
}

TEST_CASE("a country is two capital letters") {
  CHECK(appliance::is_country("DE"));
  for (const auto* bad : {"", "D", "de", "DEU", "D1", "00", "D\n"}) CHECK_FALSE(appliance::is_country(bad));
}
