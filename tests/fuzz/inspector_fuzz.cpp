// SPDX-License-Identifier: Apache-2.0
// The inspector of 'sealcam inspect'. The first byte selects the topic. If its highest bit is set, the rest is a
// payload that the fuzzer signs with the key of the expected signer.
#include "input.hpp"
#include "owner/record/inspector.hpp"
#include "parties.hpp"
#include "watcher_camera.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;
using protocol::Leaf;
using protocol::MessageName;

namespace {

owner::Inspector make_inspector() {
  owner::AccountFile account;
  account.account = parties().owner.account();
  account.cameras = {
      {parties().camera.id(), "Front door", parties().camera.identity(), parties().camera.hpke(), {}, {}}};
  account.hubs = {{parties().hub.id(), "display", parties().hub.identity(), parties().hub.hpke(), true, {}, {}}};
  return must(owner::Inspector::open(account, parties().owner.identity(), parties().hub.keys()));
}

struct Place {
  std::string topic;
  MessageName name;
  const Party* signer;
};
Place place(unsigned n) {
  const auto& c = parties();
  const auto at = [&](Leaf leaf, MessageName name, const Party& signer) {
    return Place{protocol::topic(c.route, leaf), name, &signer};
  };
  switch (n % 7) {
    case 0: return at(Leaf::roster, MessageName::roster, c.owner);
    case 1: return at(Leaf::command, MessageName::command, c.owner);
    case 2: return at(Leaf::grants, MessageName::grants, c.camera);
    case 3: return at(Leaf::status, MessageName::status, c.camera);
    case 4: return at(Leaf::video, MessageName::frame, c.camera);
    case 5: return at(Leaf::still, MessageName::frame, c.camera);
    default: return {protocol::request_topic(c.route, c.hub.id()), MessageName::request, &c.hub};
  }
}

/// Seals the fuzzer's plaintext as the camera does.
Bytes sealed(ByteView content) {
  auto key =
      must(crypto::sframe::SealingKey::open(HonestCamera::suite, HonestCamera::number(0), HonestCamera::base_key(0)));
  const protocol::FrameSealer sealer(parties().route, parties().camera.keys().identity);
  Bytes room(sealer.message_size(key, content.size()));
  const auto kind = static_cast<protocol::FrameKind>(1 + content.size() % 4);
  must(sealer.seal(room, key, kind, content));
  return room;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)parties();
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
          : must(protocol::sign_message(where.name, parties().route, where.signer->keys().identity, rest));
  auto inspector = make_inspector();
  const auto granted =
      inspector.inspect({protocol::topic(parties().route, Leaf::grants), HonestCamera::grants(0), true});
  SC_ASSERT(granted.verified && granted.opened == true);
  const auto result = inspector.inspect({where.topic, message, false});
  SC_ASSERT(result.topic.has_value() && result.size == message.size());
  SC_ASSERT(result.verified || !result.why.empty());
  if (result.opened) SC_ASSERT(result.verified && (*result.opened || !result.why.empty()));
  if (result.verified) SC_ASSERT(result.signer == where.signer->id().to_string());
  return 0;
}
