// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/join_attempt.hpp"

#include <systemd/sd-id128.h>

#include <algorithm>
#include <utility>

namespace sealcam::hal::networkmanager {

using namespace std::chrono_literals;

namespace {

constexpr auto search_limit = 20s;
constexpr auto pause = 1s;  // between two searches
constexpr auto scan_limit = 10s;
// After a failure, NetworkManager resets the adapter. A rollback before that has no effect.
constexpr auto after_failure = 2s;
constexpr auto query_interval = 500ms;               // between queries of the state
constexpr auto settling = 15s;                       // until the adapter joins another network after a deletion
constexpr auto recovery_limit = 2min;                // for a restart of NetworkManager
constexpr std::uint32_t delete_new_profiles = 0x02;  // NMCheckpointCreateFlags
constexpr std::uint32_t in_memory = 0x02, no_autoconnect = 0x20;  // NMSettingsAddConnection2Flags
constexpr std::uint32_t to_disk = 0x01;                           // NMSettingsUpdate2Flags
constexpr std::uint32_t activating = 1, activated = 2;            // NMActiveConnectionState

}  // namespace

NetworkManager::JoinAttempt::JoinAttempt(const Clock& clock, std::string address, ByteView ssid,
                                         std::string_view passphrase, std::chrono::seconds limit)
    : clock_(clock),
      address_(std::move(address)),
      ssid_(ssid.begin(), ssid.end()),
      passphrase_size_(passphrase.size()),
      limit_(limit),
      started_(clock.monotonic()),
      next_step_(started_),
      search_limit_(search_limit) {
  std::ranges::copy(as_bytes(passphrase), passphrase_.fill().begin());
  sd_id128_t id{};
  std::array<char, SD_ID128_UUID_STRING_MAX> text{};
  if (::sd_id128_randomize(&id) >= 0) uuid_ = ::sd_id128_to_uuid_string(id, text.data());
}

NetworkManager::JoinAttempt::JoinAttempt(const Clock& clock, std::string address)
    : clock_(clock),
      address_(std::move(address)),
      started_(clock.monotonic()),
      next_step_(started_),
      search_limit_(0),
      deleting_all_(true) {}

void NetworkManager::JoinAttempt::step() {
  if (over_) return;
  if (bus_) {
    if (const auto r = bus_->process(); !r) {
      bus_.reset();
      if (searching_) return retry_later({.fault = JoinFault::unmanaged, .text = r.error().what});
      return lost();
    }
  }
  if (over_ || clock_.monotonic() < next_step_ || (bus_ && bus_->busy())) return;
  if (recover_until_) recover();
  else if (std::exchange(failed_, false)) roll_back();
  else if (searching_) search();
  else if (!keeping_ && !leaving_ && !deleting_all_) query_state();
}

void NetworkManager::JoinAttempt::retry_later(const BusError& why) {
  if (deleting_all_) return finish(Phase::idle);
  search_error_ = why;
  if (clock_.monotonic() - started_ >= search_limit_) return give_up(why.fault, why.text);
  next_step_ = clock_.monotonic() + pause;
}

void NetworkManager::JoinAttempt::search() {
  if (!bus_) {
    auto bus = Bus::connect(address_);
    if (!bus) return retry_later({.fault = JoinFault::unmanaged, .text = bus.error().what});
    bus_ = std::move(*bus);
  }
  bus_->unpin();
  if (deleting_all_) {
    searching_ = false;
    return list_profiles();
  }
  adapters_.clear();
  bus_->call(
      bus_->method(manager_path, manager_interface, "GetDevices"),
      [this](sd_bus_message& reply) {
        bus_->pin(reply);
        todo_ = read_paths(reply);
        examine_next_adapter();
      },
      [this](const BusError& rejection) { retry_later(rejection); });
}

void NetworkManager::JoinAttempt::examine_next_adapter() {
  if (todo_.empty()) return decide();
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  auto message = bus_->method(path.c_str(), properties_interface, "GetAll");
  if (message && ::sd_bus_message_append(message.get(), "s", device_interface) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this, path](sd_bus_message& reply) {
        if (const auto adapter = read_adapter(path, reply)) adapters_.push_back(*adapter);
        examine_next_adapter();
      },
      [this](const BusError&) { examine_next_adapter(); });  // unplugged
}

void NetworkManager::JoinAttempt::decide() {
  const auto adapter = choose(adapters_);
  if (!adapter) return retry_later({.fault = adapter.error()});
  adapter_ = adapter->path;
  if (settled_by_ && adapter->state != WifiAdapterState::activated && clock_.monotonic() < *settled_by_) {
    next_step_ = clock_.monotonic() + pause;
    return;
  }
  find_network();
}

/// The profile must fit the access points, or NetworkManager does not return to the network after a power cut. An
/// adapter that is in a network knows few others until it scans. A network that hides its name remains unknown.
void NetworkManager::JoinAttempt::find_network() {
  access_points_.query(*bus_, adapter_, ssid_, [this](Authentication found) {
    authentication_ = found;
    if (found != Authentication::unknown || (scan_until_ && clock_.monotonic() >= *scan_until_))
      return clear_stale_profiles();
    next_step_ = clock_.monotonic() + pause;
    if (scan_until_) return;
    scan_until_ = clock_.monotonic() + scan_limit;
    auto message = bus_->method(adapter_.c_str(), wireless_interface, "RequestScan");
    if (message && ::sd_bus_message_append(message.get(), "a{sv}", 0) < 0) message.reset();
    // Another scan may run already.
    bus_->call(std::move(message), [](sd_bus_message&) {}, [](const BusError&) {});
  });
}

/// A checkpoint must not lead back to a stale profile. It must also not lead back to no network, so wait until the
/// adapter has joined one.
void NetworkManager::JoinAttempt::clear_stale_profiles() {
  stale_profiles_.remove(*bus_, [this](const std::expected<bool, BusError>& found) {
    if (!found && found.error().fault == JoinFault::not_permitted)
      return give_up(found.error().fault, found.error().text);
    if (!found) return retry_later(found.error());
    if (!*found) return make_checkpoint();
    if (settled_by_) return retry_later({.text = "another process adds profiles with this name"});
    settled_by_ = clock_.monotonic() + settling;
    next_step_ = clock_.monotonic() + pause;
  });
}

/// This fails while the checkpoint of an earlier process exists. NetworkManager rolls that one back at its limit.
void NetworkManager::JoinAttempt::make_checkpoint() {
  auto message = bus_->method(manager_path, manager_interface, "CheckpointCreate");
  if (message && ::sd_bus_message_append(message.get(), "aouu", 1, adapter_.c_str(),
                                         static_cast<std::uint32_t>(limit_.count()), delete_new_profiles) < 0)
    message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message& reply) {
        checkpoint_ = read_path(reply);
        searching_ = false;
        progress_.phase = Phase::joining;
        add_profile();
      },
      [this](const BusError& rejection) {
        if (rejection.fault == JoinFault::not_permitted) return give_up(rejection.fault, rejection.text);
        search_limit_ = search_limit + limit_;  // the limit of the other checkpoint
        retry_later(rejection);
      });
}

Bus::Fallback NetworkManager::JoinAttempt::fallback_to_rollback() {
  return [this](const BusError& rejection) { give_up(rejection.fault, rejection.text); };
}

void NetworkManager::JoinAttempt::add_profile() {
  auto message = bus_->method(settings_path, settings_interface, "AddConnection2");
  const auto passphrase = as_text(ByteView(passphrase_.reveal()).first(passphrase_size_));
  if (message &&
      (append_profile(*message, uuid_, ssid_, passphrase, authentication_ == Authentication::only_wpa3) < 0 ||
       ::sd_bus_message_append(message.get(), "ua{sv}", in_memory | no_autoconnect, 0) < 0))
    message.reset();
  passphrase_ = {};
  bus_->call(
      std::move(message),
      [this](sd_bus_message& reply) {
        profile_ = read_path(reply);
        activate();
      },
      fallback_to_rollback());
}

void NetworkManager::JoinAttempt::activate() {
  const auto watched = bus_->watch(adapter_, device_interface, "StateChanged",
                                   [this](sd_bus_message& signal) { adapter_changed(signal); });
  if (!watched) return give_up(JoinFault::other, watched.error().what);
  auto message = bus_->method(manager_path, manager_interface, "ActivateConnection");
  if (message && ::sd_bus_message_append(message.get(), "ooo", profile_.c_str(), adapter_.c_str(), "/") < 0)
    message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message& reply) {
        active_ = read_path(reply);
        next_step_ = clock_.monotonic() + query_interval;
      },
      fallback_to_rollback());
}

/// Only this signal has the progress and the failure of an activation.
void NetworkManager::JoinAttempt::adapter_changed(sd_bus_message& signal) {
  std::uint32_t now = 0, before = 0, reason = 0;
  if (::sd_bus_message_read(&signal, "uuu", &now, &before, &reason) <= 0) return;
  if (leaving_ || over_ || kept_) return;
  const auto state = static_cast<WifiAdapterState>(now);
  if (state == WifiAdapterState::failed) {
    bus_->forget();
    leaving_ = failed_ = true;
    progress_.fault = fault_of(reason);
    next_step_ = clock_.monotonic() + after_failure;
    return;
  }
  // The first signals are of the earlier network.
  if (state > WifiAdapterState::disconnected && state <= WifiAdapterState::activated) reached_ = state;
  if (state == WifiAdapterState::ip_config) progress_.since = clock_.monotonic();
}

void NetworkManager::JoinAttempt::query_state() {
  next_step_ = clock_.monotonic() + query_interval;
  if (active_.empty()) return;
  bus_->call(
      bus_->get(active_, active_interface, "State"), [this](sd_bus_message& reply) { on_state(read_number(reply)); },
      [this](const BusError& rejection) {
        if (rejection.gone) on_state(0);
        else give_up(rejection.fault, rejection.text);
      });
}

void NetworkManager::JoinAttempt::on_state(std::uint32_t state) {
  if (state == activated) {
    if (keeping_) return save();
    if (progress_.phase != Phase::joined && reached_ < WifiAdapterState::ip_config)
      progress_.since = clock_.monotonic();
    progress_.phase = Phase::joined;
  } else if (state == activating && !keeping_) {
    progress_.phase = Phase::joining;
  } else {
    give_up(progress_.phase == Phase::joined ? JoinFault::other : fault_of(reached_), "the adapter left the network");
  }
}

void NetworkManager::JoinAttempt::keep() {
  if (progress_.phase != Phase::joined || keeping_ || leaving_) return;
  keeping_ = true;
  // Stores the network only if the adapter is still in it.
  query_state();
}

/// Does not change the profile, because NetworkManager cannot roll back to a network whose profile changed after the
/// join.
void NetworkManager::JoinAttempt::save() {
  auto message = bus_->method(profile_.c_str(), profile_interface, "Update2");
  if (message && ::sd_bus_message_append(message.get(), "a{sa{sv}}ua{sv}", 0, to_disk, 0) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message&) {
        stored_ = true;
        destroy_checkpoint();
      },
      fallback_to_rollback());
}

void NetworkManager::JoinAttempt::destroy_checkpoint() {
  auto message = bus_->method(manager_path, manager_interface, "CheckpointDestroy");
  if (message && ::sd_bus_message_append(message.get(), "o", checkpoint_.c_str()) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message&) {
        kept_ = true;
        list_profiles();
      },
      fallback_to_rollback());
}

/// The network is stored now; later errors do not matter. Deletes Sealcam's other profiles.
void NetworkManager::JoinAttempt::list_profiles() {
  bus_->call(
      bus_->method(settings_path, settings_interface, "ListConnections"),
      [this](sd_bus_message& reply) {
        bus_->pin(reply);
        todo_ = read_paths(reply);
        std::erase(todo_, profile_);
        check_next_profile();
      },
      [this](const BusError&) { finish(Phase::kept); });
}

void NetworkManager::JoinAttempt::check_next_profile() {
  if (todo_.empty()) return finish(Phase::kept);
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  bus_->call(
      bus_->method(path.c_str(), profile_interface, "GetSettings"),
      [this, path](sd_bus_message& reply) {
        if (is_ours(reply)) remove(path, &JoinAttempt::check_next_profile);
        else check_next_profile();
      },
      [this](const BusError&) { check_next_profile(); });
}

void NetworkManager::JoinAttempt::remove(const std::string& profile, Chain then) {
  bus_->call(
      bus_->method(profile.c_str(), profile_interface, "Delete"), [this, then](sd_bus_message&) { (this->*then)(); },
      [this, then](const BusError&) { (this->*then)(); });
}

void NetworkManager::JoinAttempt::leave(JoinFault why) {
  if (over_ || leaving_ || kept_ || deleting_all_) return;
  if (why == JoinFault::none) why = searching_ ? search_error_.fault : fault_of(reached_);
  if (bus_) bus_->forget();
  give_up(why, "");
}

void NetworkManager::JoinAttempt::give_up(JoinFault why, std::string detail) {
  if (leaving_ || over_) return;
  leaving_ = true;
  progress_.fault = why;
  progress_.detail = std::move(detail);
  if (checkpoint_.empty() || !bus_) return finish(Phase::back);
  roll_back();
}

void NetworkManager::JoinAttempt::roll_back() {
  auto message = bus_->method(manager_path, manager_interface, "CheckpointRollback");
  if (message && ::sd_bus_message_append(message.get(), "o", checkpoint_.c_str()) < 0) message.reset();
  bus_->call(
      std::move(message), [this](sd_bus_message&) { delete_profile(); },
      [this](const BusError& rejection) {
        if (rejection.fault == JoinFault::unmanaged || profile_.empty()) lost();
        else delete_profile();
      });
}

/// The rollback usually deletes the profile. Otherwise delete it here.
void NetworkManager::JoinAttempt::delete_profile() {
  if (profile_.empty()) return finish(Phase::back);
  bus_->call(
      bus_->method(profile_.c_str(), profile_interface, "Delete"), [this](sd_bus_message&) { finish(Phase::back); },
      [this](const BusError& rejection) {
        if (rejection.gone || rejection.fault == JoinFault::not_permitted) finish(Phase::back);
        else lost();
      });
}

/// NetworkManager or the bus ended, and the checkpoint is lost. A stored profile stays. A profile in memory returns
/// with NetworkManager and must be deleted.
void NetworkManager::JoinAttempt::lost() {
  if (kept_ || stored_ || deleting_all_) return finish(Phase::kept);
  if (!recover_until_) recover_until_ = clock_.monotonic() + recovery_limit;
  leaving_ = true;
  progress_.phase = Phase::joining;
  if (progress_.fault == JoinFault::none || progress_.fault == JoinFault::unmanaged) {
    progress_.fault = JoinFault::other;
    progress_.detail = "NetworkManager ended during the join";
  }
}

/// Tries once per second to delete stale profiles. After the limit, the next attempt does it.
void NetworkManager::JoinAttempt::recover() {
  if (clock_.monotonic() >= *recover_until_) return finish(Phase::back);
  next_step_ = clock_.monotonic() + pause;
  if (!bus_) {
    auto bus = Bus::connect(address_);
    if (!bus) return;
    bus_ = std::move(*bus);
  }
  bus_->unpin();
  stale_profiles_.remove(*bus_, [this](const std::expected<bool, BusError>& found) {
    if (found || found.error().fault == JoinFault::not_permitted) finish(Phase::back);
  });
}

void NetworkManager::JoinAttempt::finish(Phase phase) {
  progress_.phase = deleting_all_ ? Phase::idle : phase;
  if (phase == Phase::kept) progress_.fault = JoinFault::none;
  over_ = true;
}

}  // namespace sealcam::hal::networkmanager
