// SPDX-License-Identifier: Apache-2.0
#include "appliance/radio.hpp"

#include <linux/genetlink.h>
#include <linux/nl80211.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "support/temporary_folder.hpp"

using namespace sealcam;
using appliance::NetlinkFamily;

namespace {

/// cfg80211 as far as it concerns a country: what it is told counts after so many looks, if it knows the country.
class FakeKernel final : public appliance::GenericNetlink {
 public:
  std::string known = "DE", rules = "00", told;
  int looks_until = 2, asked = 0;
  bool has_wifi = true, permits = true;

 private:
  static constexpr NetlinkFamily nl80211{35};

  static Bytes number_attribute(std::uint16_t type, std::uint16_t value) {
    // Two bytes as the kernel's own order has them, and two to fill up.
    auto out = appliance::text_attribute(type, "x");
    std::memcpy(out.data() + 4, &value, sizeof value);
    return out;
  }

  Result<Bytes> do_ask(NetlinkFamily family, std::uint8_t command, ByteView attributes) override {
    if (family == NetlinkFamily{GENL_ID_CTRL}) {
      CHECK(command == CTRL_CMD_GETFAMILY);
      CHECK(as_text(appliance::find_attribute(attributes, CTRL_ATTR_FAMILY_NAME).value()) ==
            std::string_view("nl80211", 8));
      if (!has_wifi) return fail(Errc::not_found, "fake");
      auto out = appliance::text_attribute(CTRL_ATTR_FAMILY_NAME, "nl80211");
      const auto id = number_attribute(CTRL_ATTR_FAMILY_ID, static_cast<std::uint16_t>(nl80211));
      out.insert(out.end(), id.begin(), id.end());
      return out;
    }
    CHECK(family == nl80211);
    if (command == NL80211_CMD_REQ_SET_REG) {
      if (!permits) return fail(Errc::permission, "fake");
      told = as_text(appliance::find_attribute(attributes, NL80211_ATTR_REG_ALPHA2).value()).substr(0, 2);
      return Bytes{};
    }
    CHECK(command == NL80211_CMD_GET_REG);
    if (++asked > looks_until && told == known) rules = told;
    return appliance::text_attribute(NL80211_ATTR_REG_ALPHA2, rules);
  }
};

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

TEST_CASE("the kernel is told a country, and waited for") {
  FakeKernel kernel;
  int pauses = 0;
  CHECK(appliance::tell_country(kernel, "DE", 10, [&] { ++pauses; }).has_value());
  CHECK(kernel.told == "DE");
  CHECK(pauses == kernel.looks_until);
}

TEST_CASE("a country that the kernel does not take is no success") {
  FakeKernel kernel;
  int pauses = 0;
  const auto r = appliance::tell_country(kernel, "ZZ", 10, [&] { ++pauses; });
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().code == Errc::timeout);
  CHECK(kernel.asked == 10);
  CHECK(pauses == 9);
}

TEST_CASE("a kernel without Wi-Fi, and one that forbids it, are told apart") {
  FakeKernel kernel;
  kernel.permits = false;
  CHECK(appliance::tell_country(kernel, "DE", 1, [] {}).error().code == Errc::permission);
  kernel.has_wifi = false;
  CHECK(appliance::tell_country(kernel, "DE", 1, [] {}).error().code == Errc::not_found);
  CHECK(kernel.told.empty());
}

TEST_CASE("attributes are found, and a list that breaks off has none") {
  auto list = appliance::text_attribute(1, "abc");
  const auto second = appliance::text_attribute(2, "d");
  list.insert(list.end(), second.begin(), second.end());
  CHECK(list.size() == 16);
  CHECK(as_text(appliance::find_attribute(list, 1).value()) == std::string_view("abc", 4));
  CHECK(as_text(appliance::find_attribute(list, 2).value()) == std::string_view("d", 2));
  CHECK_FALSE(appliance::find_attribute(list, 3).has_value());
  CHECK_FALSE(appliance::find_attribute({}, 1).has_value());
  CHECK_FALSE(appliance::find_attribute(ByteView(list).first(7), 1).has_value());
  CHECK_FALSE(appliance::find_attribute(ByteView(list).first(11), 2).has_value());
  list[0] = std::byte{0};  // a length that would go nowhere
  list[1] = std::byte{0};
  CHECK_FALSE(appliance::find_attribute(list, 2).has_value());
}

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
