// SPDX-License-Identifier: Apache-2.0
#include "owner/access_list.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace sealcam::owner {
namespace {

using protocol::Role;

DeviceId device(char letter) {
  const auto id = DeviceId::parse(std::string(32, letter));
  REQUIRE(id);
  return *id;
}
AccountId account(char letter) { return AccountId(device(letter).bytes()); }
std::string s(char letter) { return std::string(32, letter); }

TEST_CASE("a camera writes its own pictures and reads what is meant for it") {
  const auto block = access_block({Role::camera, device('c'), account('a')});
  const auto own = "sealcam/1/" + s('a') + "/" + s('c') + "/";
  CHECK(block == "# sealcam: camera " + s('c') + " of account " + s('a') + "\nuser " + s('c') + "\n" + "topic write " +
                     own + "grants\n" + "topic write " + own + "video\n" + "topic write " + own + "still\n" +
                     "topic write " + own + "status\n" + "topic read " + own + "roster\n" + "topic read " + own +
                     "command\n" + "topic read " + own + "ask/+\n");
}

TEST_CASE("a hub reads its account's cameras and writes its own ask") {
  const auto block = access_block({Role::hub, device('h'), account('a')});
  const auto any = "sealcam/1/" + s('a') + "/+/";
  CHECK(block == "# sealcam: hub " + s('h') + " of account " + s('a') + "\nuser " + s('h') + "\n" + "topic read " +
                     any + "roster\n" + "topic read " + any + "grants\n" + "topic read " + any + "video\n" +
                     "topic read " + any + "still\n" + "topic read " + any + "status\n" + "topic write " + any +
                     "ask/" + s('h') + "\n");
}

TEST_CASE("an owner writes rosters and commands and reads the account") {
  const auto block = access_block({Role::owner, device('a'), account('a')});
  const auto all = "sealcam/1/" + s('a') + "/";
  CHECK(block == "# sealcam: owner " + s('a') + " of account " + s('a') + "\nuser " + s('a') + "\n" + "topic write " +
                     all + "+/roster\n" + "topic write " + all + "+/command\n" + "topic read " + all + "#\n");
}

TEST_CASE("a block tells whom it is about, a changed one tells nothing") {
  for (const auto role : {Role::camera, Role::hub, Role::owner}) {
    const Admitted who{role, device('d'), account('e')};
    const auto block = access_block(who);
    CHECK(parse_access_block(block) == who);
    CHECK_FALSE(parse_access_block(block + "topic readwrite #\n"));
    CHECK_FALSE(parse_access_block(block.substr(0, block.size() - 1)));
    CHECK_FALSE(parse_access_block(block.substr(0, 40)));
  }
  CHECK_FALSE(parse_access_block(""));
  CHECK_FALSE(parse_access_block("topic readwrite #\n"));
}

TEST_CASE("the list is the same whatever order devices come in") {
  const Admitted a{Role::camera, device('b'), account('a')};
  const Admitted b{Role::hub, device('c'), account('a')};
  CHECK(access_list({a, b}) == access_list({b, a}));
  CHECK(access_list({a, b}).contains(access_block(a)));
  CHECK(access_list({a, b}).contains(access_block(b)));
  CHECK_FALSE(access_list({}).contains("topic"));
}

}  // namespace
}  // namespace sealcam::owner
