// SPDX-License-Identifier: Apache-2.0
#include "base/config.hpp"
#include "base/format.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;

TEST_CASE("values are read by pointer, with defaults") {
  ConfigReader reader(R"({"broker":{"host":"b","port":8883},"rate":29.97,"loop":true,"list":["a","b"]})");
  CHECK(reader.text("/broker/host", "x") == "b");
  CHECK(reader.integer("/broker/port", 1, 1, 65535) == 8883);
  CHECK(reader.number("/rate", 1, 0, 100) == 29.97);
  CHECK(reader.boolean("/loop", false));
  CHECK(reader.texts("/list") == std::vector<std::string>{"a", "b"});
  CHECK(reader.text("/absent", "d") == "d");
  CHECK_FALSE(reader.finish());
}

TEST_CASE("invalid JSON is an error with a position and without the text") {
  const auto error = [](std::string_view text) { return ConfigReader(text).finish().value_or(""); };
  CHECK(error("").contains("line 1, column 1,"));
  CHECK(error("{").contains("line 1, column 2,"));
  CHECK(error("{\n  \"a\": 1\n  \"geheim\": 2}").contains("line 3, column 10,"));  // a comma is missing
  CHECK(error("{\r\n\"psk\": geheim}").contains("line 2, column 8,"));
  CHECK(error("{\"psk\": \"ge\"heim\"}").contains("line 1, column 13,"));
  CHECK(error("{\"psk\": \"geheim\n\"}").contains("line 1, column 16,"));
  CHECK(error("{\"a\": 1e999}").contains("not valid JSON"));
  for (const auto* text :
       {"geheim", "{\"psk\": geheim}", "{\"psk\": \"ge\"heim\"}", "{\"psk\": \"geheim", "{'psk': 'geheim'}"}) {
    CAPTURE(text);
    CHECK(error(text).contains("not valid JSON: line 1"));
    CHECK_FALSE(error(text).contains("ge"));
    CHECK_FALSE(error(text).contains("heim"));
  }
  CHECK_FALSE(ConfigReader("{\n}").finish());  // control
}

TEST_CASE("a NUL byte ends no document: what follows it is not ignored") {
  const auto error = [](std::string_view text) { return ConfigReader(text).finish().value_or(""); };
  for (const std::string_view text :
       {std::string_view("{}\0", 3), std::string_view("{}\0more", 7), std::string_view("\0{}", 3),
        std::string_view("{\0}", 3), std::string_view("{} // \0\n", 8), std::string_view("{\"\0\":1}", 7)})
    CHECK(error(text).contains("NUL"));
  CHECK(error(std::string_view("{\n}\0", 4)).contains("line 2, column 2,"));
  CHECK(error("{}") == "");  // control
}

TEST_CASE("an editor's own form of a text is an error with the next step") {
  const auto error = [](std::string_view text) { return ConfigReader(text).finish().value_or(""); };
  using namespace std::string_view_literals;
  for (const auto text : {"\xff\xfe{\0}\0"sv, "\xfe\xff\0{\0}"sv, "{\0}\0"sv, "\0{\0}"sv})
    CHECK(error(text).contains("UTF-16; save it as UTF-8"));
  CHECK(error("{\\rtf1\\ansi {\"name\": \"Shed\"}}").contains("plain text"));
  CHECK(error("PK\x03\x04geheim").contains("plain text"));
  for (const auto* text :
       {"{\u201cname\u201d: 1}", "{\"name\": \u201cgeheim\u201d}", "{\u2018name\u2019: 1}", "{\u00abname\u00bb: 1}"}) {
    CHECK(error(text).contains("straight"));
    CHECK_FALSE(error(text).contains("geheim"));
  }
  CHECK(error("{\"name\": \"K\xfc"
              "che\"}")
            .contains("save the text as UTF-8"));
  CHECK(error("").ends_with("the file is empty"));
  CHECK(error(std::string_view("\0\0\0\0\0\0", 6)).ends_with("was not written completely"));  // after a power cut
  // Controls: a byte order mark of UTF-8, other characters, and other mistakes beside them.
  CHECK_FALSE(ConfigReader("\xef\xbb\xbf{\r\n}").finish());
  CHECK(error("\xef\xbb\xbf{\"name\": \"K\u00fcche\"}").contains("/name: unknown setting"));
  CHECK(error("{\"name\": \"K\u00fcche\" 1}").ends_with("or just before"));
  CHECK(error("{\"name\": \"\u201cK\u201d\"}").contains("/name: unknown setting"));
}

TEST_CASE("an unknown setting is an error that names its place") {
  ConfigReader reader(R"({"broker":{"host":"b","prot":1}})");
  CHECK(reader.text("/broker/host", "") == "b");
  CHECK(reader.finish().value().contains("/broker/prot"));
}

TEST_CASE("an empty unknown setting is an error") {
  for (const auto* text : {R"({"wlan":{}})", R"({"wlan":[]})", R"({"wlan":[{}]})", R"({"wlan":{"a":{}}})",
                           R"({"wlan":{"a":[[]]}})", R"({"wlan":null})", R"({"broker":{"wlan":{}}})"}) {
    CAPTURE(text);
    ConfigReader reader(text);
    CHECK(reader.text("/broker/host", "").empty());
    CHECK(reader.finish().value_or("").contains("/wlan"));
  }
  ConfigReader nameless(R"({"":{}})");
  CHECK(nameless.finish().value_or("").contains("/: unknown setting"));
  // Unknown names that start like a known one.
  ConfigReader alike(R"({"broker":{"host":"b"},"brok":{},"broker-2":{}})");
  CHECK(alike.text("/broker/host", "") == "b");
  CHECK(alike.finish().value_or("").contains("/brok"));
}

TEST_CASE("a known setting may be empty") {
  ConfigReader reader(R"({"broker":{},"list":[],"records":[],"controls":{}})");
  CHECK(reader.text("/broker/host", "b") == "b");
  CHECK(reader.texts("/list").empty());
  CHECK(reader.size("/records") == 0);
  CHECK(reader.keys("/controls").empty());
  CHECK_FALSE(reader.finish());
  CHECK_FALSE(ConfigReader("{}").finish());
  ConfigReader list(R"({"broker":[]})");  // an object is expected
  CHECK(list.text("/broker/host", "b") == "b");
  CHECK(list.finish().value_or("").contains("/broker"));
}

TEST_CASE("a duplicate setting is an error") {
  for (const auto* text : {R"({"a":1,"a":2})", R"({"b":{"a":1,"c":{},"a":1}})",
                           R"({"b":[{"a":1},{"c":1,"a":1,"a":1}]})", R"({"a":1,"\u0061":1})"})
    CHECK(ConfigReader(text).finish().value_or("").contains("a occurs twice"));
  ConfigReader alike(R"({"a":{"a":1},"b":[{"a":1},{"a":1}],"A":1})");  // control
  CHECK(alike.integer("/a/a", 0, 0, 9) + alike.integer("/b/0/a", 0, 0, 9) + alike.integer("/b/1/a", 0, 0, 9) == 3);
  CHECK(alike.integer("/A", 0, 0, 9) == 1);
  CHECK_FALSE(alike.finish());
}

TEST_CASE("the names of unknown settings are printable and short in messages") {
  ConfigReader evil(R"({"\u001b[2J\n<0>all is well":1})");
  const auto message = evil.finish().value_or("");
  CHECK(message == "/?[2J?<0>all is well: unknown setting");
  ConfigReader deep(R"({"wifi":{"\u009b31m":{}}})");
  CHECK(deep.finish().value_or("") == "/wifi/?31m: unknown setting");
  ConfigReader long_one(sealcam::format(R"({{"{}":1}})", std::string(100'000, 'x')));
  CHECK(long_one.finish().value_or("").size() < 300);
}

TEST_CASE("range, type and syntax errors name their place") {
  ConfigReader range(R"({"port":70000})");
  CHECK(range.integer("/port", 1, 1, 65535) == 1);
  CHECK(range.finish().value().contains("/port"));
  ConfigReader type(R"({"port":"x"})");
  CHECK(type.integer("/port", 1, 1, 65535) == 1);
  CHECK(type.finish());
  CHECK(ConfigReader("{").finish());
  CHECK(ConfigReader("[]").finish());
  ConfigReader missing("{}");
  CHECK(missing.required_text("/account").empty());
  CHECK(missing.finish().value().contains("/account"));
}

TEST_CASE("huge numbers do not wrap around") {
  ConfigReader reader(R"({"n":18446744073709551615})");
  CHECK(reader.integer("/n", 7, -10, 10) == 7);
  CHECK(reader.finish());
}

TEST_CASE("nesting is limited for texts of any length") {
  const auto nested = [](std::size_t levels) {
    return std::string(R"({"a":)") + std::string(levels - 1, '[') + "1" + std::string(levels - 1, ']') + "}";
  };
  ConfigReader deepest(nested(ConfigReader::max_depth));
  CHECK(deepest.finish().value().contains("unknown setting"));  // control: parsed and rejected as unknown
  CHECK(ConfigReader(nested(ConfigReader::max_depth + 1)).finish().value().contains("nested more than 16 deep"));
  CHECK(ConfigReader(R"({"a":)" + std::string(16, '[') + std::string(16, ']') + "}").finish().value().contains("deep"));
  CHECK(ConfigReader(nested(500'000)).finish().value().contains("nested more than 16 deep"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  CHECK(ConfigReader(objects).finish().value().contains("nested"));
}
