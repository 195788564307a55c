// SPDX-License-Identifier: Apache-2.0
#include "base/format.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;

TEST_CASE("printable text does not change") {
  for (const auto* text : {"", "Front door", "B\xc3\xbcro \xe2\x82\xac", "\xf0\x9f\x9a\xaa", "a~b\\c\"", "\xc2\xa0"})
    CHECK(printable(text, 100) == text);
}

TEST_CASE("control characters become question marks") {
  CHECK(printable("\x1b[2Jx\r\ny\x7f", 100) == "?[2Jx??y?");
  CHECK(printable(std::string_view("a\0b", 3), 100) == "a?b");
  CHECK(printable("\xc2\x9b"
                  "31m",
                  100) == "?31m");  // U+009B, which means ESC [
  CHECK(printable("abc\xe2\x80\xae"
                  "fdp.exe",
                  100) == "abc?fdp.exe");  // U+202E, right to left from here
  CHECK(printable("\xe2\x81\xa6\xe2\x80\xa8", 100) == "??");
}

TEST_CASE("characters without a visible form become question marks") {
  CHECK(printable("a\xe2\x80\x8b"
                  "b\xc2\xad"
                  "c",
                  100) == "a?b?c");                                                 // zero width space, soft hyphen
  CHECK(printable("\xe2\x81\xa0\xe3\x85\xa4\xef\xbe\xa0", 100) == "???");           // word joiner, Hangul fillers
  CHECK(printable("\xf3\xa0\x80\xa0", 100) == "?");                                 // a tag, U+E0020
  CHECK(printable("\xe2\x9d\xa4\xef\xb8\x8f", 100) == "\xe2\x9d\xa4\xef\xb8\x8f");  // a heart as a color picture
}

TEST_CASE("bytes that are not UTF-8 become question marks") {
  CHECK(printable("\xff\x80", 100) == "??");
  CHECK(printable("\xc0\xaf", 100) == "??");  // an overlong slash
  CHECK(printable("\xe0\x80\xaf", 100) == "???");
  CHECK(printable("\xed\xa0\x80", 100) == "???");       // a surrogate
  CHECK(printable("\xf4\x90\x80\x80", 100) == "????");  // beyond U+10FFFF
  CHECK(printable("a\xe2\x82", 100) == "a??");          // cut short
  CHECK(printable("\xe2"
                  "ab",
                  100) == "?ab");
}

TEST_CASE("a long text is cut between two characters") {
  CHECK(printable("abcdef", 3) == "abc");
  CHECK(printable("ab\xc3\xbc", 3) == "ab");
  CHECK(printable("ab\xc3\xbc", 4) == "ab\xc3\xbc");
  CHECK(printable("abc", 0).empty());
  CHECK(printable(std::string(1'000'000, '\x1b'), 200) == std::string(200, '?'));
}
