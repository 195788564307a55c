// SPDX-License-Identifier: Apache-2.0
#include "integration/storage/device.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/testing/fakes.hpp"
#include "camera/owner_settings.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "device/file_stores.hpp"
#include "hal/testing/fake_board.hpp"
#include "stream/publish/command_executor.hpp"
#include "support/actors.hpp"
#include "support/storage_faults.hpp"

namespace sealcam::test {

namespace fs = std::filesystem;
using device::DeviceState;

namespace {

const device::Board this_board{"B1"};

/// An owner with the same key in every process.
struct Person {
  std::pair<crypto::VolatileKey, crypto::PublicKey> identity;
  explicit Person(const std::string& name)
      : identity(must(crypto::import_signing_key(Secret<32>(must(crypto::sha256(as_bytes(name))))))) {}
  [[nodiscard]] crypto::SigningKey key() const { return {identity.first.id(), identity.second}; }
  [[nodiscard]] crypto::Verifier verifier() const { return must(crypto::Verifier::open(identity.second)); }
};

device::Enrollment enrollment_of(const crypto::PublicKey& owner) {
  return {.role = protocol::Role::camera,
          .owner = owner,
          .broker_host = "broker.example",
          .broker_port = 8883,
          .ca_pem = "an authority",
          .certificate_pem = "a certificate",
          .name = "old"};
}

/// A camera without sensor and network, on one open state.
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
  hal::testing::UnmanagedNetwork network;
  camera::WifiController wifi{{state.files(), network, clock, log}};
  device::RosterFolder rosters{state.files().rosters(route.account)};
  device::EpochFile epoch_file{state.files().epoch()};
  device::CommandFile command_file{state.files().command()};
  device::PrivacyFile privacy_file{state.files().privacy()};
  device::HubKeyFile hub_key_file{state.files().prekeys()};
  stream::RosterValidator roster{rosters, route, owner.verifier(), state.keys()};
  stream::Epochs epochs{epoch_file, clock, route, state.keys().identity, "old"};
  stream::CommandValidator commands{command_file, route, owner.verifier(), state.keys().hpke};
  stream::Privacy privacy{privacy_file, control};
  camera::StateActions actions{
      {state.files(), config, capture, control, wifi, log}, enrollment_of(owner.identity.second), config};
  stream::CommandExecutor executor{{clock, log, commands, actions, privacy, epochs}};

  void prepare() {
    must(rosters.prepare(route.camera));
    must(epoch_file.prepare());
    must(command_file.prepare());
    must(privacy_file.prepare());
    must(hub_key_file.prepare());
  }
  /// Stores the camera's own key as the newest key of a hub.
  [[nodiscard]] Result<> store_hub_key(std::uint64_t number) {
    const std::array keys{
        device::HubKey{state.keys().identity.id(), {protocol::PrekeyNumber(number), state.keys().hpke.public_key()}}};
    return hub_key_file.store(keys);
  }
  [[nodiscard]] protocol::Roster roster_of(std::uint64_t version) const {
    protocol::Roster content;
    content.version = protocol::RosterVersion(version);
    content.camera_identity = state.keys().identity.public_key();
    content.camera_hpke = state.keys().hpke.public_key();
    return content;
  }
  [[nodiscard]] Bytes roster_message(std::uint64_t version) const {
    return must(protocol::encode_roster(roster_of(version), route, owner.key()));
  }
  /// A command that changes all settings.
  [[nodiscard]] Bytes command_message(std::uint64_t seq, const std::string& name, bool private_now,
                                      std::uint32_t bitrate) const {
    protocol::Command command;
    const protocol::CommandSeq since(seq);
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

fs::path roster_path(const Device& device) {
  return device.state.files().rosters(device.route.account) / device.route.camera.to_string();
}

void write_plainly(const fs::path& path, ByteView content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (::write(fd.get(), content.data(), content.size()) < 0) return;
}

}  // namespace

void make_camera(const fs::path& folder) {
  const auto device = open_device(folder);
  must(device::write_enrollment(device->state.files(), enrollment_of(device->owner.identity.second)));
  must(device->roster.offer(device->roster_message(1)));
  must(device->roster.store());
  must(device->store_hub_key(1));
  must(device->privacy.load());
  (void)must(device->executor.load());
  if (!device->executor.command(device->command_message(1, "old", false, 1'000'000)).applied)
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
  must(device->roster.offer(device->roster_message(2)));
  if (device->roster.store()) tell("roster", "2");
}

void take_roster_in_place(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  write_plainly(roster_path(*device), device->roster_message(2));
  tell("roster", "2");
}

void take_roster_without_fsync(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  const auto path = roster_path(*device), temporary = fs::path(path.string() + ".new");
  write_plainly(temporary, device->roster_message(2));
  if (::rename(temporary.c_str(), path.c_str()) == 0) tell("roster", "2");
  (void)device->epoch_file.reserve(9);
}

void begin_epochs(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  device::EpochSequence numbers(device->epoch_file);
  for (int i = 0; i < 300; ++i)
    if (const auto counter = numbers.next()) tell("epoch", std::to_string(*counter));
}

void begin_epochs_and_store_later(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  const auto last = must(device->epoch_file.load());
  for (std::uint32_t i = 1; i <= 3; ++i) {
    tell("epoch", std::to_string(last + i));
    (void)device->epoch_file.reserve(1);
  }
}

void change_all_on_a_full_disk(const fs::path& folder, const Tell& tell, bool prepared) {
  const auto device = open_device(folder);
  must(device->roster.load());
  must(device->privacy.load());
  (void)must(device->executor.load());
  if (prepared) device->prepare();
  arm_storage(StorageFault::stays_full, 1);
  for (std::uint64_t i = 2; i <= 5; ++i) {  // the camera checks at most four commands a second
    must(device->roster.offer(device->roster_message(i)));
    if (device->roster.store()) tell("roster", std::to_string(i));
    protocol::Command command;
    command.seq = protocol::CommandSeq(i);
    command.privacy = {command.seq, i % 2 == 0};
    const auto message = must(
        protocol::encode_command(command, device->route, device->state.keys().hpke.public_key(), device->owner.key()));
    if (device->executor.command(message).applied) tell("command", std::to_string(i));
    if (device->privacy.stored()) tell("privacy", device->privacy.on() ? "on" : "off");
    if (const auto first = device->epoch_file.reserve(256)) tell("reserved", std::to_string(*first));
  }
}

void reset_on_a_full_disk(const fs::path& folder, const Tell& tell) {
  open_device(folder)->prepare();
  arm_storage(StorageFault::stays_full, 1);
  reset(folder, tell);
}

void apply_command(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  must(device->privacy.load());
  (void)must(device->executor.load());
  if (device->executor.command(device->command_message(2, "new", true, 2'000'000)).applied) tell("command", "2");
}

void switch_privacy(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  must(device->privacy.load());
  if (device->privacy.set(true)) tell("privacy", "on");
}

void take_hub_key(const fs::path& folder, const Tell& tell) {
  const auto device = open_device(folder);
  if (device->store_hub_key(2)) tell("prekey", "2");
}

void reset(const fs::path& folder, const Tell& tell) {
  if (device::reset_state(folder, protocol::Role::camera)) tell("reset", "yes");
}

void reset_without_mark(const fs::path& folder, const Tell& tell) {
  for (const char* name : {"epoch", "command-seq", "privacy", "prekeys", "settings.json", "wifi.json",
                           "enrollment.json", "device.descriptor", "tls.csr", "tls.key", "board"})
    ::unlink((folder / name).c_str());
  std::error_code ec;
  fs::remove_all(folder / "rosters", ec);
  fs::remove_all(folder / "keys", ec);
  if (!ec) tell("reset", "yes");
}

void look(const fs::path& folder, const Tell& tell) try {
  const auto device = open_device(folder);
  const auto& files = device->state.files();
  must(device->roster.load());
  must(device->privacy.load());
  (void)must(device->executor.load());
  const auto* const roster = device->roster.current();
  const auto enrollment = device::read_enrollment(files);
  if (!enrollment && enrollment.error().code != Errc::not_found)
    throw std::runtime_error(to_string(enrollment.error()));
  const auto settings = camera::read_settings(files.settings());
  if (!settings) throw std::runtime_error(settings.error());
  const auto wifi = device::read_wifi_file(files);
  if (!wifi && wifi.error().code != Errc::not_found) throw std::runtime_error(to_string(wifi.error()));
  const auto counter = must(device->epoch_file.load());
  const auto hub_keys = must(device->hub_key_file.load());
  tell("prekey", hub_keys.empty() ? "-" : std::to_string(hub_keys[0].prekey.number.value()));
  tell("id", device->state.keys().identity.id().to_string());
  tell("roster", roster != nullptr ? std::to_string(roster->version.value()) : "-");
  tell("name", enrollment ? enrollment->name : "-");
  tell("privacy", device->privacy.on() ? "on" : "off");
  tell("settings", settings->bitrate ? std::to_string(settings->bitrate->value()) : "-");
  tell("wifi", wifi ? std::string(as_text(wifi->ssid)) : "-");
  const auto applied = device->commands.applied();
  tell("command", applied ? std::to_string(applied->value()) : "-");
  // The epoch that this start would begin.
  must(device->epochs.begin(roster != nullptr ? *roster : device->roster_of(1), device->roster.hash()));
  tell("epoch", std::to_string(device->epochs.current()->value() >> 32));
  tell("epochs", std::to_string(counter));
} catch (const std::exception& error) {
  tell("error", error.what());
}

}  // namespace sealcam::test
