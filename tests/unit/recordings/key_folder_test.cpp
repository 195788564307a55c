// SPDX-License-Identifier: Apache-2.0
#include "recordings/key_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "base/file.hpp"
#include "protocol/archive_key.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::recordings {
namespace {

using test::must;

EpochKey make_key(std::string name) {
  EpochKey key;
  key.camera_name = std::move(name);
  must(crypto::random(key.base_key.fill()));
  return key;
}

TEST_CASE("a base key opens with the archive key that wrapped it, for its camera and epoch") {
  const test::Actor camera, other;
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "recording-keys";
  CHECK(KeyFolder::open(path, KeyFolder::Create::no).error().code == Errc::not_found);
  const auto key = make_key("Front door");
  {
    const auto keys = must(KeyFolder::open(path, KeyFolder::Create::yes));
    CHECK_FALSE(keys.contains(camera.id(), protocol::Epoch(7)));
    must(keys.store(camera.id(), protocol::Epoch(7), key));
  }
  const auto keys = must(KeyFolder::open(path, KeyFolder::Create::no));
  const auto loaded = must(keys.load(camera.id(), protocol::Epoch(7)));
  CHECK(equal(loaded.base_key.reveal(), key.base_key.reveal()));
  CHECK(loaded.camera_name == "Front door");
  CHECK(keys.load(camera.id(), protocol::Epoch(8)).error().code == Errc::not_found);

  // The file of one epoch in the place of another one.
  const auto file = path / camera.id().to_string() / "0000000000000007";
  std::filesystem::copy_file(file, path / camera.id().to_string() / "0000000000000008");
  std::filesystem::create_directory(path / other.id().to_string());
  std::filesystem::copy_file(file, path / other.id().to_string() / "0000000000000007");
  CHECK(keys.load(camera.id(), protocol::Epoch(8)).error().code == Errc::not_decryptable);
  CHECK(keys.load(other.id(), protocol::Epoch(7)).error().code == Errc::not_decryptable);

  const auto content = must(read_file(file, 1000));
  CHECK_FALSE(as_text(content).contains(as_text(key.base_key.reveal())));
  must(keys.remove(camera.id(), protocol::Epoch(7)));
  must(keys.remove(camera.id(), protocol::Epoch(7)));
  CHECK(keys.load(camera.id(), protocol::Epoch(7)).error().code == Errc::not_found);
}

TEST_CASE("the owner opens the sealed archive key, and another hub with it opens the base keys") {
  const test::Actor camera;  // starts the crypto library
  Secret<32> identity;
  must(crypto::random(identity.fill()));
  const test::Actor owner(identity, identity);
  const test::TemporaryFolder disk;
  const auto key = make_key("Front door");
  {
    const auto keys = must(KeyFolder::open(disk.path() / "lost", KeyFolder::Create::yes));
    must(keys.store(camera.id(), protocol::Epoch(7), key));
    must(keys.seal_to(owner.identity()));
    must(keys.seal_to(test::Actor().identity()));  // once: the first owner's copy stays
  }
  const auto found = disk.path() / "found";
  std::filesystem::copy(disk.path() / "lost", found, std::filesystem::copy_options::recursive);
  std::filesystem::remove(found / "archive");
  // Without the archive key, no new one replaces it.
  CHECK(KeyFolder::open(found, KeyFolder::Create::yes).error().code == Errc::not_found);
  const auto sealed = must(read_file(found / "archive.sealed", 1000));
  CHECK_FALSE(as_text(sealed).contains(as_text(must(read_file(disk.path() / "lost" / "archive", 32)))));
  Secret<32> stranger;
  must(crypto::random(stranger.fill()));
  CHECK(protocol::open_archive_key(sealed, stranger).error().code == Errc::not_decryptable);
  auto altered = sealed;
  altered[80] ^= std::byte{1};
  CHECK(protocol::open_archive_key(altered, identity).error().code == Errc::not_decryptable);
  CHECK(protocol::open_archive_key(ByteView(sealed).first(112), identity).error().code == Errc::malformed);
  must(write_file_durably(found / "archive", must(protocol::open_archive_key(sealed, identity)).reveal()));
  const auto keys = must(KeyFolder::open(found, KeyFolder::Create::no));
  CHECK(equal(must(keys.load(camera.id(), protocol::Epoch(7))).base_key.reveal(), key.base_key.reveal()));
}

TEST_CASE("a damaged key or archive key is an error") {
  const test::Actor camera;
  const test::TemporaryFolder folder;
  const auto keys = must(KeyFolder::open(folder.path(), KeyFolder::Create::yes));
  must(keys.store(camera.id(), protocol::Epoch(1), make_key("")));
  const auto file = folder.path() / camera.id().to_string() / "0000000000000001";
  auto content = must(read_file(file, 1000));
  content[20] ^= std::byte{1};
  must(write_file_durably(file, content));
  CHECK(keys.load(camera.id(), protocol::Epoch(1)).error().code == Errc::not_decryptable);
  must(write_file_durably(file, as_bytes("short")));
  CHECK(keys.load(camera.id(), protocol::Epoch(1)).error().code == Errc::malformed);
  must(write_file_durably(folder.path() / "archive", as_bytes("short")));
  CHECK(KeyFolder::open(folder.path(), KeyFolder::Create::yes).error().code == Errc::malformed);
}

}  // namespace
}  // namespace sealcam::recordings
