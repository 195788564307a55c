// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <set>
#include <string>
#include <thread>

#include "base/format.hpp"
#include "owner/console.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::owner {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  const auto content = read_file(path, 4096);
  return content ? std::string(as_text(*content)) : "cannot be read";
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

/// Starts an output and ends it without publish().
void give_up(const fs::path& path) {
  const auto file = OutputFile::open(path);
  REQUIRE(file);
  REQUIRE(write_all(file->descriptor(), as_bytes("new")));
}

/// Rejects O_TMPFILE for this thread, as FAT and NFS do. False if this kernel or emulator cannot.
bool reject_unnamed_files() {
  constexpr auto flags = static_cast<std::uint32_t>(O_TMPFILE & ~O_DIRECTORY);
  std::array<sock_filter, 6> program{{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_openat},
                                      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args[2])},
                                      {BPF_JMP | BPF_JSET | BPF_K, 0, 1, flags},
                                      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EOPNOTSUPP},
                                      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}}};
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_CASE("an existing file stays until the output is published, and is then replaced by a private one") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4", second = folder.path() / "second";
  REQUIRE(write_file_durably(path, as_bytes("old")));
  fs::create_hard_link(path, second);
  give_up(path);
  CHECK(text_of(path) == "old");
  CHECK(names_in(folder.path()) == std::set<std::string>{"second", "x.mp4"});
  {
    auto file = OutputFile::open(path);
    REQUIRE(file);
    REQUIRE(write_all(file->descriptor(), as_bytes("new")));
    CHECK(text_of(path) == "old");
    REQUIRE(file->publish());
    CHECK(text_of(path) == "new");
    REQUIRE(write_all(file->descriptor(), as_bytes(" end")));
  }
  CHECK(text_of(path) == "new end");
  CHECK(text_of(second) == "old");
  CHECK(names_in(folder.path()) == std::set<std::string>{"second", "x.mp4"});
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("an output has no name before it is published, so that nothing stays if the program is killed") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4";
  for (const auto* const before : {"", "old"}) {
    if (*before != 0) REQUIRE(write_file_durably(path, as_bytes(before)));
    const auto names = names_in(folder.path());
    const auto file = OutputFile::open(path);
    REQUIRE(file);
    REQUIRE(write_all(file->descriptor(), as_bytes("new")));
    CHECK(names_in(folder.path()) == names);
  }
}

TEST_CASE("a file that is named like a temporary one stays") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4";
  const auto other = folder.path() / (".x.mp4." + sealcam::format("{:06}", ::getpid() % 1'000'000));
  REQUIRE(write_file_durably(path, as_bytes("old")));
  REQUIRE(write_file_durably(other, as_bytes("other")));
  REQUIRE(write_output(path, as_bytes("new")));
  CHECK(text_of(path) == "new");
  CHECK(text_of(other) == "other");
  CHECK(names_in(folder.path()).size() == 2);
}

TEST_CASE("where each file needs a name, an output has a temporary one until it is published") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x.mp4";
  REQUIRE(write_file_durably(path, as_bytes("old")));
  bool possible = false;
  std::set<std::string> during, given_up;
  Outcome<> written;
  std::thread([&] {
    possible = reject_unnamed_files();
    if (!possible) return;
    {
      const auto file = OutputFile::open(path);
      during = names_in(folder.path());
    }
    given_up = names_in(folder.path());
    written = write_output(path, as_bytes("new"));
  }).join();
  if (!possible) SKIP("this kernel has no seccomp filters");
  REQUIRE(during.size() == 2);
  CHECK(during.begin()->starts_with(".x.mp4."));
  CHECK(given_up == std::set<std::string>{"x.mp4"});
  CHECK(written);
  CHECK(text_of(path) == "new");
  CHECK(names_in(folder.path()) == std::set<std::string>{"x.mp4"});
}

TEST_CASE("an output replaces a link and never changes its target") {
  const test::TemporaryFolder folder;
  const auto target = folder.path() / "target", link = folder.path() / "link", dangling = folder.path() / "dangling";
  REQUIRE(write_file_durably(target, as_bytes("old")));
  fs::create_symlink("target", link);
  fs::create_symlink("nothing", dangling);
  for (const auto& path : {link, dangling}) {
    give_up(path);
    CHECK(fs::is_symlink(path));
    REQUIRE(write_output(path, as_bytes("new")));
    CHECK(fs::is_regular_file(fs::symlink_status(path)));
    CHECK(text_of(path) == "new");
  }
  CHECK(text_of(target) == "old");
  CHECK_FALSE(fs::exists(folder.path() / "nothing"));
}

TEST_CASE("FIFOs and devices are written directly and stay") {
  const test::TemporaryFolder folder;
  const auto fifo = folder.path() / "fifo", link = folder.path() / "null";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  fs::create_symlink("/dev/null", link);
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader);
  for (const auto& path : {fifo, link}) {
    give_up(path);
    REQUIRE(write_output(path, as_bytes("text")));
  }
  char block[16];
  CHECK(::read(reader.get(), block, sizeof block) == 7);
  CHECK(fs::is_fifo(fifo));
  CHECK(fs::is_symlink(link));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(write_output("/dev/full", as_bytes("text")).error().message.contains("no space left on device"));
  CHECK(names_in(folder.path()) == std::set<std::string>{"fifo", "null"});
}

TEST_CASE("a name of standard output is written directly") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "redirected";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), before(::dup(STDOUT_FILENO));
  REQUIRE(::dup2(file.get(), STDOUT_FILENO) == STDOUT_FILENO);
  const auto written = write_output("/dev/stdout", as_bytes("text"));
  ::dup2(before.get(), STDOUT_FILENO);
  CHECK(written);
  CHECK(text_of(path) == "text");
  CHECK(names_in(folder.path()) == std::set<std::string>{"redirected"});
}

TEST_CASE("an output that is not possible is reported at once, in words") {
  const test::TemporaryFolder folder;
  fs::create_symlink("loop", folder.path() / "loop");
  const auto error = [](const fs::path& path) {
    const auto file = OutputFile::open(path);
    return file ? std::string() : to_string(file.error());
  };
  CHECK(error(folder.path()).contains("is a directory"));
  CHECK(error(folder.path() / std::string(304, 'n')).contains("file name too long"));
  CHECK(error(folder.path() / "none" / "x").contains("no such file or directory"));
  CHECK(error(folder.path() / "loop").contains("too many levels of symbolic links"));
  CHECK(error(folder.path() / std::string(255, 'n')).empty());
  CHECK(names_in(folder.path()) == std::set<std::string>{"loop"});
}

}  // namespace
}  // namespace sealcam::owner
