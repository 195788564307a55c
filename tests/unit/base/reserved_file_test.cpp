// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include "support/temporary_folder.hpp"

using namespace sealcam;
using test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

struct stat status_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

std::string content_of(const fs::path& path) {
  const auto content = read_file(path, 1U << 20);
  REQUIRE(content);
  return std::string(as_text(*content));
}

struct Files {
  TemporaryFolder folder;
  fs::path path = folder.path() / "value", spare = ReservedFile::spare_of(path);
  ReservedFile file{path, 64U << 10};
};

}  // namespace

TEST_CASE("a reserved file has the newest content, longer or shorter than before") {
  Files f;
  REQUIRE(f.file.reserve());
  for (const std::string text : {"a", "a longer text", "", "b", "a much longer text than all before"}) {
    REQUIRE(f.file.store(as_bytes(text)));
    CHECK(content_of(f.path) == text);
    CHECK((status_of(f.path).st_mode & 07777) == 0600);
  }
}

TEST_CASE("a reserved file always has a spare file with space, and uses the blocks of the old content") {
  Files f;
  REQUIRE(f.file.reserve());
  const auto reserved = [&] { return static_cast<std::size_t>(status_of(f.spare).st_blocks) * 512; };
  CHECK(reserved() >= (64U << 10));
  REQUIRE(f.file.store(as_bytes("one")));
  CHECK(reserved() >= (64U << 10));
  for (int n = 0; n < 3; ++n) {
    const auto spare = status_of(f.spare).st_ino, old = status_of(f.path).st_ino;
    REQUIRE(f.file.store(as_bytes("two")));
    CHECK(status_of(f.path).st_ino == spare);
    CHECK(status_of(f.spare).st_ino == old);
    CHECK(reserved() >= (64U << 10));
  }
}

TEST_CASE("a reserved file works without its spare file, and replaces a link of that name") {
  Files f;
  REQUIRE(f.file.store(as_bytes("one")));
  fs::remove(f.spare);
  REQUIRE(f.file.store(as_bytes("two")));
  CHECK(content_of(f.path) == "two");
  const auto victim = f.folder.path() / "victim";
  REQUIRE(write_file_durably(victim, as_bytes("untouched")));
  for (const bool hard : {false, true}) {
    fs::remove(f.spare);
    if (hard) fs::create_hard_link(victim, f.spare);
    else fs::create_symlink(victim, f.spare);
    REQUIRE(f.file.store(as_bytes("three")));
    CHECK(content_of(f.path) == "three");
    CHECK(content_of(victim) == "untouched");
  }
}

TEST_CASE("a reserved file in a missing folder reports the error") {
  const TemporaryFolder folder;
  ReservedFile file(folder.path() / "missing" / "value", 16);
  CHECK(file.reserve().error().code == Errc::not_found);
  CHECK(file.store({}).error().code == Errc::not_found);
}
