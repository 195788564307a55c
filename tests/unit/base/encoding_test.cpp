// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"
#include "base/types.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;

TEST_CASE("base32 follows RFC 4648 section 10, lower case and unpadded") {
  CHECK(to_base32(as_bytes("f")) == "my");
  CHECK(to_base32(as_bytes("fo")) == "mzxq");
  CHECK(to_base32(as_bytes("foo")) == "mzxw6");
  CHECK(to_base32(as_bytes("foob")) == "mzxw6yq");
  CHECK(to_base32(as_bytes("fooba")) == "mzxw6ytb");
  CHECK(to_base32(as_bytes("foobar")) == "mzxw6ytboi");
}

TEST_CASE("an identity has one text, and other texts are rejected") {
  std::array<std::byte, 20> raw;
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(i * 13 + 5);
  const DeviceId id(raw);
  const std::string text = id.to_string();
  CHECK(text.size() == DeviceId::text_size);
  CHECK(DeviceId::parse(text).value() == id);
  std::string upper = text;
  upper[0] = static_cast<char>(std::toupper(upper[0]));
  CHECK_FALSE(DeviceId::parse(upper));
  CHECK_FALSE(DeviceId::parse(text + "a"));
  CHECK_FALSE(DeviceId::parse(text.substr(1)));
  CHECK_FALSE(DeviceId::parse("0" + text.substr(1)));
}

TEST_CASE("base32 with unused bits that are not zero is rejected") {
  std::array<std::byte, 1> one;
  CHECK(from_base32("my", one));
  CHECK_FALSE(from_base32("mz", one));
}
