// SPDX-License-Identifier: Apache-2.0
#include "recordings/key_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "base/file.hpp"
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
