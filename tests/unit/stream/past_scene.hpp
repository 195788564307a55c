// SPDX-License-Identifier: Apache-2.0
/// A camera that keeps frames on a disk while it has no broker.
#pragma once

#include <map>

#include "stream/publish/past_frames.hpp"
#include "support/memory_past_store.hpp"
#include "support/stream_builder.hpp"
#include "support/temporary_folder.hpp"
#include "unit/stream/preroll_scene.hpp"

namespace sealcam::test {

using protocol::FrameKind;
using protocol::PastRange;
using protocol::RequestKind;

inline device::PastFolder open_store(const std::filesystem::path& folder, const protocol::Route& route,
                                     const Actor& camera, const FewAreas& masks = {}) {
  return must(device::PastFolder::open(folder, {.bytes = 64U << 20, .reserve = 0}, route, camera.identity(),
                                       must(stream::PastFrames::digest_of(masks))));
}

inline FewAreas one_mask() { return FewAreas(PictureAreas{{0, 0, 500, 500}}); }

/// A store on a disk, which does not check signatures at its start because it is empty.
struct Disk {
  TemporaryFolder folder;
  device::PastFolder store = open_store(folder.path() / "past", {}, Actor());
};

struct PastScene : Disk, PrerollScene {
  PastScene() : PrerollScene({}, &store) {
    requests = RequestKind::record;
    keyframe_interval = 10;
  }
  void lose_broker() {
    client.is_connected = false;
    requests.reset();
    publisher.on_disconnected({Errc::connection, 0, "the cable is cut"});
  }
  void find_broker() {
    connect();
    client.settle();
  }
  void request(const Actor& by, std::vector<PastRange> ranges) {
    receive_request_with(by, [&](protocol::ViewRequest& r) {
      r.kind = RequestKind::past;
      r.past = std::move(ranges);
    });
    client.settle();
  }
  /// The ranges in the newest report.
  [[nodiscard]] std::vector<PastRange> listed() const {
    std::vector<PastRange> newest;
    for (const auto& seen : seen_by(hub))
      if (seen.kind == FrameKind::report) newest = must(protocol::decode_report(seen.content)).past;
    return newest;
  }
  /// The frames on the topic `past`, opened with the grants on the same topic.
  [[nodiscard]] std::vector<Seen> past_of(const Actor& by) const {
    std::map<Epoch, crypto::sframe::OpeningKey> keys;
    std::vector<Seen> seen;
    for (const auto* sent : client.on("/past")) {
      const auto frame = protocol::parse_frame(sent->payload);
      if (!frame) {
        const auto granted = must(protocol::decode_grants(sent->payload, route, camera.verifier()));
        if (const auto content = protocol::open_grant(granted, route, by.id(), by.keys().hpke))
          keys.insert_or_assign(
              granted.epoch, must(crypto::sframe::OpeningKey::open(granted.suite, granted.epoch, content->base_key)));
        continue;
      }
      const protocol::FrameOpener opener(route);
      must(opener.verify(*frame, camera.verifier()));
      const auto key = keys.find(frame->epoch);
      if (key == keys.end()) continue;
      Bytes out(frame->sealed.size());
      const auto opened = must(opener.open(out, *frame, key->second));
      seen.push_back({"past", frame->kind, frame->epoch, frame->counter, opened.header,
                      Bytes(opened.content.begin(), opened.content.end())});
    }
    return seen;
  }
  [[nodiscard]] std::size_t past_messages() const { return client.on("/past").size(); }
};

}  // namespace sealcam::test
