// SPDX-License-Identifier: Apache-2.0
#include "core/file.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include "support/temporary_folder.hpp"

using namespace sealcam;

TEST_CASE("a state file is replaced as a whole and is private") {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "state";
  REQUIRE(write_file_durably(path, as_bytes("one")));
  REQUIRE(write_file_durably(path, as_bytes("two")));
  CHECK(as_text(read_file(path, 10).value()) == "two");
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "state.new"));
}

TEST_CASE("reading is bounded and says what is missing") {
  test::TemporaryFolder folder;
  REQUIRE(write_file_durably(folder.path() / "f", as_bytes("12345")));
  CHECK(read_file(folder.path() / "f", 4).error().code == Errc::exhausted);
  CHECK(read_file(folder.path() / "g", 4).error().code == Errc::not_found);
}

TEST_CASE("a state folder has one user at a time") {
  test::TemporaryFolder folder;
  auto first = lock_folder(folder.path());
  REQUIRE(first);
  CHECK(lock_folder(folder.path()).error().code == Errc::conflict);
  first->reset();
  CHECK(lock_folder(folder.path()));
}
