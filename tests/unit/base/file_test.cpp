// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <fstream>

#include "support/temporary_folder.hpp"

using namespace sealcam;

TEST_CASE("a state file is replaced atomically and is private") {
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

TEST_CASE("a state file is private also if its temporary name exists") {
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
  SECTION("a readable file after a power cut") {
    std::ofstream(left) << "half";
    std::filesystem::permissions(left, std::filesystem::perms{0644});
    is_written();
  }
  SECTION("a link to another file") {
    std::filesystem::create_symlink(victim, left);
    is_written();
  }
  SECTION("a hard link to another file") {
    std::filesystem::create_hard_link(victim, left);
    is_written();
  }
  SECTION("a folder") {
    std::filesystem::create_directory(left);
    CHECK(write_file_durably(path, as_bytes("secret")).error().code == Errc::io);
    CHECK_FALSE(std::filesystem::exists(path));
  }
}

TEST_CASE("reading is limited, and a missing file is reported") {
  test::TemporaryFolder folder;
  REQUIRE(write_file_durably(folder.path() / "f", as_bytes("12345")));
  CHECK(read_file(folder.path() / "f", 4).error().code == Errc::exhausted);
  CHECK(read_file(folder.path() / "g", 4).error().code == Errc::not_found);
}

TEST_CASE("one process at a time can lock a state folder") {
  test::TemporaryFolder folder;
  auto first = lock_folder(folder.path());
  REQUIRE(first);
  CHECK(lock_folder(folder.path()).error().code == Errc::conflict);
  first->reset();
  CHECK(lock_folder(folder.path()));
}

TEST_CASE("a FIFO or a device is not replaced by a state file") {
  test::TemporaryFolder folder;
  const auto fifo = folder.path() / "fifo", link = folder.path() / "null";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::filesystem::create_symlink("/dev/null", link);
  for (const auto& path : {fifo, link, folder.path() / "."})
    CHECK(write_file_durably(path, as_bytes("x")).error().code == Errc::exists);
  CHECK(std::filesystem::is_fifo(fifo));
  CHECK(std::filesystem::is_symlink(link));
}

TEST_CASE("an error has the words of the system instead of a number") {
  CHECK(to_string({Errc::io, ENOSPC, "writing"}) == "writing: no space left on device");
  CHECK(to_string({Errc::io, -ENOSPC, "writing"}) == "writing: no space left on device");  // FFmpeg
  CHECK(to_string({Errc::io, ENAMETOOLONG, "creating"}) == "creating: file name too long");
  CHECK(to_string({Errc::not_found, ENOENT, "opening"}) == "opening: no such file or directory");
  CHECK(to_string({Errc::conflict, EADDRINUSE, "listening"}) == "listening: address already in use");
  CHECK(to_string({Errc::io, 0, "writing"}) == "writing: input/output error");
  // The numbers of PSA and Mbed TLS are no errno.
  CHECK(to_string({Errc::io, -142, "creating a key"}) == "creating a key: input/output error (-142)");
  CHECK(to_string({Errc::malformed, -34, "a key"}) == "a key: malformed (-34)");
}
