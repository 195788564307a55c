// SPDX-License-Identifier: Apache-2.0
#include "owner/record/recorder.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <set>

#include "base/file.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::owner {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

CaptureTime at(microseconds t) { return {1'790'000'000s + t}; }
BootTime arrived(microseconds t) { return {1h + t}; }

// A key frame of 16x16 (SPS, PPS, IDR slice) and a delta (P slice). Their content does not decode.
constexpr std::array<unsigned char, 37> key_bytes = {
    0,    0, 0, 1, 0x67, 0x42, 0xc0, 0x0a, 0xda, 0x7b, 0x01, 0x10, 0,    0,    0,    1,    0x68, 0xce, 0x3c,
    0x80, 0, 0, 0, 1,    0x65, 0x88, 0x84, 0x00, 0x10, 0xff, 0xfe, 0xf6, 0xf0, 0xfe, 0x05, 0x36, 0x80};
constexpr std::array<unsigned char, 12> delta_bytes = {0, 0, 0, 1, 0x41, 0x9a, 0x24, 0x6c, 0x41, 0x4f, 0xfe, 0x80};

Recordable picture(bool key, microseconds t, std::uint16_t width = 16) {
  const auto unit =
      key ? ByteView(std::as_bytes(std::span(key_bytes))) : ByteView(std::as_bytes(std::span(delta_bytes)));
  return {.access_unit = unit, .key = key, .captured = at(t), .received = arrived(t), .width = width, .height = 16};
}

TEST_CASE("an MP4 file begins with a key frame, has one size and is private") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4";
  auto recorder = record_mp4(path);
  REQUIRE(recorder);
  CHECK((*recorder)->add(picture(false, 0us)).error().code == Errc::invalid_argument);
  REQUIRE((*recorder)->add(picture(true, 0us)));
  REQUIRE((*recorder)->add(picture(false, 40ms)));
  CHECK((*recorder)->add(picture(true, 80ms, 32)).error().code == Errc::unsupported);
  REQUIRE((*recorder)->finish());
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto content = read_file(path, 1 << 20);
  REQUIRE(content);
  CHECK(as_text(*content).substr(4, 4) == "ftyp");
  CHECK(as_text(*content).contains("avcC"));
  CHECK(as_text(*content).contains("moof"));
}

TEST_CASE("each reason that the camera's messages tell has its own text") {
  using enum watch::Reason;
  std::set<std::string_view> texts;
  for (const auto reason : {privacy, deregistered, sensor_fault, picture_fault, encoder_fault, unconfirmed})
    texts.insert(why_not_live(reason));
  CHECK(texts.size() == 6);
  CHECK_FALSE(texts.contains(""));
  CHECK(why_not_live(unconfirmed).contains("may be an old one"));
  CHECK(why_not_live(no_answer).empty());  // 'sealcam watch' looks for another cause
}

TEST_CASE("an interrupted recording contains the complete fragments") {
  const test::TemporaryFolder folder;
  auto recorder = record_mp4(folder.path() / "x.mp4");
  REQUIRE(recorder);
  for (int i = 0; i < 30; ++i) REQUIRE((*recorder)->add(picture(i % 10 == 0, i * 40ms)));
  const auto content = read_file(folder.path() / "x.mp4", 1 << 20);  // finish() was not called
  REQUIRE(content);
  CHECK(as_text(*content).contains("moof"));
}

TEST_CASE("a recording replaces an existing file with its first picture, and is then playable") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4";
  const auto content = [&] { return std::string(as_text(read_file(path, 1 << 20).value())); };
  REQUIRE(write_file_durably(path, as_bytes("older")));
  {
    auto recorder = record_mp4(path);
    REQUIRE(recorder);
    CHECK(content() == "older");
    CHECK_FALSE((*recorder)->add(picture(false, 0us)));
    REQUIRE((*recorder)->finish());
  }
  CHECK(content() == "older");
  auto recorder = record_mp4(path);
  REQUIRE(recorder);
  REQUIRE((*recorder)->add(picture(true, 0us)));
  CHECK(content() == "older");  // a picture is written when its duration is known
  SECTION("a second picture") { REQUIRE((*recorder)->add(picture(false, 40ms))); }
  SECTION("the end") { REQUIRE((*recorder)->finish()); }
  CHECK(content().contains("moof"));
  CHECK(content().contains(as_text(std::as_bytes(std::span(key_bytes)).last(13))));
}

TEST_CASE("the end of a reader is not an error of the output") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  ::close(ends[0]);
  CHECK(record_annex_b(ends[1])->add(picture(true, 0us)).error().code == Errc::end_of_stream);
  ::close(ends[1]);
  std::signal(SIGPIPE, before);
}

TEST_CASE("a full disk leaves the existing file") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4";
  REQUIRE(write_file_durably(path, as_bytes("older")));
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const rlimit limit{.rlim_cur = 100, .rlim_max = old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::string error;
  {
    auto recorder = record_mp4(path);
    if (recorder && (*recorder)->add(picture(true, 0us))) {
      const auto added = (*recorder)->add(picture(false, 40ms));
      if (!added) error = to_string(added.error());
    }
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  CHECK(error == "writing a picture: file too large");
  CHECK(as_text(read_file(path, 100).value()) == "older");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a file in a missing folder is an error") {
  const test::TemporaryFolder folder;
  const auto recorder = record_mp4(folder.path() / "no such folder" / "x.mp4");
  REQUIRE_FALSE(recorder);
  CHECK(recorder.error().code == Errc::not_found);
}

TEST_CASE("the byte stream contains the access units unchanged") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.h264";
  REQUIRE(write_file_durably(path, {}));
  FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  const auto recorder = record_annex_b(::fileno(file));
  CHECK_FALSE(recorder->add(picture(false, 0us)));
  REQUIRE(recorder->add(picture(true, 0us)));
  REQUIRE(recorder->add(picture(false, 40ms)));
  REQUIRE(recorder->finish());
  std::fclose(file);
  Bytes expected;
  for (const bool key : {true, false}) {
    const auto unit = picture(key, 0us).access_unit;
    expected.insert(expected.end(), unit.begin(), unit.end());
  }
  CHECK(read_file(path, 4096) == expected);
}

}  // namespace
}  // namespace sealcam::owner
