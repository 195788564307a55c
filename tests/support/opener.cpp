// SPDX-License-Identifier: Apache-2.0
/// What somebody opens who has a hub's keys and every message that was ever published: all grants that are sealed to
/// it, and all frames with every key that they hold, whatever roster, order and freshness say.
///
///     sealcam-opener --state DIR --recording FILE
///
/// One JSON object for each camera: frames recorded and opened; `after`: the same, of those that came after the first
/// grants for each version of the roster.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "pairing/device_state.hpp"
#include "protocol/frame.hpp"
#include "protocol/grants.hpp"
#include "protocol/topic.hpp"
#include "support/actors.hpp"
#include "support/recording.hpp"

using namespace sealcam;
using protocol::Leaf;

namespace {

struct Count {
  std::uint64_t frames = 0, opened = 0;
};

struct Camera {
  protocol::Route route;
  std::vector<crypto::Verifier> verifiers;
  std::uint64_t grants = 0, granted = 0;
  Count all;
  std::map<std::uint64_t, Count> after;  ///< by version of the roster
  std::map<Epoch, crypto::sframe::OpeningKey> keys;
};

class Opener {
 public:
  explicit Opener(const crypto::DeviceKeys& keys) : keys_(keys) {}

  /// Three rounds over the recording, so that what came late opens what came early. The camera's keys stand in rosters,
  /// signed by an owner that we need not know.
  void read_roster(const test::RecordedMessage& m) {
    const auto topic = protocol::parse_topic(m.topic);
    if (!topic || topic->leaf != Leaf::roster) return;
    auto& camera = cameras_[topic->route];
    camera.route = topic->route;
    const auto parts = crypto::cose::parse_sign1(m.payload);
    if (!parts) return;
    crypto::CborReader reader(parts->payload);
    if (!reader.map() || !reader.key(1) || !reader.unsigned_integer() || !reader.key(2)) return;
    const auto bytes = reader.bytes();
    const auto key = bytes ? crypto::PublicKey::parse(*bytes) : std::unexpected(bytes.error());
    if (!key) return;
    if (std::ranges::contains(camera.verifiers, *key, &crypto::Verifier::key)) return;
    camera.verifiers.push_back(test::must(crypto::Verifier::open(*key)));
  }

  void read_grants(const test::RecordedMessage& m) {
    const auto topic = protocol::parse_topic(m.topic);
    if (!topic || topic->leaf != Leaf::grants || m.payload.empty()) return;
    auto& camera = cameras_[topic->route];
    camera.route = topic->route;
    ++camera.grants;
    const auto grants = decode(camera, m.payload);
    if (!grants) return;
    const auto content = protocol::open_grant(*grants, topic->route, keys_.identity.id(), keys_.hpke);
    if (!content) return;
    ++camera.granted;
    camera.keys.try_emplace(
        grants->epoch, test::must(crypto::sframe::OpeningKey::open(grants->suite, grants->epoch, content->base_key)));
  }

  void read_frame(const test::RecordedMessage& m) {
    const auto topic = protocol::parse_topic(m.topic);
    if (!topic || m.payload.empty()) return;
    auto& camera = cameras_[topic->route];
    camera.route = topic->route;
    if (topic->leaf == Leaf::grants)
      if (const auto grants = decode(camera, m.payload)) camera.after.try_emplace(grants->roster_version.value());
    if (topic->leaf != Leaf::video && topic->leaf != Leaf::still) return;
    const bool opened = opens(camera, m.payload);
    count(camera.all, opened);
    for (auto& [version, after] : camera.after) count(after, opened);
  }

  [[nodiscard]] nlohmann::json report() const {
    auto out = nlohmann::json::array();
    for (const auto& [route, camera] : cameras_) {
      auto after = nlohmann::json::object();
      for (const auto& [version, n] : camera.after)
        after[std::to_string(version)] = {{"frames", n.frames}, {"opened", n.opened}};
      out.push_back({{"account", route.account.to_string()},
                     {"camera", route.camera.to_string()},
                     {"grants", camera.grants},
                     {"granted", camera.granted},
                     {"frames", camera.all.frames},
                     {"opened", camera.all.opened},
                     {"after", after}});
    }
    return out;
  }

 private:
  static void count(Count& to, bool opened) {
    ++to.frames;
    if (opened) ++to.opened;
  }

  /// By any of the keys that rosters named for this camera.
  static std::optional<protocol::Grants> decode(const Camera& camera, ByteView message) {
    for (const auto& verifier : camera.verifiers)
      if (auto grants = protocol::decode_grants(message, camera.route, verifier)) return std::move(*grants);
    return std::nullopt;
  }

  static bool opens(const Camera& camera, ByteView message) {
    const auto frame = protocol::parse_frame(message);
    if (!frame) return false;
    const protocol::FrameOpener opener(camera.route);
    Bytes out(frame->sealed.size());
    return std::ranges::any_of(camera.keys,
                               [&](const auto& entry) { return opener.open(out, *frame, entry.second).has_value(); });
  }

  crypto::DeviceKeys keys_;
  std::map<protocol::Route, Camera> cameras_;
};

void for_each(const std::filesystem::path& recording, auto what) {
  test::RecordingReader reader(recording);
  while (const auto message = reader.next()) what(*message);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("What a hub's keys open of a recording");
  std::filesystem::path state, recording;
  app.add_option("--state", state, "the hub's state folder; the hub must not be running")->required();
  app.add_option("--recording", recording, "file of sealcam-recorder")->required();
  CLI11_PARSE(app, argc, argv);
  recording = std::filesystem::absolute(recording);
  const auto device = test::must(pairing::DeviceState::open(std::filesystem::absolute(state), protocol::Role::hub));
  Opener opener(device.keys());
  for_each(recording, [&](const auto& message) { opener.read_roster(message); });
  for_each(recording, [&](const auto& message) { opener.read_grants(message); });
  for_each(recording, [&](const auto& message) { opener.read_frame(message); });
  std::cout << opener.report().dump() << '\n';
  return 0;
} catch (const std::exception& e) {
  std::cerr << "sealcam-opener: " << e.what() << '\n';
  return 1;
}
