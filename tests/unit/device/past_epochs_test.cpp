// SPDX-License-Identifier: Apache-2.0
#include "device/past_epochs.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "device/file_stores.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::device {
namespace {

using test::TemporaryFolder;

struct State {
  TemporaryFolder folder;
  std::filesystem::path past = folder.path() / "past";
  EpochFile epochs{folder.path() / "epoch"};
  State() { std::filesystem::create_directory(past); }
  /// A start of the camera, with or without the kept frames.
  [[nodiscard]] bool start(bool keeps) {
    EpochFile file(folder.path() / "epoch");
    const auto reserved = file.load();
    REQUIRE(reserved);
    const bool covered = PastEpochStore::covers(past, *reserved);
    EpochSequence sequence(file);
    PastEpochStore noted(file, past);
    EpochSequence noted_sequence(noted);
    REQUIRE((keeps ? noted_sequence : sequence).next());
    return covered;
  }
};

TEST_CASE("a run of a version that keeps no frames is found, and only this one") {
  State s;
  CHECK_FALSE(s.start(true));  // nothing is known of the folder
  CHECK(s.start(true));
  CHECK(s.start(true));
  CHECK(s.start(false));  // the older version cannot delete anything
  CHECK_FALSE(s.start(true));
  CHECK(s.start(true));
}

TEST_CASE("a run with many epochs is no other version") {
  State s;
  PastEpochStore noted(s.epochs, s.past);
  EpochSequence sequence(noted);
  for (std::uint32_t i = 0; i < 3 * EpochSequence::block; ++i) REQUIRE(sequence.next());
  CHECK(PastEpochStore::covers(s.past, s.epochs.load().value()));
}

TEST_CASE("a power cut or a damaged file costs the kept frames, and a full disk stops no epoch") {
  State s;
  (void)s.start(true);
  const auto note = s.past / "epoch";
  const auto reserved = s.epochs.load().value();
  REQUIRE(PastEpochStore::covers(s.past, reserved));
  REQUIRE(write_file_durably(note, as_bytes("256")));
  CHECK_FALSE(PastEpochStore::covers(s.past, reserved));
  std::filesystem::remove_all(s.past);
  CHECK_FALSE(PastEpochStore::covers(s.past, reserved));
  REQUIRE(write_file_durably(s.past, as_bytes("not a folder")));
  PastEpochStore noted(s.epochs, s.past);
  CHECK(noted.reserve(1));
}

}  // namespace
}  // namespace sealcam::device
