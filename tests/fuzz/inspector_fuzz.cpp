// SPDX-License-Identifier: Apache-2.0
// What 'sealcam inspect' says of a message. The first byte: the topic; its highest bit: the rest is a payload that is
// signed here by whom it should be.
#include "cast.hpp"
#include "input.hpp"
#include "owner/inspector.hpp"
#include "watcher_camera.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using protocol::Leaf;
using protocol::MessageName;

namespace {

owner::Inspector make_inspector() {
  owner::AccountFile account;
  account.account = cast().owner.account();
  account.cameras = {{cast().camera.id(), "Front door", cast().camera.identity(), cast().camera.hpke(), {}, {}}};
  account.hubs = {{cast().hub.id(), "display", cast().hub.identity(), cast().hub.hpke(), true, {}, {}}};
  return must(owner::Inspector::open(account, cast().owner.identity(), cast().hub.keys()));
}

struct Place {
  std::string topic;
  MessageName name;
  const Player* signer;
};
Place place(unsigned n) {
  const auto& c = cast();
  const auto at = [&](Leaf leaf, MessageName name, const Player& signer) {
    return Place{protocol::topic(c.route, leaf), name, &signer};
  };
  switch (n % 7) {
    case 0: return at(Leaf::roster, MessageName::roster, c.owner);
    case 1: return at(Leaf::command, MessageName::command, c.owner);
    case 2: return at(Leaf::grants, MessageName::grants, c.camera);
    case 3: return at(Leaf::status, MessageName::status, c.camera);
    case 4: return at(Leaf::video, MessageName::frame, c.camera);
    case 5: return at(Leaf::still, MessageName::frame, c.camera);
    default: return {protocol::ask_topic(c.route, c.hub.id()), MessageName::ask, &c.hub};
  }
}

/// A plaintext that the camera sealed, of whatever content.
Bytes sealed(ByteView content) {
  auto key =
      must(crypto::sframe::SealingKey::open(HonestCamera::suite, HonestCamera::number(0), HonestCamera::base_key(0)));
  const protocol::FrameSealer sealer(cast().route, cast().camera.keys().identity);
  Bytes room(sealer.message_size(key, content.size()));
  const auto kind = static_cast<protocol::FrameKind>(1 + content.size() % 4);
  must(sealer.seal(room, key, kind, content));
  return room;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)cast();
  Input in(data, size);
  const auto choice = in.byte();
  const auto where = place(choice & 0x7fU);
  const auto rest = in.rest();
  if (rest.size() > 4096) return 0;
  const bool sign = (choice & 0x80U) != 0;
  const auto message =
      !sign ? Bytes(rest.begin(), rest.end())
      : where.name == MessageName::frame
          ? sealed(rest)
          : must(protocol::sign_message(where.name, cast().route, where.signer->keys().identity, rest));
  auto inspector = make_inspector();
  const auto granted = inspector.inspect({protocol::topic(cast().route, Leaf::grants), HonestCamera::grants(0), true});
  SC_ASSERT(granted.verified && granted.opened == true);
  const auto said = inspector.inspect({where.topic, message, false});
  SC_ASSERT(said.topic.has_value() && said.size == message.size());
  SC_ASSERT(said.verified || !said.why.empty());
  if (said.opened) SC_ASSERT(said.verified && (*said.opened || !said.why.empty()));
  if (said.verified) SC_ASSERT(said.signer == where.signer->id().to_string());
  return 0;
}
