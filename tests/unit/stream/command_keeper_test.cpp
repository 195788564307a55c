// SPDX-License-Identifier: Apache-2.0
/// Which commands are taken, what of them is new, and what the files of it keep.
#include "stream/command_keeper.hpp"

#include <catch2/catch_test_macros.hpp>

#include "core/file.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"
#include "unit/stream/fakes.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using test::must;

namespace {

struct World {
  test::Actor owner, camera, stranger;
  protocol::Route route = test::route_of(owner, camera);
  test::MemoryCommandStore store;

  [[nodiscard]] CommandKeeper keeper(CommandStore& from) const {
    return {from, route, owner.verifier(), camera.keys().hpke};
  }
  [[nodiscard]] CommandKeeper keeper() { return keeper(store); }
  /// Renames since 1, privacy since 3.
  [[nodiscard]] Bytes command(std::uint64_t seq, const test::Actor* by = nullptr) const {
    protocol::Command command;
    command.seq = CommandSeq(seq);
    command.name = {CommandSeq(1), "garden"};
    if (seq >= 3) command.privacy = {CommandSeq(3), true};
    return must(protocol::encode_command(command, route, camera.hpke(), (by != nullptr ? *by : owner).keys().identity));
  }
};

}  // namespace

TEST_CASE("a command is pending until it is done, and then known") {
  World w;
  auto keeper = w.keeper();
  must(keeper.load());
  CHECK(keeper.pending() == nullptr);
  CHECK_FALSE(keeper.obeyed());
  CHECK(must(keeper.offer(w.command(2))));
  REQUIRE(keeper.pending() != nullptr);
  CHECK(keeper.pending()->name->value == "garden");
  CHECK_FALSE(keeper.obeyed());
  must(keeper.done());
  CHECK(keeper.pending() == nullptr);
  CHECK(keeper.obeyed() == CommandSeq(2));
  CHECK_FALSE(must(keeper.offer(w.command(2))));
  CHECK(keeper.offer(w.command(1)).error().code == Errc::stale);
}

TEST_CASE("only what is new in a command is pending") {
  World w;
  auto keeper = w.keeper();
  must(keeper.offer(w.command(2)));
  must(keeper.done());
  CHECK(must(keeper.offer(w.command(4))));
  CHECK_FALSE(keeper.pending()->name);  // since 1
  CHECK(keeper.pending()->privacy);     // since 3, in a command that never arrived
}

TEST_CASE("a command that replaces one that is not done yet brings that one's items again") {
  World w;
  auto keeper = w.keeper();
  must(keeper.offer(w.command(2)));
  CHECK(must(keeper.offer(w.command(5))));
  CHECK(keeper.pending()->name);
  CHECK(keeper.pending()->privacy);
}

TEST_CASE("what a power cut left undone is pending again, what was done is not") {
  World w;
  must(w.keeper().offer(w.command(3)));
  auto after = w.keeper();
  must(after.load());
  REQUIRE(after.pending() != nullptr);
  CHECK(after.pending()->privacy);
  CHECK_FALSE(after.obeyed());
  must(after.done());
  auto later = w.keeper();
  must(later.load());
  CHECK(later.pending() == nullptr);
  CHECK(later.obeyed() == CommandSeq(3));
  CHECK(later.offer(w.command(2)).error().code == Errc::stale);
}

TEST_CASE("a command that cannot be stored is not taken") {
  World w;
  auto keeper = w.keeper();
  w.store.writes_left = 0;
  CHECK(keeper.offer(w.command(3)).error().code == Errc::io);
  CHECK(keeper.pending() == nullptr);
  w.store.writes_left = 1;
  CHECK(must(keeper.offer(w.command(3))));
  CHECK(keeper.done().error().code == Errc::io);
  CHECK(keeper.pending() != nullptr);
  CHECK_FALSE(keeper.obeyed());
}

TEST_CASE("a stranger commands nothing, and a previous owner's commands bind nobody") {
  World w;
  auto keeper = w.keeper();
  CHECK(keeper.offer(w.command(9, &w.stranger)).error().code == Errc::wrong_key);
  CHECK_FALSE(w.store.content);
  w.store.content = CommandRecord{w.stranger.account(), CommandSeq(100), CommandSeq(100), {}};
  auto ours = w.keeper();
  must(ours.load());
  CHECK_FALSE(ours.obeyed());
  CHECK(must(ours.offer(w.command(1))));
}

TEST_CASE("the command's file says what was stored, and a damaged one is no fresh start") {
  World w;
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "command-seq";
  CommandFile file(path);
  CHECK(file.load().error().code == Errc::not_found);
  must(w.keeper(file).offer(w.command(3)));
  auto pending = w.keeper(file);
  must(pending.load());
  CHECK(pending.pending() != nullptr);
  const auto whole = must(read_file(path, 1 << 16));
  must(pending.done());
  const std::string done = std::string(as_text(must(read_file(path, 1 << 16))));
  CHECK(done == w.route.account.to_string() + " 3 3\n");
  const auto damaged = [&](ByteView content) {
    must(write_file_durably(path, content));
    auto keeper = w.keeper(file);
    const auto r = keeper.load();
    return !r && r.error().code == Errc::malformed && std::string_view(r.error().what).contains("command-seq");
  };
  CHECK_FALSE(damaged(whole));  // control
  for (std::size_t n = 0; n < whole.size(); ++n)
    if (!damaged(ByteView(whole).first(n))) FAIL("may be cut to " << n);
  for (std::size_t n = 0; n < done.size(); ++n)
    if (!damaged(as_bytes(done).first(n))) FAIL("may be cut to " << n);
  CHECK(damaged(as_bytes(w.route.account.to_string() + " 3 4\n")));
  CHECK(damaged(as_bytes(done + "x")));
}
