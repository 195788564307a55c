// SPDX-License-Identifier: Apache-2.0
// A key store belongs to a process and its working folder, so each test opens a state in a child process.
#include "device/device_state.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <set>
#include <string>

#include "base/file.hpp"
#include "support/temporary_folder.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::device {
namespace {

namespace fs = std::filesystem;
using protocol::Role;

struct Outcome {
  std::string id;     ///< empty when it failed
  std::string error;  ///< code and text
};

/// Opens the folder in a child process and returns the result.
Outcome open_state(const fs::path& folder, Role role = Role::camera, const Board* board = nullptr) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto state = DeviceState::open(folder, role, board);
    const std::string line = state ? "+" + state->keys().identity.id().to_string() : "-" + to_string(state.error());
    const bool written = ::write(ends[1], line.data(), line.size()) == static_cast<ssize_t>(line.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::string line;
  char block[512];
  for (ssize_t n; (n = ::read(ends[0], block, sizeof block)) > 0;) line.append(block, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE_FALSE(line.empty());
  if (line.front() == '+') return {line.substr(1), ""};
  return {"", line.substr(1)};
}

void copy_state(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

TEST_CASE("a folder with other files keeps its content and mode") {
  const test::TemporaryFolder folder;
  const auto place = folder.path() / "etc";
  fs::create_directory(place);
  std::ofstream(place / "passwd") << "root";
  fs::permissions(place, fs::perms{0755});
  CHECK(open_state(place).error.contains("other files"));
  CHECK((fs::status(place).permissions() & fs::perms::all) == fs::perms{0755});
  CHECK_FALSE(fs::exists(place / "lock"));
  fs::remove(place / "passwd");
  CHECK(open_state(place).error.empty());  // control
  CHECK((fs::status(place).permissions() & fs::perms::all) == fs::perms{0700});
}

TEST_CASE("a new folder gets one identity and keeps it") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "deep" / "camera";
  const auto first = open_state(path);
  INFO(first.error);
  REQUIRE(first.id.size() == DeviceId::text_size);
  CHECK(open_state(path).id == first.id);

  const StateFiles files{path};
  const auto descriptor_bytes = read_file(files.descriptor(), 4096);
  REQUIRE(descriptor_bytes);
  REQUIRE(crypto::init());
  const auto descriptor = protocol::decode_device_descriptor(*descriptor_bytes);
  REQUIRE(descriptor);
  CHECK(descriptor->identity.id().to_string() == first.id);
  CHECK(descriptor->role == Role::camera);
  const auto request = read_file(files.tls_request(), 4096);
  REQUIRE(request);
  CHECK(transport::requested_name(as_text(*request)) == first.id);
}

TEST_CASE("everything in a state folder is private") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "hub";
  REQUIRE_FALSE(open_state(path, Role::hub).id.empty());
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    INFO(entry.path());
    REQUIRE(::stat(entry.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0077) == 0);
  }
}

TEST_CASE("a folder without one of its parts is an error and gets no new identity") {
  const test::TemporaryFolder folder;
  const auto good = folder.path() / "good";
  const auto bad = folder.path() / "bad";
  const auto id = open_state(good).id;
  REQUIRE_FALSE(id.empty());
  for (const auto* part : {"keys", "tls.key", "tls.csr", "device.descriptor"}) {
    INFO(part);
    copy_state(good, bad);
    fs::remove_all(bad / part);
    const auto outcome = open_state(bad);
    CHECK(outcome.id.empty());
    CHECK(outcome.error.contains("malformed"));
    CHECK(outcome.error.contains("restore"));
  }
  copy_state(good, bad);
  CHECK(open_state(bad).id == id);  // control: the copy itself is complete
}

TEST_CASE("a truncated or changed part is an error") {
  const test::TemporaryFolder folder;
  const auto good = folder.path() / "good";
  const auto bad = folder.path() / "bad";
  REQUIRE_FALSE(open_state(good).id.empty());
  for (const auto* part : {"tls.key", "tls.csr", "device.descriptor"}) {
    for (const bool truncate : {true, false}) {
      INFO(part << (truncate ? " truncated" : " garbled"));
      copy_state(good, bad);
      const auto size = fs::file_size(bad / part);
      if (truncate) {
        fs::resize_file(bad / part, size / 2);
      } else {
        std::fstream file(bad / part, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(size / 2));
        file.put('\0');
      }
      const auto outcome = open_state(bad);
      CHECK(outcome.id.empty());
      CHECK(outcome.error.contains("malformed"));
    }
  }
  for (const auto& key : fs::directory_iterator(good / "keys")) {
    if (!key.is_regular_file() || key.file_size() == 0) continue;
    INFO(key.path().filename());
    copy_state(good, bad);
    fs::resize_file(bad / "keys" / key.path().filename(), key.file_size() / 2);
    CHECK(open_state(bad).id.empty());
  }
}

TEST_CASE("keys and descriptor of different devices are an error") {
  const test::TemporaryFolder folder;
  REQUIRE_FALSE(open_state(folder.path() / "a").id.empty());
  REQUIRE_FALSE(open_state(folder.path() / "b").id.empty());
  fs::remove_all(folder.path() / "a" / "keys");
  fs::copy(folder.path() / "b" / "keys", folder.path() / "a" / "keys", fs::copy_options::recursive);
  CHECK(open_state(folder.path() / "a").id.empty());
}

TEST_CASE("an interrupted first start begins again, whatever files exist") {
  const test::TemporaryFolder folder;
  const auto whole = folder.path() / "whole";
  const auto cut = folder.path() / "cut";
  const auto id = open_state(whole).id;
  REQUIRE_FALSE(id.empty());
  const std::vector<std::vector<std::string>> missing = {{"keys", "tls.key", "tls.csr", "device.descriptor"},
                                                         {"tls.key", "tls.csr", "device.descriptor"},
                                                         {"tls.csr", "device.descriptor"},
                                                         {"device.descriptor"},
                                                         {}};
  for (const auto& parts : missing) {
    copy_state(whole, cut);
    for (const auto& part : parts) fs::remove_all(cut / part);
    std::ofstream(cut / "unfinished") << "\n";
    const auto outcome = open_state(cut);
    INFO(outcome.error);
    CHECK_FALSE(outcome.id.empty());
    CHECK(outcome.id != id);
    CHECK_FALSE(fs::exists(cut / "unfinished"));
    CHECK(open_state(cut).id == outcome.id);
  }
}

TEST_CASE("a paired device never gets new keys") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "camera";
  REQUIRE_FALSE(open_state(path).id.empty());
  std::ofstream(path / "unfinished") << "\n";
  std::ofstream(path / "enrollment.json") << "{}\n";
  CHECK(open_state(path).id.empty());
  CHECK(fs::exists(path / "tls.key"));
}

TEST_CASE("a folder of another program stays unchanged") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "letters.txt") << "dear\n";
  const auto outcome = open_state(folder.path());
  CHECK(outcome.error.contains("malformed"));
  CHECK_FALSE(fs::exists(folder.path() / "keys"));
}

TEST_CASE("state that belongs to another role is rejected") {
  const test::TemporaryFolder folder;
  REQUIRE_FALSE(open_state(folder.path() / "hub", Role::hub).id.empty());
  const auto outcome = open_state(folder.path() / "hub", Role::camera);
  CHECK(outcome.error.contains("wrong"));
}

TEST_CASE("one process at a time opens a folder") {
  const test::TemporaryFolder folder;
  REQUIRE_FALSE(open_state(folder.path() / "hub", Role::hub).id.empty());
  const auto lock = lock_folder(folder.path() / "hub");
  REQUIRE(lock);
  CHECK(open_state(folder.path() / "hub", Role::hub).error.contains("conflict"));
}

TEST_CASE("the board's serial number is stored with the keys, and a copied SD card is rejected") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "camera";
  const Board here{"10000000abcdef01"}, there{"10000000abcdef02"}, none{""};
  const auto id = open_state(path, Role::camera, &here).id;
  REQUIRE_FALSE(id.empty());
  CHECK(open_state(path, Role::camera, &here).id == id);
  CHECK(open_state(path).id == id);  // no check without a board
  const auto outcome = open_state(path, Role::camera, &there);
  CHECK(outcome.id.empty());
  CHECK(outcome.error.contains("another board"));
  CHECK(outcome.error.contains("reset"));
  CHECK(open_state(path, Role::camera, &none).error.contains("another board"));
  for (const char* content : {"", "10000000abcdef01", "\n"}) {
    std::ofstream(path / "board") << content;
    CHECK(open_state(path, Role::camera, &here).error.contains("board"));
  }
}

TEST_CASE("a state without a serial number belongs to the first board that has one") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "camera";
  const Board here{"A"}, there{"B"}, none{""};
  const auto id = open_state(path, Role::camera, &none).id;
  REQUIRE_FALSE(id.empty());
  CHECK_FALSE(fs::exists(path / "board"));
  CHECK(open_state(path, Role::camera, &here).id == id);
  CHECK(open_state(path, Role::camera, &there).id.empty());
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

/// In a child process, because the function starts the crypto library.
std::string reset_in_child(const fs::path& folder, Role role = Role::camera) {
  const test::TemporaryFolder place;
  const auto note = place.path() / "note";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto done = reset_state(folder, role);
    std::ofstream(note) << (done ? "done" : to_string(done.error()));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  const auto text = read_file(note, 4096);
  REQUIRE(text);
  return std::string(as_text(*text));
}

TEST_CASE("a reset deletes all files except unrelated ones") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "camera";
  const auto id = open_state(path).id;
  for (const char* name : {"camera.json", "enrollment.json", "roster", "epoch", "wifi.json", "roster.new", ".note"})
    std::ofstream(path / name) << "x";
  fs::create_directory(path / "rosters");
  std::ofstream(path / "rosters" / "one") << "x";
  CHECK(reset_in_child(path) == "done");
  CHECK(names_in(path) == std::set<std::string>{".note", "camera.json", "lock"});
  const auto next = open_state(path);
  CHECK_FALSE(next.id.empty());
  CHECK(next.id != id);
}

TEST_CASE("the next start finishes an interrupted reset, whatever files exist") {
  const test::TemporaryFolder folder;
  const auto whole = folder.path() / "whole", cut = folder.path() / "cut";
  const auto id = open_state(whole).id;
  std::ofstream(whole / "enrollment.json") << "{}";
  for (const char* gone : {"nothing", "keys", "tls.key"}) {
    copy_state(whole, cut);
    fs::remove_all(cut / gone);
    CHECK(open_state(cut).id == (std::string_view(gone) == "nothing" ? id : ""));  // control
    std::ofstream(cut / "resetting") << "\n";
    const auto outcome = open_state(cut);
    INFO(outcome.error);
    CHECK_FALSE(outcome.id.empty());
    CHECK(outcome.id != id);
    CHECK_FALSE(fs::exists(cut / "enrollment.json"));
    CHECK_FALSE(fs::exists(cut / "resetting"));
  }
}

TEST_CASE("a reset accepts a damaged state and rejects another folder or another role") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "camera";
  REQUIRE_FALSE(open_state(path).id.empty());
  std::ofstream(path / "device.descriptor") << "x";
  CHECK(open_state(path).id.empty());
  CHECK(reset_in_child(path) == "done");
  CHECK_FALSE(open_state(path).id.empty());

  const auto letters = folder.path() / "letters";
  fs::create_directory(letters);
  std::ofstream(letters / "dear.txt") << "x";
  CHECK(reset_in_child(letters).contains("no device's state"));
  CHECK(fs::exists(letters / "dear.txt"));

  const auto hub = folder.path() / "hub";
  const auto id = open_state(hub, Role::hub).id;
  CHECK(reset_in_child(hub).contains("another kind"));
  CHECK(open_state(hub, Role::hub).id == id);
  const auto lock = lock_folder(hub);
  REQUIRE(lock);
  CHECK(reset_in_child(hub, Role::hub).contains("conflict"));
}

TEST_CASE("a file that a power cut emptied is named, with the next step") {
  const test::TemporaryFolder folder;
  const auto good = folder.path() / "good", damaged = folder.path() / "damaged";
  REQUIRE(open_state(good, Role::hub).error.empty());
  CHECK_FALSE(find_empty_file(good));  // control
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(good)) {
    const auto name = fs::relative(entry.path(), good);
    if (!entry.is_regular_file() || name.filename() == "lock") continue;
    ++files;
    CAPTURE(name);
    copy_state(good, damaged);
    fs::resize_file(damaged / name, 0);
    CHECK(find_empty_file(damaged) == damaged / name);
    const auto error = open_state(damaged, Role::hub).error;
    CAPTURE(error);
    CHECK(error.contains(name.filename().string()));
    CHECK((error.contains("restore the state folder from a copy") || error.contains("restore the folder from a copy")));
  }
  CHECK(files == 6);  // three of the keys, tls.key, tls.csr, device.descriptor
}

}  // namespace
}  // namespace sealcam::device
