// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/owner_validators.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "crypto/cbor.hpp"
#include "crypto/hpke.hpp"
#include "device/file_stores.hpp"
#include "protocol/envelope.hpp"
#include "support/camera_scene.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using test::must;

namespace {

struct CommandScene : test::CameraScene {
  [[nodiscard]] CommandValidator validator(device::CommandStore& from) const {
    return {from, route, owner.verifier(), camera.keys().hpke};
  }
  [[nodiscard]] CommandValidator validator() { return validator(stores.commands); }
  /// The name has the number 1, privacy the number 3.
  [[nodiscard]] Bytes command(std::uint64_t n, const test::Actor* by = nullptr) const {
    protocol::Command command;
    command.seq = CommandSeq(n);
    command.name = {CommandSeq(1), "garden"};
    if (n >= 3) command.privacy = {CommandSeq(3), true};
    return must(protocol::encode_command(command, route, camera.hpke(), (by != nullptr ? *by : owner).keys().identity));
  }
};

}  // namespace

TEST_CASE("a command is pending until it is applied, and is known afterwards") {
  CommandScene s;
  auto validator = s.validator();
  must(validator.load());
  CHECK(validator.pending() == nullptr);
  CHECK_FALSE(validator.applied());
  CHECK(must(validator.offer(s.command(2))));
  REQUIRE(validator.pending() != nullptr);
  CHECK(validator.pending()->name->value == "garden");
  CHECK_FALSE(validator.applied());
  must(validator.done());
  CHECK(validator.pending() == nullptr);
  CHECK(validator.applied() == CommandSeq(2));
  CHECK_FALSE(must(validator.offer(s.command(2))));
  CHECK(validator.offer(s.command(1)).error().code == Errc::stale);
}

TEST_CASE("only the new items of a command are pending") {
  CommandScene s;
  auto validator = s.validator();
  must(validator.offer(s.command(2)));
  must(validator.done());
  CHECK(must(validator.offer(s.command(4))));
  CHECK_FALSE(validator.pending()->name);  // number 1
  CHECK(validator.pending()->privacy);     // number 3, from a command that never arrived
}

TEST_CASE("a command that replaces a pending one contains its items again") {
  CommandScene s;
  auto validator = s.validator();
  must(validator.offer(s.command(2)));
  CHECK(must(validator.offer(s.command(5))));
  CHECK(validator.pending()->name);
  CHECK(validator.pending()->privacy);
}

TEST_CASE("after a power cut the unfinished items are pending, and the applied items are not") {
  CommandScene s;
  auto before = s.validator();
  must(before.offer(s.command(3)));
  must(before.store());
  auto after = s.validator();
  must(after.load());
  REQUIRE(after.pending() != nullptr);
  CHECK(after.pending()->privacy);
  CHECK_FALSE(after.applied());
  must(after.done());
  auto later = s.validator();
  must(later.load());
  CHECK(later.pending() == nullptr);
  CHECK(later.applied() == CommandSeq(3));
  CHECK(later.offer(s.command(2)).error().code == Errc::stale);
}

TEST_CASE("a command that cannot be stored is pending until it is stored and applied") {
  CommandScene s;
  auto validator = s.validator();
  s.stores.commands.writes_left = 0;
  CHECK(must(validator.offer(s.command(3))));
  CHECK(validator.store().error().code == Errc::io);
  CHECK_FALSE(validator.stored());
  CHECK_FALSE(must(validator.offer(s.command(3))));  // after a reconnect
  CHECK(validator.offer(s.command(2)).error().code == Errc::stale);
  s.stores.commands.writes_left = 1;
  must(validator.store());
  CHECK(validator.stored());
  CHECK(validator.done().error().code == Errc::io);
  CHECK(validator.pending() != nullptr);
  CHECK_FALSE(validator.applied());
}

TEST_CASE("commands of a stranger are rejected, and a previous owner's commands have no effect") {
  CommandScene s;
  auto validator = s.validator();
  CHECK(validator.offer(s.command(9, &s.stranger)).error().code == Errc::wrong_key);
  CHECK_FALSE(s.stores.commands.content);
  s.stores.commands.content = device::CommandRecord{s.stranger.account(), CommandSeq(100), CommandSeq(100), {}};
  auto present = s.validator();
  must(present.load());
  CHECK_FALSE(present.applied());
  CHECK(must(present.offer(s.command(1))));
}

TEST_CASE("a stored command with an item of a newer program is not applied, and does not stop the camera") {
  CommandScene s;
  crypto::CborWriter items;  // item 9: [3, true]
  items.map(1).integer(9).array(2).integer(3).boolean(true);
  const auto sealed =
      must(crypto::hpke::seal(s.camera.hpke(), protocol::command_info(s.route, CommandSeq(3)), items.view()));
  crypto::CborWriter payload;
  payload.map(3).integer(1).unsigned_integer(3).integer(2).bytes(sealed.enc).integer(3).bytes(sealed.ciphertext);
  auto message =
      must(protocol::sign_message(protocol::MessageName::command, s.route, s.owner.keys().identity, payload.view()));
  s.stores.commands.content = device::CommandRecord{s.route.account, CommandSeq(3), CommandSeq(2), message};
  auto validator = s.validator();
  must(validator.load());
  CHECK(validator.pending() == nullptr);
  CHECK(validator.applied() == CommandSeq(2));
  CHECK(validator.offer(s.command(2)).error().code == Errc::stale);
  CHECK(must(validator.offer(s.command(4))));
  must(validator.store());
  // Control: without the owner's signature, the record is damaged.
  message.back() ^= std::byte{1};
  s.stores.commands.content = device::CommandRecord{s.route.account, CommandSeq(3), CommandSeq(2), message};
  auto damaged = s.validator();
  CHECK(damaged.load().error().code == Errc::malformed);
}

TEST_CASE("the command file returns the stored record, and a damaged file is an error") {
  CommandScene s;
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "command-seq";
  device::CommandFile file(path);
  CHECK(file.load().error().code == Errc::not_found);
  auto first = s.validator(file);
  must(first.offer(s.command(3)));
  must(first.store());
  auto pending = s.validator(file);
  must(pending.load());
  CHECK(pending.pending() != nullptr);
  const auto whole = must(read_file(path, 1 << 16));
  must(pending.done());
  const std::string done = std::string(as_text(must(read_file(path, 1 << 16))));
  CHECK(done == s.route.account.to_string() + " 3 3\n");
  const auto damaged = [&](ByteView content) {
    must(write_file_durably(path, content));
    auto validator = s.validator(file);
    const auto r = validator.load();
    return !r && r.error().code == Errc::malformed && std::string_view(r.error().what).contains("command-seq");
  };
  CHECK_FALSE(damaged(whole));  // control
  for (std::size_t n = 0; n < whole.size(); ++n)
    if (!damaged(ByteView(whole).first(n))) FAIL("may be cut to " << n);
  for (std::size_t n = 0; n < done.size(); ++n)
    if (!damaged(as_bytes(done).first(n))) FAIL("may be cut to " << n);
  CHECK(damaged(as_bytes(s.route.account.to_string() + " 3 4\n")));
  CHECK(damaged(as_bytes(done + "x")));
}
