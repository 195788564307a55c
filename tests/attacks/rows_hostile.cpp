// SPDX-License-Identifier: Apache-2.0
// A camera of the account with hostile software. It has valid keys and a valid roster.
#include <algorithm>

#include "attacks/row.hpp"
#include "base/format.hpp"
#include "base/types.hpp"
#include "hal/h264.hpp"
#include "hub/web/live_stream.hpp"
#include "support/hub_scene.hpp"

namespace sealcam::attacks {
namespace {

using namespace std::chrono_literals;

/// Selects a camera by its name or its id, whichever comes first.
std::optional<DeviceId> naive_choice(const std::vector<watch::CameraStatus>& cameras, std::string_view text) {
  const auto named = std::ranges::find(cameras, text, &watch::CameraStatus::name);
  if (named != cameras.end()) return named->id;
  const auto with_id = std::ranges::find(cameras, text, [](const auto& camera) { return camera.id.to_string(); });
  return with_id == cameras.end() ? std::nullopt : std::optional(with_id->id);
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// Clients request the other camera by its id, and by its name. A picture of the hostile camera is wrong.
Row colliding_names() {
  Row row;
  row.name = "a camera has the name or the id of another camera as its name";
  row.rejected_as = "the id counts, or a conflict";
  row.note = "names are not messages; the selection for a snapshot ignores them or fails";
  row.control_is = "a selection by name first";
  row.options.cameras = 2;
  row.strike = [](Arena& arena, int n) {
    Sent sent;
    auto cameras = arena.home.hub().watcher().cameras();
    if (cameras.size() != 2) throw std::runtime_error("the hub does not have two cameras");
    for (int i = 0; i < n; ++i, ++sent.messages) {
      auto& victim = cameras.at(static_cast<std::size_t>(i) % 2);
      auto& hostile = cameras.at(static_cast<std::size_t>(i + 1) % 2);
      const auto id = victim.id.to_string();
      victim.name = "Nursery";
      const std::array names{id, upper(id), victim.name};
      const auto& name = names.at(static_cast<std::size_t>(i / 2) % names.size());
      hostile.name = name;
      sent.control += naive_choice(cameras, name) == hostile.id;
      hostile.name = shown_device_name(name);
      for (const auto& text : {id, upper(id), victim.name})
        if (const auto chosen = hub::web::find_camera(cameras, text); chosen && *chosen != victim.id)
          throw std::runtime_error(sealcam::format("'{}' selected the hostile camera", text));
      if (hub::web::find_camera(cameras, id) != victim.id) throw std::runtime_error("an id did not select its camera");
    }
    return sent;
  };
  return row;
}

Bytes unit(std::initializer_list<int> bytes) {
  Bytes out;
  for (const int b : bytes) out.push_back(static_cast<std::byte>(b));
  return out;
}

struct Picture {
  std::uint16_t width, height;
  Bytes content;
};

/// SPS of 320x240, PPS and an IDR slice.
Bytes key_frame() {
  return unit({0, 0, 0,    1,    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x05, 0x07, 0xe4, 0,    0,
               0, 1, 0x68, 0xce, 0x3c, 0x80, 0,    0,    0,    1,    0x65, 0x88, 0x84, 0x21});
}

std::vector<Picture> contradictions() {
  auto two = key_frame();
  const auto second = unit({0, 0, 0, 1, 0x65, 0x88, 0x84, 0x21});
  two.insert(two.end(), second.begin(), second.end());
  return {{1920, 1080, key_frame()},                         // another size than the SPS
          {0, 0, key_frame()},                               // no pixels
          {65535, 65535, key_frame()},                       // 4 gigapixels
          {4096, 4096, key_frame()},                         // more pixels than H.264 level 5.2 has
          {320, 240, two},                                   // two pictures
          {320, 240, unit({0, 0, 0, 1, 0x41, 0x9a, 0x24})},  // no key frame
          {320, 240, Bytes(300, std::byte{0xab})}};          // no H.264
}

/// Returns how many of `n` contradictory pictures the hub showed. Throws if it does not show a good one afterwards.
std::uint64_t shown_by(test::HubScene& hub, int n) {
  auto epoch = hub.join();
  const auto pictures = contradictions();
  std::uint32_t number = 0;
  const auto show = [&](const Picture& picture) {
    const auto before = hub.sink.shown.size();
    hub.deliver(Leaf::video, hub.builder.frame(epoch, FrameKind::key,
                                               {.number = ++number,
                                                .echo = hub.challenge(epoch),
                                                .width = picture.width,
                                                .height = picture.height,
                                                .content = picture.content}));
    hub.advance(100ms);
    return hub.sink.shown.size() - before;
  };
  std::uint64_t shown = 0;
  for (int i = 0; i < n; ++i) shown += show(pictures.at(static_cast<std::size_t>(i) % pictures.size()));
  if (show({320, 240, key_frame()}) != 1) throw std::runtime_error("a valid picture was not shown");
  return shown;
}

Row contradictory_pictures() {
  Row row;
  row.name = "signed pictures that contradict their header, or have no possible size";
  row.rejected_as = "malformed";
  row.note = "counted by a hub beside the arena";
  row.control_is = "a hub without the rule for pictures";
  row.strike = [](Arena&, int n) {
    test::HubScene hub(hal::is_picture), naive;
    Sent sent;
    sent.messages = static_cast<std::uint64_t>(n);
    if (const auto shown = shown_by(hub, n); shown > 0)
      throw std::runtime_error(sealcam::format("the hub showed {} of them", shown));
    if (hub.rejected(watch::RejectReason::malformed) != sent.messages)
      throw std::runtime_error("the hub did not count them as malformed");
    sent.control = shown_by(naive, n);
    return sent;
  };
  return row;
}

}  // namespace

void add_hostile_rows(std::vector<Row>& rows) {
  rows.push_back(colliding_names());
  rows.push_back(contradictory_pictures());
}

}  // namespace sealcam::attacks
