// SPDX-License-Identifier: Apache-2.0
#include "crypto/cbor.hpp"

#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <random>

#include "base/bytes.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;

namespace {

bool malformed(const auto& result) { return !result && result.error().code == Errc::malformed; }

/// Every getter on the same bytes must reject.
bool all_reject(ByteView in) {
  const auto rejects = [&](auto get) {
    CborReader reader(in);
    const bool rejected = malformed(get(reader));
    return rejected && reader.rest().size() == in.size();  // and does not advance
  };
  return rejects([](CborReader& r) { return r.integer(); }) &&
         rejects([](CborReader& r) { return r.unsigned_integer(); }) &&
         rejects([](CborReader& r) { return r.bytes(); }) && rejects([](CborReader& r) { return r.bytes(1); }) &&
         rejects([](CborReader& r) { return r.text(); }) && rejects([](CborReader& r) { return r.boolean(); }) &&
         rejects([](CborReader& r) { return r.array(); }) && rejects([](CborReader& r) { return r.map(); }) &&
         rejects([](CborReader& r) { return r.tag(); }) && rejects([](CborReader& r) { return r.key(0); }) &&
         rejects([](CborReader& r) { return r.skip(); });
}

Bytes sample() {
  CborWriter w;
  w.map(4).integer(1).integer(-7).integer(2).array(3).text("\u00e9\u6c34").boolean(true).bytes(hex("0011"));
  w.integer(-1).tag(18).unsigned_integer(std::numeric_limits<std::uint64_t>::max());
  w.integer(-2).map(1).text("a").bytes({});
  return w.take();
}

Result<> read_sample(ByteView in) {
  CborReader r(in);
  const auto then = [](const auto& result) -> Result<> {
    if (!result) return std::unexpected(result.error());
    return {};
  };
  return then(r.map(4))
      .and_then([&] { return r.key(1); })
      .and_then([&] { return then(r.integer()); })
      .and_then([&] { return r.key(2); })
      .and_then([&] { return r.array(3); })
      .and_then([&] { return then(r.text()); })
      .and_then([&] { return then(r.boolean()); })
      .and_then([&] { return then(r.bytes(2)); })
      .and_then([&] { return r.key(-1); })
      .and_then([&] { return then(r.tag()); })
      .and_then([&] { return then(r.unsigned_integer()); })
      .and_then([&] { return r.key(-2); })
      .and_then([&] { return r.map(1); })
      .and_then([&] { return then(r.text()); })
      .and_then([&] { return then(r.bytes()); })
      .and_then([&] { return r.finish(); });
}

}  // namespace

TEST_CASE("CBOR numbers match RFC 8949 appendix A") {
  const std::pair<std::int64_t, const char*> table[] = {
      {0, "00"},
      {1, "01"},
      {10, "0a"},
      {23, "17"},
      {24, "1818"},
      {25, "1819"},
      {100, "1864"},
      {255, "18ff"},
      {256, "190100"},
      {1000, "1903e8"},
      {65535, "19ffff"},
      {65536, "1a00010000"},
      {1000000, "1a000f4240"},
      {4294967295, "1affffffff"},
      {4294967296, "1b0000000100000000"},
      {1000000000000, "1b000000e8d4a51000"},
      {std::numeric_limits<std::int64_t>::max(), "1b7fffffffffffffff"},
      {-1, "20"},
      {-10, "29"},
      {-24, "37"},
      {-25, "3818"},
      {-100, "3863"},
      {-1000, "3903e7"},
      {std::numeric_limits<std::int64_t>::min(), "3b7fffffffffffffff"},
  };
  for (const auto& [value, encoded] : table) {
    CborWriter writer;
    writer.integer(value);
    CHECK(to_hex(writer.view()) == encoded);
    const auto in = hex(encoded);
    CborReader reader(in);
    CHECK(reader.integer() == value);
    CHECK(reader.finish());
  }
  const auto max_value = hex("1bffffffffffffffff"), max_negative = hex("3bffffffffffffffff");
  CHECK(CborReader(max_value).unsigned_integer() == std::numeric_limits<std::uint64_t>::max());
  CHECK(malformed(CborReader(max_value).integer()));
  CHECK(malformed(CborReader(max_negative).integer()));
  const auto negative = hex("20");
  CHECK(malformed(CborReader(negative).unsigned_integer()));
}

TEST_CASE("CBOR strings, containers and tags match RFC 8949 appendix A") {
  CborWriter writer;
  writer.bytes(hex("01020304"))
      .text("IETF")
      .text("\u00fc")
      .boolean(false)
      .boolean(true)
      .tag(0)
      .array(25)
      .map(2)
      .tag(998);
  CHECK(to_hex(writer.view()) ==
        "4401020304"
        "6449455446"
        "62c3bc"
        "f4"
        "f5"
        "c0"
        "9819"
        "a2"
        "d903e6");
  CHECK(to_hex(cbor_bytes_head(0).view()) == "40");
  CHECK(to_hex(cbor_bytes_head(24).view()) == "5818");
  CHECK(to_hex(cbor_bytes_head(145'000).view()) == "5a00023668");
}

TEST_CASE("a CBOR message can be read, and a truncated one cannot") {
  const auto message = sample();
  REQUIRE(read_sample(message));
  CborReader skipping(message);
  REQUIRE(skipping.skip());
  CHECK(skipping.finish());
  for (std::size_t n = 0; n < message.size(); ++n) {
    INFO(n);
    CHECK(malformed(read_sample(ByteView(message).first(n))));
    CHECK(malformed(CborReader(ByteView(message).first(n)).skip()));
  }
  auto longer = message;
  longer.push_back(std::byte{0});
  CHECK(malformed(read_sample(longer)));
}

TEST_CASE("peek reports every type") {
  const auto type = [](const char* text) {
    const auto in = hex(text);
    return CborReader(in).peek();
  };
  CHECK(type("") == CborType::end);
  CHECK(type("00") == CborType::integer);
  CHECK(type("20") == CborType::integer);
  CHECK(type("40") == CborType::bytes);
  CHECK(type("60") == CborType::text);
  CHECK(type("80") == CborType::array);
  CHECK(type("a0") == CborType::map);
  CHECK(type("d2") == CborType::tag);
  CHECK(type("f5") == CborType::boolean);
  CHECK(type("f6") == CborType::other);
}

TEST_CASE("numbers, lengths and tags that are not in their shortest form are rejected") {
  // For each major type, each value with every head that is too long.
  for (const unsigned major : {0U, 1U, 2U, 3U, 4U, 5U, 6U}) {
    for (const std::uint64_t value : {0ULL, 1ULL, 23ULL, 24ULL, 255ULL, 256ULL, 65535ULL, 65536ULL, 0xffffffffULL}) {
      const std::size_t min_size = value < 24 ? 0 : value <= 0xff ? 1 : value <= 0xffff ? 2 : 4;
      for (const unsigned width : {0U, 1U, 2U, 3U}) {
        const auto size = std::size_t{1} << width;
        if (size <= min_size) continue;
        if (value > 0x10000 && major != 0 && major != 1 && major != 6) continue;  // no room for the content
        Bytes in{static_cast<std::byte>(major << 5 | (24 + width))};
        for (std::size_t i = size; i-- > 0;) in.push_back(static_cast<std::byte>(value >> (8 * i)));
        in.resize(in.size() + (major >= 2 && major <= 5 ? 2 * value : 1));  // content: zeros
        INFO("major " << major << " value " << value << " in " << size << " bytes");
        CHECK(all_reject(in));
      }
    }
  }
}

TEST_CASE("indefinite lengths, floats, reserved heads and lone breaks are rejected") {
  for (const char* text : {"5f42010243030405ff",
                           "7f61616162ff",
                           "9f0102ff",
                           "9fff",
                           "bf0102ff",
                           "bfff",
                           "ff",
                           "f90000",
                           "fa00000000",
                           "fb0000000000000000",  // floating point
                           "f820",
                           "f8ff",
                           "f818",
                           "f0",
                           "e0",  // simple values
                           "1c00",
                           "1d00",
                           "1e00",
                           "1f",
                           "3c",
                           "5c",
                           "7d",
                           "9e",
                           "be",
                           "dc00",
                           "df00"}) {
    INFO(text);
    CHECK(all_reject(hex(text)));
  }
}

TEST_CASE("null and undefined can be skipped but not read") {
  for (const char* text : {"f6", "f7"}) {
    const auto in = hex(text);
    CborReader reader(in);
    CHECK(malformed(reader.boolean()));
    CHECK(malformed(reader.bytes()));
    CHECK(reader.skip());
    CHECK(reader.finish());
  }
}

TEST_CASE("huge lengths are rejected without an allocation") {
  for (const unsigned major : {2U, 3U, 4U, 5U}) {
    for (const std::uint64_t value : {0x100000000ULL, 0x100000005ULL, 0x7fffffffffffffffULL, 0x8000000000000000ULL,
                                      0xfffffffffffffff6ULL, 0xffffffffffffffffULL}) {
      Bytes in{static_cast<std::byte>(major << 5 | 27)};
      for (std::size_t i = 8; i-- > 0;) in.push_back(static_cast<std::byte>(value >> (8 * i)));
      in.resize(64);
      INFO("major " << major << " value " << value);
      CHECK(all_reject(in));
    }
  }
  const auto array = hex("8300"), map = hex("a2000000");
  CHECK(malformed(CborReader(array).array()));
  CHECK(malformed(CborReader(map).map()));
}

TEST_CASE("a wrong map key, a duplicate and a wrong order are rejected") {
  const auto read = [](const char* text) -> Result<> {
    const auto in = hex(text);
    CborReader r(in);
    if (auto x = r.map(2); !x) return x;
    if (auto x = r.key(1); !x) return x;
    if (auto x = r.skip(); !x) return x;
    if (auto x = r.key(2); !x) return x;
    if (auto x = r.skip(); !x) return x;
    return r.finish();
  };
  CHECK(read("a201000200"));  // control
  CHECK(malformed(read("a201000100")));
  CHECK(malformed(read("a202000100")));
  CHECK(malformed(read("a201000300")));
  CHECK(malformed(read("a2010041020000")));
}

TEST_CASE("skip requires ordered maps and at most eight levels") {
  const auto skip = [](const char* text) {
    const auto in = hex(text);
    CborReader r(in);
    return r.skip();
  };
  CHECK(skip("a3010002002000"));  // control: 1, 2, -1
  CHECK(malformed(skip("a3010020000200")));
  CHECK(malformed(skip("a201000100")));
  CHECK(malformed(skip("a2616200616100")));
  CHECK(skip("818181818181818100"));
  CHECK(malformed(skip("81818181818181818100")));
  CHECK(malformed(skip("a1c6c6c6c6c6c6c6c60000")));
  const Bytes bomb(100'000, std::byte{0x81});
  CHECK(malformed(CborReader(bomb).skip()));
  CHECK(malformed(skip("61ff")));
}

TEST_CASE("text must be UTF-8") {
  const auto text = [](const char* content) {
    const auto bytes = hex(content);
    Bytes in;
    in.push_back(static_cast<std::byte>(0x60 + bytes.size()));
    in.insert(in.end(), bytes.begin(), bytes.end());
    return CborReader(in).text().has_value();
  };
  CHECK(text("41c3a9e6b0b4f09f93b7"));
  CHECK(text("f48fbfbf"));
  for (const char* bad : {"80", "c3", "c080", "c1bf", "e0809f", "eda080", "edbfbf", "f0808080", "f4908080", "f5808080",
                          "ff", "e6b0", "f09f93", "41c328"})
    CHECK_FALSE(text(bad));
}

TEST_CASE("each accepted item has one encoding: writing it again gives the same bytes") {
  // Random heads. The test writes those again that are one integer.
  std::mt19937 random(1);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    Bytes in(1 + random() % 9);
    for (auto& b : in) b = static_cast<std::byte>(random());
    if (random() % 2) in[0] &= std::byte{0x3f};
    CborReader reader(in);
    if (reader.peek() != CborType::integer) {
      (void)reader.skip();
      continue;
    }
    const auto value = reader.integer();
    if (!value) continue;
    CborWriter writer;
    writer.integer(*value);
    REQUIRE(equal(writer.view(), ByteView(in).first(in.size() - reader.rest().size())));
    ++accepted;
  }
  CHECK(accepted > 10'000);
}
