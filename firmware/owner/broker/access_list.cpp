// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/access_list.hpp"

#include <algorithm>
#include <set>

#include "base/format.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::owner {

namespace {

using protocol::Leaf;
using protocol::Role;
using protocol::Route;
using Topics = std::vector<std::string>;

constexpr auto written_by_camera = {Leaf::grants, Leaf::video, Leaf::still, Leaf::status};
constexpr auto written_by_owner = {Leaf::roster, Leaf::command};
constexpr auto read_by_hub = {Leaf::roster, Leaf::grants, Leaf::video, Leaf::still, Leaf::status};

void add(Topics& topics, const Route& route, std::initializer_list<Leaf> leaves) {
  for (const auto leaf : leaves) topics.push_back(protocol::topic(route, leaf));
}

Permissions of_camera(const Authorized& camera, std::span<const Authorized> account) {
  const Route own{camera.account, camera.device};
  Permissions out;
  add(out.write, own, written_by_camera);
  add(out.read, own, written_by_owner);
  for (const auto& hub : account)
    if (hub.role == Role::hub) out.read.push_back(protocol::request_topic(own, hub.device));
  return out;
}

Permissions of_hub(const Authorized& hub, std::span<const Authorized> account) {
  Permissions out;
  out.read.push_back(protocol::index_topic(hub.account, hub.device));
  for (const auto& camera : account) {
    if (camera.role != Role::camera) continue;
    const Route route{camera.account, camera.device};
    add(out.read, route, read_by_hub);
    out.write.push_back(protocol::request_topic(route, hub.device));
  }
  return out;
}

Permissions of_owner(const Authorized& owner, std::span<const Authorized> account) {
  Permissions out;
  for (const auto& device : account) {
    if (device.role == Role::camera) add(out.write, {device.account, device.device}, written_by_owner);
    if (device.role == Role::hub) out.write.push_back(protocol::index_topic(device.account, device.device));
  }
  out.write.push_back(protocol::index_topic(owner.account, owner.device));  // of all cameras
  out.read.push_back(sealcam::format("sealcam/1/{}/#", owner.account.to_string()));
  return out;
}

Permissions permissions_in(const Authorized& device, std::span<const Authorized> account) {
  switch (device.role) {
    case Role::camera: return of_camera(device, account);
    case Role::hub: return of_hub(device, account);
    case Role::owner: return of_owner(device, account);
  }
  return {};
}

std::vector<Authorized> devices_of(const AccountId& account, std::span<const Authorized> all) {
  std::vector<Authorized> out;
  std::ranges::copy_if(all, std::back_inserter(out), [&](const Authorized& each) { return each.account == account; });
  return out;
}

/// The topics of a camera or a hub: all that its role and its id make possible, with these devices of its account.
std::set<std::string> topics_of(const Authorized& device, std::span<const Authorized> account) {
  Topics out;
  const Route own{device.account, device.device};
  if (device.role == Role::camera) {
    add(out, own, written_by_camera);
    add(out, own, written_by_owner);
  }
  // The owner's own index lists all cameras.
  if (device.role != Role::camera) out.push_back(protocol::index_topic(device.account, device.device));
  for (const auto& other : account) {
    if (device.role == Role::camera && other.role == Role::hub)
      out.push_back(protocol::request_topic(own, other.device));
    if (device.role == Role::hub && other.role == Role::camera)
      out.push_back(protocol::request_topic({other.account, other.device}, device.device));
  }
  return {out.begin(), out.end()};
}

std::string block(const Authorized& device, std::span<const Authorized> account) {
  auto out = sealcam::format("\n# {} {} of account {}\nuser {}\n", protocol::name(device.role),
                             device.device.to_string(), device.account.to_string(), device.device.to_string());
  const auto topics = permissions_in(device, account);
  for (const auto& topic : topics.write) out += sealcam::format("topic write {}\n", topic);
  for (const auto& topic : topics.read) out += sealcam::format("topic read {}\n", topic);
  return out;
}

}  // namespace

Permissions permissions(const Authorized& device, std::span<const Authorized> all) {
  return permissions_in(device, devices_of(device.account, all));
}

std::vector<std::string> topics_without_device(std::span<const Authorized> revoked,
                                               std::span<const Authorized> authorized) {
  std::set<std::string> out;
  for (const auto& device : revoked) {
    // A hub and a camera that are both revoked have a topic in common.
    auto account = devices_of(device.account, authorized);
    const auto gone = devices_of(device.account, revoked);
    account.insert(account.end(), gone.begin(), gone.end());
    out.merge(topics_of(device, account));
  }
  for (const auto& device : authorized) {
    if (std::ranges::none_of(revoked, [&](const Authorized& each) { return each.account == device.account; })) continue;
    // A request topic needs both devices, so only the pairs of authorized devices keep it.
    for (const auto& topic : topics_of(device, devices_of(device.account, authorized))) out.erase(topic);
  }
  return {out.begin(), out.end()};
}

std::string access_list(std::vector<Authorized> devices) {
  std::ranges::sort(devices, {}, &Authorized::device);
  auto out = sealcam::format(
      "# Generated by 'sealcam broker' from the files in devices. Do not edit this file; write your own rules into "
      "acl.own.\n\n# Deletes retained messages of revoked devices. Only the operator can make a certificate with this "
      "name.\nuser {}\ntopic write sealcam/1/#\n",
      operator_name);
  std::ranges::stable_sort(devices, {}, &Authorized::account);
  for (auto first = devices.begin(); first != devices.end();) {
    const auto last =
        std::find_if(first, devices.end(), [&](const auto& each) { return each.account != first->account; });
    const std::span account(first, last);
    for (const auto& device : account) out += block(device, account);
    first = last;
  }
  return out;
}

}  // namespace sealcam::owner
