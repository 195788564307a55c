// SPDX-License-Identifier: Apache-2.0
// Names of devices never take the place of ids.
#include "base/types.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <array>
#include <vector>

using namespace sealcam;

namespace {

using Devices = std::vector<NamedDevice>;

DeviceId id_of(unsigned number) {
  std::array<std::byte, DeviceId::size> bytes{};
  bytes[0] = static_cast<std::byte>(number);
  return DeviceId(bytes);
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

const DeviceId door = id_of(1), yard = id_of(2), absent = id_of(3);

}  // namespace

TEST_CASE("a text that parses as an id selects only the device with this id") {
  const auto id = door.to_string(), other = absent.to_string();
  for (const auto letters : {IdLetters::all, IdLetters::beginning}) {
    // The order of the devices does not matter.
    CHECK(select_device(id, Devices{{door, "Door"}, {yard, id}}, letters) == door);
    CHECK(select_device(id, Devices{{yard, id}, {door, "Door"}}, letters) == door);
    CHECK(select_device(upper(id), Devices{{yard, upper(id)}, {door, id}}, letters) == door);
    // The id of no device does not become a name.
    const Devices named_like_an_id{{yard, other}, {door, "Door"}};
    CHECK(select_device(other, named_like_an_id, letters).error().code == Errc::not_found);
    CHECK(select_device(upper(other), named_like_an_id, letters).error().code == Errc::not_found);
  }
}

TEST_CASE("a name selects a device only if no other device has it, and an error lists the ids") {
  const Devices unique{{door, "Door"}, {yard, "Yard"}};
  CHECK(select_device("Yard", unique, IdLetters::all) == yard);
  CHECK(select_device("yard", unique, IdLetters::all).error().code == Errc::not_found);
  CHECK(select_device("", Devices{{door, ""}}, IdLetters::all).error().code == Errc::not_found);
  CHECK(select_device("Door", {}, IdLetters::all).error().code == Errc::not_found);
  const Devices same{{door, "Door"}, {yard, "Door"}};
  const auto several = select_device("Door", same, IdLetters::all);
  REQUIRE_FALSE(several);
  CHECK(several.error().code == Errc::conflict);
  CHECK(*several.error().place == door.to_string() + ", " + yard.to_string());
}

TEST_CASE("the beginning of an id selects a device only where that is allowed, and never against a name") {
  const auto begins = door.to_string().substr(0, 8);
  const Devices devices{{door, "Door"}, {yard, "Yard"}};
  CHECK(select_device(begins, devices, IdLetters::beginning) == door);
  CHECK(select_device(begins, devices, IdLetters::all).error().code == Errc::not_found);
  const Devices collides{{door, "Door"}, {yard, begins}};
  CHECK(select_device(begins, collides, IdLetters::all) == yard);
  CHECK(select_device(begins, collides, IdLetters::beginning).error().code == Errc::conflict);
}

TEST_CASE("a name with the form of an id, or with invisible characters, is no name") {
  CHECK(is_device_name("Haust\xc3\xbcr 2"));
  CHECK(is_device_name(door.to_string() + "a"));
  CHECK_FALSE(is_device_name(door.to_string()));
  CHECK_FALSE(is_device_name(upper(door.to_string())));
  CHECK_FALSE(is_device_name("Do\xe2\x80\x8bor"));      // U+200B, zero width
  CHECK_FALSE(is_device_name("\xe2\x80\xaerood"));      // U+202E, right to left
  CHECK_FALSE(is_device_name("Door\xf3\xa0\x81\xa1"));  // U+E0061, a tag
  CHECK_FALSE(is_device_name("Door\x1b[2J"));
  CHECK_FALSE(is_device_name(""));
  CHECK_FALSE(is_device_name(std::string(65, 'x')));
}

TEST_CASE("the shown form of a name is never an id and has no invisible characters") {
  CHECK(shown_device_name("Door") == "Door");
  CHECK(shown_device_name(door.to_string()) == "'" + door.to_string() + "'");
  CHECK(shown_device_name("Do\xe2\x80\x8bor\n\x1b[31m") == "Do?or??[31m");
  CHECK(shown_device_name(std::string(500, 'x')).size() == 64);
  for (const auto& sent : {door.to_string(), upper(door.to_string())})
    CHECK_FALSE(as_device_id(shown_device_name(sent)));
}
