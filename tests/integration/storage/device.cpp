// SPDX-License-Identifier: Apache-2.0
#include "integration/storage/device.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "camera/state_actions.hpp"
#include "pairing/wifi_file.hpp"
#include "stream/orders.hpp"
#include "stream/roster_keeper.hpp"
#include "support/actors.hpp"

namespace sealcam::test {

namespace fs = std::filesystem;
using pairing::DeviceState;

namespace {

const pairing::Board this_board{"B1"};

/// Somebody whose key is the same in every process.
struct Person {
  std::pair<crypto::VolatileKey, crypto::PublicKey> identity;
  explicit Person(const std::string& name)
      : identity(must(crypto::import_signing_key(Secret<32>(must(crypto::sha256(as_bytes(name))))))) {}
  [[nodiscard]] crypto::SigningKey key() const { return {identity.first.id(), identity.second}; }
  [[nodiscard]] crypto::Verifier verifier() const { return must(crypto::Verifier::open(identity.second)); }
};

pairing::Enrolment enrolment_of(const crypto::PublicKey& owner) {
  return {.role = protocol::Role::camera,
          .owner = owner,
          .broker_host = "broker.example",
          .broker_port = 8883,
          .ca_pem = "an authority",
          .certificate_pem = "a certificate",
          .name = "old"};
}

/// Everything of a camera but sensor and network, on one open state.
struct Device {
  explicit Device(DeviceState opened) : state(std::move(opened)) {}

  DeviceState state;
  Person owner{"storage owner"};
  protocol::Route route{owner.identity.second.account(), state.keys().identity.id()};
  SystemClock clock;
  MemoryLog log;
  camera::CameraConfig config;
  stream::CaptureControl control{stream::Quality{}};
  camera::ConfiguredCapture capture{config, std::nullopt, clock, log};
  hal::UnmanagedNetwork network;
  camera::WifiKeeper wifi{{state.files(), network, clock, log}};
  stream::RosterFile roster_file{state.files().folder / "roster"};
  stream::EpochFile epoch_file{state.files().folder / "epoch"};
  stream::CommandFile command_file{state.files().folder / "command-seq"};
  stream::PrivacyFile privacy_file{state.files().folder / "privacy"};
  stream::RosterKeeper roster{roster_file, route, owner.verifier(), state.keys()};
  stream::Epochs epochs{epoch_file, clock, route, state.keys().identity, "old"};
  stream::CommandKeeper commands{command_file, route, owner.verifier(), state.keys().hpke};
  stream::Privacy privacy{privacy_file, control};
  camera::StateActions actions{
      {state.files(), config, capture, control, wifi, log}, enrolment_of(owner.identity.second), config};
  stream::Orders orders{{clock, log, commands, actions, privacy, epochs}};

  [[nodiscard]] protocol::Roster roster_of(std::uint64_t version) const {
    protocol::Roster content;
    content.version = RosterVersion(version);
    content.camera_identity = state.keys().identity.public_key();
    content.camera_hpke = state.keys().hpke.public_key();
    return content;
  }
  [[nodiscard]] Bytes roster_message(std::uint64_t version) const {
    return must(protocol::encode_roster(roster_of(version), route, owner.key()));
  }
  /// Changes everything.
  [[nodiscard]] Bytes command_message(std::uint64_t seq, const std::string& name, bool private_now,
                                      std::uint32_t bitrate) const {
    protocol::Command command;
    const CommandSeq since(seq);
    command.seq = since;
    command.name = {since, name};
    command.privacy = {since, private_now};
    command.settings = {since, {.bitrate = BitsPerSecond(bitrate), .size = {}, .frames_per_second = {}}};
    const auto ssid = as_bytes(name);
    command.wifi = {since, {Bytes(ssid.begin(), ssid.end()), must(protocol::Passphrase::parse("12345678"))}};
    return must(protocol::encode_command(command, route, state.keys().hpke.public_key(), owner.key()));
  }
};

std::unique_ptr<Device> open_device(const fs::path& folder) {
  return std::make_unique<Device>(must(DeviceState::open(folder, protocol::Role::camera, &this_board)));
}

void write_plainly(const fs::path& path, ByteView content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (::write(fd.get(), content.data(), content.size()) < 0) return;
}

}  // namespace

void make_camera(const fs::path& folder) {
  const auto device = open_device(folder);
  must(pairing::write_enrolment(device->state.files(), enrolment_of(device->owner.identity.second)));
  must(device->roster.offer(device->roster_message(1)));
  must(device->privacy.load());
  (void)must(device->orders.load());
  if (!device->orders.command(device->command_message(1, "old", false, 1'000'000)).obeyed)
    throw std::runtime_error("the first command");
  must(device->epochs.begin(*device->roster.current(), device->roster.hash()));
}

void first_start(const fs::path& folder, const Tell& tell) {
  const auto state = DeviceState::open(folder, protocol::Role::camera, &this_board);
  if (state) tell("id", state->keys().identity.id().to_string());
}

void take_roster(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  must(device->roster.load());
  if (device->roster.offer(device->roster_message(2))) tell("roster", "2");
}

void take_roster_in_place(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  write_plainly(folder / "roster", device->roster_message(2));
  tell("roster", "2");
}

void take_roster_without_fsync(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  write_plainly(folder / "roster.new", device->roster_message(2));
  if (::rename((folder / "roster.new").c_str(), (folder / "roster").c_str()) == 0) tell("roster", "2");
  (void)device->epoch_file.store(9);
}

void begin_epochs(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  must(device->roster.load());
  for (int i = 0; i < 3; ++i)
    if (device->epochs.begin(*device->roster.current(), device->roster.hash()))
      tell("epoch", std::to_string(device->epochs.current()->value() >> 32));
}

void begin_epochs_and_store_later(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  const auto last = must(device->epoch_file.load());
  for (std::uint32_t i = 1; i <= 3; ++i) {
    tell("epoch", std::to_string(last + i));
    (void)device->epoch_file.store(last + i);
  }
}

void obey_command(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  must(device->privacy.load());
  (void)must(device->orders.load());
  if (device->orders.command(device->command_message(2, "new", true, 2'000'000)).obeyed) tell("command", "2");
}

void switch_privacy(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  must(device->privacy.load());
  if (device->privacy.set(true)) tell("privacy", "on");
}

void reset(const fs::path& folder, const Tell& tell) {
  if (DeviceState::reset(folder, protocol::Role::camera)) tell("reset", "yes");
}

void reset_without_mark(const fs::path& folder, const Tell& tell) {
  for (const char* name : {"roster", "epoch", "command-seq", "privacy", "settings.json", "wifi.json", "enrolment.json",
                           "device.card", "tls.csr", "tls.key", "board"})
    ::unlink((folder / name).c_str());
  std::error_code ec;
  fs::remove_all(folder / "keys", ec);
  if (!ec) tell("reset", "yes");
}

void look(const fs::path& folder, const Tell& tell) try {
  const auto device = open_device(folder);
  const auto& files = device->state.files();
  must(device->roster.load());
  must(device->privacy.load());
  (void)must(device->orders.load());
  const auto* const roster = device->roster.current();
  const auto enrolment = pairing::read_enrolment(files);
  if (!enrolment && enrolment.error().code != Errc::not_found) throw std::runtime_error(to_string(enrolment.error()));
  const auto settings = camera::read_settings(files.settings());
  if (!settings) throw std::runtime_error(settings.error());
  const auto wifi = pairing::read_wifi_file(files);
  if (!wifi && wifi.error().code != Errc::not_found) throw std::runtime_error(to_string(wifi.error()));
  const auto counter = must(device->epoch_file.load());
  tell("id", device->state.keys().identity.id().to_string());
  tell("roster", roster != nullptr ? std::to_string(roster->version.value()) : "-");
  tell("name", enrolment ? enrolment->name : "-");
  tell("privacy", device->privacy.on() ? "on" : "off");
  tell("settings", settings->bitrate ? std::to_string(settings->bitrate->value()) : "-");
  tell("wifi", wifi ? std::string(as_text(wifi->ssid)) : "-");
  const auto obeyed = device->commands.obeyed();
  tell("command", obeyed ? std::to_string(obeyed->value()) : "-");
  // What this start would begin with.
  must(device->epochs.begin(roster != nullptr ? *roster : device->roster_of(1), device->roster.hash()));
  tell("epoch", std::to_string(device->epochs.current()->value() >> 32));
  tell("epochs", std::to_string(counter));
} catch (const std::exception& error) {
  tell("error", error.what());
}

}  // namespace sealcam::test
