// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/device_records.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <sstream>
#include <string>

namespace sealcam::owner {
namespace {

using protocol::Role;
using Topics = std::vector<std::string>;

DeviceId device(char letter) {
  const auto id = DeviceId::parse(std::string(32, letter));
  REQUIRE(id);
  return *id;
}
AccountId account(char letter) { return AccountId(device(letter).bytes()); }
std::string s(char letter) { return std::string(32, letter); }
std::string at(char account, char camera, const std::string& leaf) {
  return "sealcam/1/" + s(account) + "/" + s(camera) + "/" + leaf;
}
std::string index_of(char account, char hub) { return "sealcam/1/" + s(account) + "/index/" + s(hub); }

Authorized camera(char id, char of) { return {Role::camera, device(id), account(of)}; }
Authorized hub(char id, char of) { return {Role::hub, device(id), account(of)}; }
Authorized owner(char id) { return {Role::owner, device(id), account(id)}; }

/// Two accounts: a with the camera c and the hubs h and i, b with the camera d and the hub j.
const std::vector<Authorized>& all() {
  static const std::vector<Authorized> devices = {owner('a'), camera('c', 'a'), hub('h', 'a'), hub('i', 'a'),
                                                  owner('b'), camera('d', 'b'), hub('j', 'b')};
  return devices;
}

TEST_CASE("a camera writes its own pictures and reads messages for it") {
  const auto topics = permissions(camera('c', 'a'), all());
  CHECK(topics.write == Topics{at('a', 'c', "grants"), at('a', 'c', "video"), at('a', 'c', "still"),
                               at('a', 'c', "past"), at('a', 'c', "status")});
  CHECK(topics.read == Topics{at('a', 'c', "roster"), at('a', 'c', "command"), at('a', 'c', "request/" + s('h')),
                              at('a', 'c', "request/" + s('i'))});
}

TEST_CASE("a hub reads its index and the cameras of its account, and writes its own requests") {
  const auto topics = permissions(hub('h', 'a'), all());
  CHECK(topics.write == Topics{at('a', 'c', "request/" + s('h'))});
  CHECK(topics.read == Topics{index_of('a', 'h'), "sealcam/1/" + s('a') + "/+/roster", at('a', 'c', "grants"),
                              at('a', 'c', "video"), at('a', 'c', "still"), at('a', 'c', "past"),
                              at('a', 'c', "status")});
}

TEST_CASE("an owner writes messages for existing devices and reads the whole account") {
  const auto topics = permissions(owner('a'), all());
  CHECK(topics.write == Topics{at('a', 'c', "roster"), at('a', 'c', "command"), index_of('a', 'h'), index_of('a', 'i'),
                               index_of('a', 'a')});
  CHECK(topics.read == Topics{"sealcam/1/" + s('a') + "/#"});
}

TEST_CASE("no permission for writing has a wildcard, except the operator's own") {
  for (const auto& device : all())
    for (const auto& topic : permissions(device, all()).write) CHECK(topic.find_first_of("+#") == std::string::npos);
  const auto text = access_list(all());
  CHECK(text.contains("user sealcam-operator\ntopic write sealcam/1/#\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.contains("+")) CHECK((line.starts_with("topic read ") && line.ends_with("/+/roster")));
  const auto first_device = text.find("# camera");
  REQUIRE(first_device != std::string::npos);
  CHECK(text.find("write sealcam/1/#", first_device) == std::string::npos);
}

TEST_CASE("a hub without cameras may write nothing") {
  const std::vector devices = {owner('a'), hub('h', 'a')};
  CHECK(permissions(hub('h', 'a'), devices).write.empty());
  CHECK(permissions(hub('h', 'a'), all()).write.size() == 1);  // control
}

TEST_CASE("the access list does not depend on the order of the devices") {
  auto reversed = all();
  std::ranges::reverse(reversed);
  CHECK(access_list(all()) == access_list(reversed));
  CHECK(access_list(all()).contains("\nuser " + s('c') + "\ntopic write " + at('a', 'c', "grants") + "\n"));
  CHECK_FALSE(access_list(all()).contains(at('b', 'c', "")));
}

TEST_CASE("the topics of a revoked camera have no device") {
  std::vector<Authorized> left = {owner('a'), hub('h', 'a'), owner('b'), camera('d', 'b')};
  const auto gone = topics_without_device(std::vector{camera('c', 'a')}, left);
  for (const auto* leaf : {"grants", "video", "still", "past", "status", "command"})
    CHECK(std::ranges::contains(gone, at('a', 'c', leaf)));
  CHECK(std::ranges::contains(gone, at('a', 'c', "request/" + s('h'))));
  CHECK(gone.size() == 7);
  // Its last roster remains for hubs that were offline, while the account has an owner.
  left.erase(left.begin());
  CHECK(std::ranges::contains(topics_without_device(std::vector{camera('c', 'a')}, left), at('a', 'c', "roster")));
}

TEST_CASE("the topics of a revoked hub have no device, and the camera keeps its own") {
  std::vector<Authorized> left = {owner('a'), camera('c', 'a'), hub('i', 'a')};
  CHECK(topics_without_device(std::vector{hub('h', 'a')}, left) ==
        Topics{at('a', 'c', "request/" + s('h')), index_of('a', 'h')});
  // Both were revoked while the broker was not running.
  const auto both = topics_without_device(std::vector{hub('h', 'a'), camera('c', 'a')}, std::vector{hub('i', 'a')});
  CHECK(std::ranges::contains(both, at('a', 'c', "request/" + s('h'))));
  CHECK(std::ranges::contains(both, at('a', 'c', "request/" + s('i'))));
  CHECK_FALSE(std::ranges::contains(both, index_of('a', 'i')));
}

TEST_CASE("the last rosters of former cameras are deleted with the owner, and there are not more than devices") {
  const auto roster = [](char id) { return at('a', id, "roster"); };
  Revocations revocations;
  revocations.former = {camera('c', 'a'), hub('h', 'a'), camera('e', 'a'), camera('d', 'b')};
  const std::vector owners = {owner('a'), owner('b')};
  CHECK(obsolete_rosters(revocations, owners, 3).empty());
  CHECK(excess_devices(revocations.former, 3).empty());
  // The oldest ones; each account has its own number.
  CHECK(obsolete_rosters(revocations, owners, 2) == Topics{roster('c')});
  CHECK(excess_devices(revocations.former, 2) == std::vector{camera('c', 'a')});
  CHECK(obsolete_rosters(revocations, owners, 1) == Topics{roster('c')});  // a hub has no roster
  CHECK(excess_devices(revocations.former, 1) == std::vector{hub('h', 'a'), camera('c', 'a')});
  CHECK(obsolete_rosters(revocations, std::vector{owner('a'), camera('c', 'a')}, 2).empty());  // authorized again
  revocations.devices = {owner('a')};
  CHECK(obsolete_rosters(revocations, std::vector{owner('b')}, 3) == Topics{roster('c'), roster('e')});
  CHECK(obsolete_rosters(revocations, owners, 3).empty());  // the owner is authorized again
}

TEST_CASE("a device that is authorized again keeps its topics") {
  CHECK(topics_without_device(std::vector{camera('c', 'a'), hub('h', 'a')}, all()).empty());
}

TEST_CASE("the index of a revoked owner has no device, and the cameras keep their topics") {
  CHECK(topics_without_device(std::vector{owner('a')}, {}) == Topics{index_of('a', 'a')});
  CHECK(topics_without_device(std::vector{owner('a')}, all()).empty());
}

}  // namespace
}  // namespace sealcam::owner
