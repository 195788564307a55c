// SPDX-License-Identifier: Apache-2.0
// A process has one key store and one working folder. Therefore each step runs in a child process, and the parent never
// starts the crypto library.
#include "crypto/key_store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>

#include "crypto/hpke.hpp"
#include "support/temporary_folder.hpp"
#include "support/vectors.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::crypto;
namespace fs = std::filesystem;

#define EXPECT(condition)                                                          \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      ::_exit(1);                                                                  \
    }                                                                              \
  } while (false)

namespace {

constexpr const char* identity_file = "0000000000000001.psa_its";
constexpr const char* hpke_file = "0000000000000002.psa_its";
constexpr const char* record_file = "device-keys.public";
constexpr const char* unfinished_file = "device-keys.unfinished";

/// True if `work` ended without a failed EXPECT. `output` receives the bytes that it writes to `pipe`.
bool in_child(const std::function<void(int pipe)>& work, Bytes* output = nullptr) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const auto pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(pipe[0]);
    work(pipe[1]);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::array<std::byte, 256> block;
  for (ssize_t n; (n = ::read(pipe[0], block.data(), block.size())) > 0;)
    if (output != nullptr) output->insert(output->end(), block.begin(), block.begin() + n);
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void tell(int pipe, ByteView bytes) { EXPECT(::write(pipe, bytes.data(), bytes.size()) == std::ssize(bytes)); }

KeyStore open_store(const fs::path& folder) {
  auto store = KeyStore::open(folder);
  EXPECT(store);
  return std::move(*store);
}

/// Creates keys and returns the public identity key.
Bytes make_keys(const fs::path& folder, KeyStore::Exportable exportable = KeyStore::Exportable::no) {
  Bytes key;
  REQUIRE(in_child(
      [&](int pipe) {
        auto store = open_store(folder);
        const auto keys = store.make_device_keys(exportable);
        EXPECT(keys);
        tell(pipe, keys->identity.public_key().bytes());
      },
      &key));
  return key;
}

enum class State { none, whole, malformed, error };

/// The state and the identity that a new process finds.
State state(const fs::path& folder, Bytes* key = nullptr) {
  Bytes output;
  REQUIRE(in_child(
      [&](int pipe) {
        auto store = open_store(folder);
        const auto has = store.has_device_keys();
        const auto s = has                                   ? (*has ? State::whole : State::none)
                       : has.error().code == Errc::malformed ? State::malformed
                                                             : State::error;
        const auto found = static_cast<std::byte>(s);
        tell(pipe, {&found, 1});
        const auto keys = store.device_keys();
        EXPECT(keys.has_value() == (s == State::whole));
        if (s == State::none) EXPECT(keys.error().code == Errc::not_found);
        if (s == State::malformed) EXPECT(keys.error().code == Errc::malformed);
        if (keys) tell(pipe, keys->identity.public_key().bytes());
      },
      &output));
  REQUIRE_FALSE(output.empty());
  if (key != nullptr) key->assign(output.begin() + 1, output.end());
  return static_cast<State>(output[0]);
}

bool make_fails_with(const fs::path& folder, Errc code) {
  return in_child([&](int) {
    auto store = open_store(folder);
    const auto keys = store.make_device_keys(KeyStore::Exportable::no);
    EXPECT(!keys);
    EXPECT(keys.error().code == code);
  });
}

void write(const fs::path& path, ByteView content) {
  std::ofstream file(path, std::ios::binary);
  file << as_text(content);
  REQUIRE(file.flush());
}
Bytes read(const fs::path& path) {
  auto content = read_file(path, 4096);
  REQUIRE(content);
  return std::move(*content);
}

}  // namespace

TEST_CASE("device keys survive the process and work afterwards") {
  TemporaryFolder folder;
  CHECK(state(folder.path()) == State::none);
  const auto made = make_keys(folder.path());
  Bytes found;
  REQUIRE(state(folder.path(), &found) == State::whole);
  CHECK(found == made);
  CHECK_FALSE(fs::exists(folder.path() / unfinished_file));
  CHECK(in_child([&](int) {
    auto store = open_store(folder.path());
    EXPECT(fs::current_path() == fs::canonical(folder.path()));
    const auto keys = store.device_keys();
    EXPECT(keys);
    const auto signature = keys->identity.sign(Digest{});
    EXPECT(signature);
    const auto verifier = Verifier::open(keys->identity.public_key());
    EXPECT(verifier && verifier->verify(Digest{}, *signature));
    const auto sealed = hpke::seal(keys->hpke.public_key(), {}, as_bytes("grant"));
    EXPECT(sealed);
    const auto opened = hpke::open(keys->hpke, sealed->enc, {}, sealed->ciphertext);
    EXPECT(opened && as_text(*opened) == "grant");
    EXPECT(store.export_identity().error().code == Errc::permission);
  }));
  for (const char* name : {identity_file, hpke_file, record_file}) CHECK(fs::exists(folder.path() / name));
}

TEST_CASE("existing keys are never replaced") {
  TemporaryFolder folder;
  const auto made = make_keys(folder.path());
  CHECK(make_fails_with(folder.path(), Errc::exists));
  Bytes found;
  CHECK(state(folder.path(), &found) == State::whole);
  CHECK(found == made);
}

TEST_CASE("two stores create two identities") {
  TemporaryFolder a, b;
  CHECK(make_keys(a.path()) != make_keys(b.path()));
}

TEST_CASE("an exportable identity can be exported and restored in another store") {
  TemporaryFolder folder, other;
  const auto made = make_keys(folder.path(), KeyStore::Exportable::yes);
  Bytes scalar;
  REQUIRE(in_child(
      [&](int pipe) {
        const auto exported = open_store(folder.path()).export_identity();
        EXPECT(exported);
        tell(pipe, exported->reveal());
      },
      &scalar));
  CHECK(in_child([&](int) {
    auto store = open_store(other.path());
    EXPECT(store.export_identity().error().code == Errc::not_found);
    EXPECT(store.restore_device_keys(Secret<32>()).error().code == Errc::malformed);
    EXPECT(store.has_device_keys() == false);
    const auto keys = store.restore_device_keys(secret<32>(scalar));
    EXPECT(keys && equal(keys->identity.public_key().bytes(), made));
    const auto again = store.export_identity();
    EXPECT(again && equal(again->reveal(), scalar));
  }));
  Bytes found;
  CHECK(state(other.path(), &found) == State::whole);
  CHECK(found == made);
}

TEST_CASE("a store requires an existing folder and has one process at a time") {
  TemporaryFolder folder;
  CHECK(in_child([&](int) {
    const auto store = open_store(folder.path());
    EXPECT(KeyStore::open(folder.path()).error().code == Errc::conflict);
    const auto pid = ::fork();
    if (pid == 0) ::_exit(KeyStore::open(folder.path()).error().code == Errc::conflict ? 0 : 1);
    int status = 0;
    EXPECT(::waitpid(pid, &status, 0) == pid && status == 0);
  }));
  CHECK(in_child([&](int) {
    EXPECT(KeyStore::open(folder.path() / "missing").error().code == Errc::not_found);
    {
      const auto store = open_store(folder.path());
    }
    EXPECT(KeyStore::open(folder.path()));
  }));
}

TEST_CASE("a missing key or a missing record is an error and is not replaced") {
  for (const auto& missing : std::vector<std::vector<const char*>>{{identity_file},
                                                                   {hpke_file},
                                                                   {record_file},
                                                                   {identity_file, hpke_file},
                                                                   {identity_file, record_file},
                                                                   {hpke_file, record_file}}) {
    TemporaryFolder folder;
    (void)make_keys(folder.path());
    for (const char* name : missing) fs::remove(folder.path() / name);
    INFO(missing[0] << " of " << missing.size());
    CHECK(state(folder.path()) == State::malformed);
    CHECK(make_fails_with(folder.path(), Errc::malformed));
    CHECK(state(folder.path()) == State::malformed);
  }
}

TEST_CASE("each changed byte and each wrong length of a file is detected") {
  TemporaryFolder folder;
  (void)make_keys(folder.path());
  for (const char* name : {identity_file, hpke_file, record_file}) {
    const auto path = folder.path() / name;
    const auto good = read(path);
    for (std::size_t i = 0; i < good.size(); ++i) {
      // Exceptions: flags of mbedTLS's file header that no code reads, and the export bit of the identity.
      if (name != record_file && i >= 12 && i < 16) continue;
      for (const auto bit : {i % 8, (i + 3) % 8}) {
        auto bad = good;
        bad[i] ^= static_cast<std::byte>(1U << bit);
        write(path, bad);
        INFO(name << " byte " << i << " bit " << bit);
        CHECK(state(folder.path()) == State::malformed);
      }
    }
    for (std::size_t n = 0; n < good.size(); n += n < 8 ? 1 : 9) {
      write(path, ByteView(good).first(n));
      INFO(name << " cut to " << n);
      CHECK(state(folder.path()) == State::malformed);
    }
    write(path, good);
    REQUIRE(state(folder.path()) == State::whole);  // control
  }
}

TEST_CASE("the files of two stores cannot be mixed") {
  TemporaryFolder a, b;
  (void)make_keys(a.path());
  (void)make_keys(b.path());
  fs::copy_file(b.path() / identity_file, a.path() / identity_file, fs::copy_options::overwrite_existing);
  CHECK(state(a.path()) == State::malformed);
}

TEST_CASE("after a power cut during creation or deletion of keys, the device can start") {
  TemporaryFolder whole;
  (void)make_keys(whole.path());
  // The content of the disk after each step of creation, and in reverse order of deletion.
  for (const auto& files :
       std::vector<std::vector<const char*>>{{}, {identity_file}, {hpke_file}, {identity_file, hpke_file}}) {
    TemporaryFolder cut;
    write(cut.path() / unfinished_file, {});
    write(cut.path() / "tempfile.psa_its", as_bytes("half"));
    for (const char* name : files) fs::copy_file(whole.path() / name, cut.path() / name);
    CHECK(state(cut.path()) == State::none);
    const auto made = make_keys(cut.path());
    Bytes found;
    CHECK(state(cut.path(), &found) == State::whole);
    CHECK(found == made);
    CHECK(made != read(whole.path() / record_file));
  }
  // The record exists and the mark too: the keys are valid.
  write(whole.path() / unfinished_file, {});
  CHECK(state(whole.path()) == State::whole);
  CHECK(make_fails_with(whole.path(), Errc::exists));
}

TEST_CASE("deletion removes intact and damaged keys") {
  for (const bool damaged : {false, true}) {
    TemporaryFolder folder;
    const auto before = make_keys(folder.path());
    if (damaged) write(folder.path() / identity_file, as_bytes("garbage"));
    CHECK(in_child([&](int) {
      auto store = open_store(folder.path());
      EXPECT(store.destroy_device_keys());
      EXPECT(store.has_device_keys() == false);
    }));
    for (const auto& entry : fs::directory_iterator(folder.path())) CHECK(entry.path().filename() == "lock");
    CHECK(state(folder.path()) == State::none);
    CHECK(make_keys(folder.path()) != before);
  }
}
