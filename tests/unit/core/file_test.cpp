// SPDX-License-Identifier: Apache-2.0
#include "core/file.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>

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

TEST_CASE("a state file is private whatever lies under its temporary name") {
  test::TemporaryFolder folder;
  const auto path = folder.path() / "state", left = folder.path() / "state.new", victim = folder.path() / "victim";
  std::ofstream(victim) << "precious";
  const auto is_written = [&] {
    REQUIRE(write_file_durably(path, as_bytes("secret")));
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(path)));
    CHECK(as_text(read_file(path, 10).value()) == "secret");
    CHECK(as_text(read_file(victim, 10).value()) == "precious");
  };
  SECTION("what a power cut left, for all to read") {
    std::ofstream(left) << "half";
    std::filesystem::permissions(left, std::filesystem::perms{0644});
    is_written();
  }
  SECTION("a link to another file") {
    std::filesystem::create_symlink(victim, left);
    is_written();
  }
  SECTION("another name of another file") {
    std::filesystem::create_hard_link(victim, left);
    is_written();
  }
  SECTION("a folder") {
    std::filesystem::create_directory(left);
    CHECK(write_file_durably(path, as_bytes("secret")).error().code == Errc::io);
    CHECK_FALSE(std::filesystem::exists(path));
  }
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
