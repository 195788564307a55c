// SPDX-License-Identifier: Apache-2.0
/// An account with two cameras, "Door" and "Yard", and two hubs, "tablet" (this machine's) and "display".
#pragma once

#include "owner/account/account.hpp"
#include "support/actors.hpp"

namespace sealcam::test {

struct SampleAccount {
  Actor owner, door, yard, tablet, display;
  owner::AccountFile file;

  SampleAccount() {
    file.account = owner.account();
    for (const auto& [actor, name] : {std::pair(&door, "Door"), {&yard, "Yard"}}) {
      owner::CameraRecord camera;
      camera.id = actor->id();
      camera.name = name;
      camera.identity = actor->identity();
      camera.hpke = actor->hpke();
      camera.version = protocol::RosterVersion(3);
      camera.published = protocol::RosterVersion(3);
      file.cameras.push_back(camera);
    }
    for (const auto& [actor, name] : {std::pair(&tablet, "tablet"), {&display, "display"}}) {
      owner::HubRecord hub;
      hub.id = actor->id();
      hub.name = name;
      hub.identity = actor->identity();
      hub.hpke = actor->hpke();
      file.hubs.push_back(hub);
    }
    file.hubs[0].this_machine = true;
  }
};

}  // namespace sealcam::test
