// SPDX-License-Identifier: Apache-2.0
#include "owner/access_list.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "protocol/topic.hpp"

namespace sealcam::owner {

namespace {

using protocol::Leaf;
using protocol::Role;

constexpr std::string_view mark = "# sealcam: ";

std::string line(std::string_view access, std::string_view topic) {
  return std::format("topic {} {}\n", access, topic);
}

std::string camera_topics(const Admitted& who) {
  const protocol::Route own{who.account, who.device};
  std::string out;
  for (const auto leaf : {Leaf::grants, Leaf::video, Leaf::still, Leaf::status})
    out += line("write", protocol::topic(own, leaf));
  for (const auto leaf : {Leaf::roster, Leaf::command}) out += line("read", protocol::topic(own, leaf));
  return out + line("read", protocol::ask_filter(own));
}

std::string hub_topics(const Admitted& who) {
  std::string out;
  for (const auto leaf : {Leaf::roster, Leaf::grants, Leaf::video, Leaf::still, Leaf::status})
    out += line("read", protocol::account_filter(who.account, leaf));
  return out + line("write", protocol::account_filter(who.account, Leaf::ask) + "/" + who.device.to_string());
}

std::string owner_topics(const Admitted& who) {
  std::string out;
  for (const auto leaf : {Leaf::roster, Leaf::command})
    out += line("write", protocol::account_filter(who.account, leaf));
  return out + line("read", std::format("sealcam/1/{}/#", who.account.to_string()));
}

std::string topics(const Admitted& who) {
  switch (who.role) {
    case Role::camera: return camera_topics(who);
    case Role::hub: return hub_topics(who);
    case Role::owner: return owner_topics(who);
  }
  return {};
}

}  // namespace

std::string access_block(const Admitted& who) {
  return std::format("{}{} {} of account {}\nuser {}\n{}", mark, protocol::name(who.role), who.device.to_string(),
                     who.account.to_string(), who.device.to_string(), topics(who));
}

Result<Admitted> parse_access_block(std::string_view block) {
  constexpr std::string_view between = " of account ";
  constexpr const char* changed = "an access block was changed by hand";
  for (const auto role : {Role::camera, Role::hub, Role::owner}) {
    const auto start = std::format("{}{} ", mark, protocol::name(role));
    const auto account_at = start.size() + DeviceId::text_size + between.size();
    if (!block.starts_with(start) || block.size() < account_at + AccountId::text_size) continue;
    const auto device = DeviceId::parse(block.substr(start.size(), DeviceId::text_size));
    const auto account = AccountId::parse(block.substr(account_at, AccountId::text_size));
    if (!device || !account) return fail(Errc::malformed, changed);
    const Admitted who{role, *device, *account};
    if (block != access_block(who)) return fail(Errc::malformed, changed);
    return who;
  }
  return fail(Errc::malformed, changed);
}

std::string access_list(std::vector<Admitted> everybody) {
  std::ranges::sort(everybody, {}, &Admitted::device);
  std::string out =
      "# Made by 'sealcam broker' from the blocks in acl.d; changes by hand are lost: yours go into acl.own.\n";
  for (const auto& who : everybody) out += "\n" + access_block(who);
  return out;
}

}  // namespace sealcam::owner
