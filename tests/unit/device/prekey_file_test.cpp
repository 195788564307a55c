// SPDX-License-Identifier: Apache-2.0
// A key store belongs to a process and its working folder, so each step runs in a child process.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <functional>

#include "base/file.hpp"
#include "crypto/hpke.hpp"
#include "device/device_state.hpp"
#include "device/hub_stores.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::device {
namespace {

namespace fs = std::filesystem;
using protocol::PrekeyNumber;

constexpr CaptureTime noon{std::chrono::seconds(1'790'000'000)};

/// True if `work` returned true in a child process, with the state folder of a hub open.
bool with_store(const fs::path& folder, const std::function<bool(PrekeyStore&)>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto state = DeviceState::open(folder, protocol::Role::hub);
    if (!state) ::_exit(1);
    PrekeyFile store(state->files().own_prekeys(), state->store());
    ::_exit(work(store) ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::size_t key_files(const fs::path& folder) {
  return static_cast<std::size_t>(std::ranges::count_if(fs::directory_iterator(folder / "keys"), [](const auto& entry) {
    return entry.path().filename().string().starts_with("0000000001");
  }));
}

bool numbers_are(PrekeyStore& store, const std::vector<std::uint64_t>& expected) {
  const auto keys = store.load();
  return keys && std::ranges::equal(*keys, expected, {}, [](const StoredPrekey& k) { return k.number.value(); });
}

}  // namespace

TEST_CASE("a prekey continues to open after a restart, until the hub forgets it") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "hub";
  const auto sealed_file = folder.path() / "sealed";
  CHECK(with_store(path, [&](PrekeyStore& store) {
    const auto key = store.make(noon);
    if (!key || key->number != PrekeyNumber(1)) return false;
    const auto sealed = crypto::hpke::seal(key->key.public_key(), as_bytes("info"), as_bytes("text"));
    if (!sealed) return false;
    Bytes both(sealed->enc.begin(), sealed->enc.end());
    both.insert(both.end(), sealed->ciphertext.begin(), sealed->ciphertext.end());
    return write_file_durably(sealed_file, both).has_value() && store.make(noon).has_value();
  }));
  CHECK((fs::status(path / "keys" / "0000000001000001.psa_its").permissions() & fs::perms::all) == fs::perms{0600});
  CHECK(with_store(path, [&](PrekeyStore& store) {
    const auto keys = store.load();
    const auto both = read_file(sealed_file, 1024);
    if (!keys || keys->size() != 2 || !both || keys->front().made != noon) return false;
    crypto::hpke::Enc enc;
    std::ranges::copy(ByteView(*both).first(enc.size()), enc.begin());
    const auto open = [&](const crypto::AgreementKey& key) {
      return crypto::hpke::open(key, enc, as_bytes("info"), ByteView(*both).subspan(enc.size()));
    };
    return open(keys->front().key).has_value() && !open(keys->back().key) && store.forget(PrekeyNumber(1)) &&
           !open(keys->front().key);
  }));
  CHECK_FALSE(fs::exists(path / "keys" / "0000000001000001.psa_its"));
  CHECK(with_store(path, [](PrekeyStore& store) { return numbers_are(store, {2}); }));
}

TEST_CASE("prekey numbers grow, also after the earlier keys were forgotten") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "hub";
  CHECK(with_store(path, [](PrekeyStore& store) {
    for (std::uint64_t n = 1; n <= 3; ++n) {
      const auto key = store.make(noon);
      if (!key || key->number != PrekeyNumber(n)) return false;
    }
    return store.forget(PrekeyNumber(1)) && store.forget(PrekeyNumber(2)) && store.forget(PrekeyNumber(2));
  }));
  CHECK(key_files(path) == 1);
  CHECK(with_store(path, [](PrekeyStore& store) {
    const auto key = store.make(noon);
    return key && key->number == PrekeyNumber(4) && numbers_are(store, {3, 4});
  }));
}

TEST_CASE("prekeys of an interrupted creation are deleted, and a damaged one is left out") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "hub";
  CHECK(with_store(path, [](PrekeyStore& store) { return store.make(noon) && store.make(noon); }));
  fs::copy_file(path / "keys" / "0000000001000001.psa_its", path / "keys" / "0000000001000009.psa_its");
  fs::resize_file(path / "keys" / "0000000001000001.psa_its", 3);
  CHECK(with_store(path, [](PrekeyStore& store) { return numbers_are(store, {2}); }));
  CHECK_FALSE(fs::exists(path / "keys" / "0000000001000009.psa_its"));
  CHECK(with_store(path, [](PrekeyStore& store) { return store.forget(PrekeyNumber(1)) && numbers_are(store, {2}); }));
  CHECK_FALSE(fs::exists(path / "keys" / "0000000001000001.psa_its"));
}

TEST_CASE("a damaged list of prekeys is rejected") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "hub";
  CHECK(with_store(path, [](PrekeyStore& store) { return store.make(noon).has_value(); }));
  CHECK(with_store(path, [](PrekeyStore& store) { return numbers_are(store, {1}); }));  // control
  for (const auto* text : {"", "1\n", "1 5", "x 5\n", "0 5\n", "2 5\n1 5\n", "1 -5\n", "16777216 5\n", "1 5 6\n"}) {
    CAPTURE(text);
    REQUIRE(write_file_durably(path / "own-prekeys", as_bytes(text)));
    CHECK(with_store(path, [](PrekeyStore& store) {
      const auto keys = store.load();
      return !keys && keys.error().code == Errc::malformed && !store.make(noon);
    }));
  }
}

}  // namespace sealcam::device
