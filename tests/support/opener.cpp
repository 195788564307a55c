// SPDX-License-Identifier: Apache-2.0
/// Opens all recorded messages that an attacker with the keys of a hub can open, the prekeys included. It uses all
/// grants that are sealed to this hub, and tries all their keys on each frame. It ignores rosters, order and freshness.
///
///     sealcam-opener --state DIR --recording FILE [--secrets FILE]
///
/// --secrets: writes the base keys, and 32 bytes from the middle of each tenth picture, one per line in hexadecimal
/// digits. A test searches for these secrets in the files of the broker.
///
/// Prints one JSON object for each camera with the numbers of recorded and opened frames. `within` contains the same
/// numbers for each roster version: for frames from the first grants with that version up to those with the next one.
/// `granted` is true if these grants included this hub.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "device/device_state.hpp"
#include "device/hub_stores.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "support/actors.hpp"
#include "support/recording.hpp"

using namespace sealcam;
using protocol::Leaf;

namespace {

struct Count {
  std::uint64_t frames = 0, opened = 0;
};

struct Within {
  Count count;
  bool granted = false;
};

struct Camera {
  protocol::Route route;
  std::vector<crypto::Verifier> verifiers;
  std::uint64_t grants = 0, granted = 0;
  Count all;
  std::map<std::uint64_t, Within> within;  ///< by version of the roster
  Within* now = nullptr;
  std::map<protocol::Epoch, crypto::sframe::OpeningKey> keys;
};

class Opener {
 public:
  Opener(const crypto::DeviceKeys& keys, std::vector<device::StoredPrekey> prekeys, std::ofstream* secrets)
      : keys_(keys), prekeys_(std::move(prekeys)), secrets_(secrets) {}

  // main() reads the recording three times, so that late grants open early frames. A roster contains the
  // camera's identity key. Its signature is not checked.
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
    const auto content = protocol::open_grant(*grants, topic->route, keys_.identity.id(),
                                              [this](protocol::PrekeyNumber number) { return key(number); });
    if (!content) return;
    ++camera.granted;
    if (secrets_)
      *secrets_ << to_hex(ByteView(content->base_key.reveal()).first(crypto::sframe::key_size(grants->suite))) << '\n';
    camera.keys.try_emplace(
        grants->epoch, test::must(crypto::sframe::OpeningKey::open(grants->suite, grants->epoch, content->base_key)));
  }

  void read_frame(const test::RecordedMessage& m) {
    const auto topic = protocol::parse_topic(m.topic);
    if (!topic || m.payload.empty()) return;
    auto& camera = cameras_[topic->route];
    camera.route = topic->route;
    if (topic->leaf == Leaf::grants) read_version(camera, m.payload);
    if (topic->leaf != Leaf::video && topic->leaf != Leaf::still) return;
    const bool opened = opens(camera, m.payload);
    count(camera.all, opened);
    if (camera.now != nullptr) count(camera.now->count, opened);
  }

  [[nodiscard]] nlohmann::json report() const {
    auto out = nlohmann::json::array();
    for (const auto& [route, camera] : cameras_) {
      auto within = nlohmann::json::object();
      for (const auto& [version, n] : camera.within)
        within[std::to_string(version)] = {
            {"frames", n.count.frames}, {"opened", n.count.opened}, {"granted", n.granted}};
      out.push_back({{"account", route.account.to_string()},
                     {"camera", route.camera.to_string()},
                     {"grants", camera.grants},
                     {"granted", camera.granted},
                     {"frames", camera.all.frames},
                     {"opened", camera.all.opened},
                     {"within", within}});
    }
    return out;
  }

 private:
  [[nodiscard]] const crypto::AgreementKey* key(protocol::PrekeyNumber number) const noexcept {
    if (number == protocol::PrekeyNumber()) return &keys_.hpke;
    const auto found = std::ranges::find(prekeys_, number, &device::StoredPrekey::number);
    return found == prekeys_.end() ? nullptr : &found->key;
  }

  static void count(Count& to, bool opened) {
    ++to.frames;
    if (opened) ++to.opened;
  }

  void read_version(Camera& camera, ByteView message) const {
    const auto grants = decode(camera, message);
    if (!grants) return;
    camera.now = &camera.within[grants->roster_version.value()];
    camera.now->granted |= std::ranges::contains(grants->grants, keys_.identity.id(), &protocol::Grant::hub);
  }

  /// Decodes grants that are signed with one of the camera's keys in the rosters.
  static std::optional<protocol::Grants> decode(const Camera& camera, ByteView message) {
    for (const auto& verifier : camera.verifiers)
      if (auto grants = protocol::decode_grants(message, camera.route, verifier)) return std::move(*grants);
    return std::nullopt;
  }

  bool opens(const Camera& camera, ByteView message) {
    const auto frame = protocol::parse_frame(message);
    if (!frame) return false;
    const protocol::FrameOpener opener(camera.route);
    Bytes out(frame->sealed.size());
    for (const auto& [epoch, key] : camera.keys) {
      const auto opened = opener.open(out, *frame, key);
      if (!opened) continue;
      const auto content = opened->content;
      if (secrets_ && content.size() >= 64 && ++pictures_ % 10 == 1)
        *secrets_ << to_hex(content.subspan(content.size() / 2, 32)) << '\n';
      return true;
    }
    return false;
  }

  crypto::DeviceKeys keys_;
  std::vector<device::StoredPrekey> prekeys_;
  std::ofstream* secrets_;
  std::uint64_t pictures_ = 0;
  std::map<protocol::Route, Camera> cameras_;
};

void for_each(const std::filesystem::path& recording, auto action) {
  test::RecordingReader reader(recording);
  while (const auto message = reader.next()) action(*message);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Opens the messages of a recording with the keys of a hub");
  std::filesystem::path state, recording, secrets;
  app.add_option("--state", state, "the hub's state folder; the hub must not be running")->required();
  app.add_option("--recording", recording, "file of sealcam-recorder")->required();
  app.add_option("--secrets", secrets, "output file for secrets that the broker must not have");
  CLI11_PARSE(app, argc, argv);
  std::ofstream out;
  if (!secrets.empty()) out.open(secrets);
  recording = std::filesystem::absolute(recording);
  const auto device = test::must(device::DeviceState::open(std::filesystem::absolute(state), protocol::Role::hub));
  device::PrekeyFile prekeys(device.files().own_prekeys(), device.store());
  Opener opener(device.keys(), test::must(prekeys.load()), secrets.empty() ? nullptr : &out);
  for_each(recording, [&](const auto& message) { opener.read_roster(message); });
  for_each(recording, [&](const auto& message) { opener.read_grants(message); });
  for_each(recording, [&](const auto& message) { opener.read_frame(message); });
  std::cout << opener.report().dump() << '\n';
  return 0;
} catch (const std::exception& e) {
  std::cerr << "sealcam-opener: " << e.what() << '\n';
  return 1;
}
