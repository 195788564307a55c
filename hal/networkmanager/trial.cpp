// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/trial.hpp"

#include <systemd/sd-id128.h>

#include <algorithm>
#include <utility>

namespace sealcam::hal::networkmanager {

using namespace std::chrono_literals;

namespace {

constexpr auto search_limit = 20s;
constexpr auto pause = 1s;  // between two searches
// A card that failed is put back by NetworkManager in a moment; what a rollback activates before that is lost.
constexpr auto after_failure = 2s;
constexpr auto look_interval = 500ms;                // whether it is joined
constexpr auto settling = 15s;                       // a card whose network was deleted finds the next one by itself
constexpr auto recovery_limit = 2min;                // until a NetworkManager that went away is back
constexpr std::uint32_t delete_new_profiles = 0x02;  // NMCheckpointCreateFlags
constexpr std::uint32_t in_memory = 0x02, not_yet_by_itself = 0x20;  // NMSettingsAddConnection2Flags
constexpr std::uint32_t to_disk = 0x01;                              // NMSettingsUpdate2Flags
constexpr std::uint32_t activating = 1, activated = 2;               // NMActiveConnectionState

}  // namespace

NetworkManager::Trial::Trial(const Clock& clock, std::string address, ByteView ssid, std::string_view passphrase,
                             std::chrono::seconds limit)
    : clock_(clock),
      address_(std::move(address)),
      ssid_(ssid.begin(), ssid.end()),
      passphrase_size_(passphrase.size()),
      limit_(limit),
      begun_(clock.monotonic()),
      again_at_(begun_),
      search_limit_(search_limit) {
  std::ranges::copy(as_bytes(passphrase), passphrase_.fill().begin());
  sd_id128_t id{};
  std::array<char, SD_ID128_UUID_STRING_MAX> text{};
  if (::sd_id128_randomize(&id) >= 0) uuid_ = ::sd_id128_to_uuid_string(id, text.data());
}

NetworkManager::Trial::Trial(const Clock& clock, std::string address)
    : clock_(clock),
      address_(std::move(address)),
      begun_(clock.monotonic()),
      again_at_(begun_),
      search_limit_(0),
      forgetting_(true) {}

void NetworkManager::Trial::step() {
  if (over_) return;
  if (bus_) {
    if (const auto r = bus_->process(); !r) {
      bus_.reset();
      if (searching_) return not_yet({.fault = JoinFault::unmanaged, .words = r.error().what});
      return lost();
    }
  }
  if (over_ || clock_.monotonic() < again_at_ || (bus_ && bus_->busy())) return;
  if (recover_until_) recover();
  else if (std::exchange(failed_, false)) roll_back();
  else if (searching_) search();
  else if (!keeping_ && !leaving_ && !forgetting_) ask_whether_joined();
}

void NetworkManager::Trial::not_yet(const Refusal& why) {
  if (forgetting_) return finish(Phase::idle);
  missing_ = why;
  if (clock_.monotonic() - begun_ >= search_limit_) return give_up(why.fault, why.words);
  again_at_ = clock_.monotonic() + pause;
}

void NetworkManager::Trial::search() {
  if (!bus_) {
    auto bus = Bus::connect(address_);
    if (!bus) return not_yet({.fault = JoinFault::unmanaged, .words = bus.error().what});
    bus_ = std::move(*bus);
  }
  bus_->stay_with_none();
  if (forgetting_) {
    searching_ = false;
    return list_profiles();
  }
  cards_.clear();
  bus_->call(
      bus_->method(manager_path, manager_interface, "GetDevices"),
      [this](sd_bus_message& reply) {
        bus_->stay_with(reply);
        todo_ = read_paths(reply);
        look_at_next_card();
      },
      [this](const Refusal& refusal) { not_yet(refusal); });
}

void NetworkManager::Trial::look_at_next_card() {
  if (todo_.empty()) return decide();
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  auto message = bus_->method(path.c_str(), properties_interface, "GetAll");
  if (message && ::sd_bus_message_append(message.get(), "s", device_interface) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this, path](sd_bus_message& reply) {
        if (const auto card = read_card(path, reply)) cards_.push_back(*card);
        look_at_next_card();
      },
      [this](const Refusal&) { look_at_next_card(); });  // unplugged meanwhile
}

void NetworkManager::Trial::decide() {
  const auto card = choose(cards_);
  if (!card) return not_yet({.fault = card.error()});
  card_ = card->path;
  if (settled_by_ && card->state != CardState::activated && clock_.monotonic() < *settled_by_) {
    again_at_ = clock_.monotonic() + pause;
    return;
  }
  clear_leftovers();
}

/// A checkpoint of a network that was never proven would lead back to it. Nor must it lead to nothing, as it would
/// while the card is between two networks.
void NetworkManager::Trial::clear_leftovers() {
  leftovers_.remove(*bus_, [this](const std::expected<bool, Refusal>& found) {
    if (!found && found.error().fault == JoinFault::not_permitted)
      return give_up(found.error().fault, found.error().words);
    if (!found) return not_yet(found.error());
    if (!*found) return make_checkpoint();
    if (settled_by_) return not_yet({.words = "another process adds networks of this name"});
    settled_by_ = clock_.monotonic() + settling;
    again_at_ = clock_.monotonic() + pause;
  });
}

/// The checkpoint of a trial that another process began is still there: NetworkManager takes that one back in time.
void NetworkManager::Trial::make_checkpoint() {
  auto message = bus_->method(manager_path, manager_interface, "CheckpointCreate");
  if (message && ::sd_bus_message_append(message.get(), "aouu", 1, card_.c_str(),
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
      [this](const Refusal& refusal) {
        if (refusal.fault == JoinFault::not_permitted) return give_up(refusal.fault, refusal.words);
        search_limit_ = search_limit + limit_;  // the other one's time
        not_yet(refusal);
      });
}

Bus::Otherwise NetworkManager::Trial::or_give_up() {
  return [this](const Refusal& refusal) { give_up(refusal.fault, refusal.words); };
}

void NetworkManager::Trial::add_profile() {
  auto message = bus_->method(settings_path, settings_interface, "AddConnection2");
  const auto passphrase = as_text(ByteView(passphrase_.reveal()).first(passphrase_size_));
  if (message && (append_profile(*message, uuid_, ssid_, passphrase) < 0 ||
                  ::sd_bus_message_append(message.get(), "ua{sv}", in_memory | not_yet_by_itself, 0) < 0))
    message.reset();
  passphrase_ = {};
  bus_->call(
      std::move(message),
      [this](sd_bus_message& reply) {
        profile_ = read_path(reply);
        activate();
      },
      or_give_up());
}

void NetworkManager::Trial::activate() {
  const auto watched =
      bus_->watch(card_, device_interface, "StateChanged", [this](sd_bus_message& signal) { card_changed(signal); });
  if (!watched) return give_up(JoinFault::other, watched.error().what);
  auto message = bus_->method(manager_path, manager_interface, "ActivateConnection");
  if (message && ::sd_bus_message_append(message.get(), "ooo", profile_.c_str(), card_.c_str(), "/") < 0)
    message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message& reply) {
        active_ = read_path(reply);
        again_at_ = clock_.monotonic() + look_interval;
      },
      or_give_up());
}

/// How far an activation comes, and why it fails, is only ever said here.
void NetworkManager::Trial::card_changed(sd_bus_message& signal) {
  std::uint32_t now = 0, before = 0, reason = 0;
  if (::sd_bus_message_read(&signal, "uuu", &now, &before, &reason) <= 0) return;
  if (leaving_ || over_ || kept_) return;
  const auto state = static_cast<CardState>(now);
  if (state == CardState::failed) {
    bus_->forget();
    leaving_ = failed_ = true;
    progress_.fault = fault_of(reason);
    again_at_ = clock_.monotonic() + after_failure;
    return;
  }
  // The earlier network's end comes first.
  if (state > CardState::disconnected && state <= CardState::activated) reached_ = state;
  if (state == CardState::ip_config) progress_.since = clock_.monotonic();
}

void NetworkManager::Trial::ask_whether_joined() {
  again_at_ = clock_.monotonic() + look_interval;
  if (active_.empty()) return;
  bus_->call(
      bus_->get(active_, active_interface, "State"),
      [this](sd_bus_message& reply) { joined_or_not(read_number(reply)); },
      [this](const Refusal& refusal) {
        if (refusal.gone) joined_or_not(0);
        else give_up(refusal.fault, refusal.words);
      });
}

void NetworkManager::Trial::joined_or_not(std::uint32_t state) {
  if (state == activated) {
    if (keeping_) return save();
    if (progress_.phase != Phase::joined && reached_ < CardState::ip_config) progress_.since = clock_.monotonic();
    progress_.phase = Phase::joined;
  } else if (state == activating && !keeping_) {
    progress_.phase = Phase::joining;
  } else {
    give_up(progress_.phase == Phase::joined ? JoinFault::other : fault_of(reached_), "the network was left again");
  }
}

void NetworkManager::Trial::keep() {
  if (progress_.phase != Phase::joined || keeping_ || leaving_) return;
  keeping_ = true;
  // Whatever the broker was reached over: only this network is kept, and only if it is there.
  ask_whether_joined();
}

/// As it is: NetworkManager cannot go back to a network whose profile was changed since it was joined, as a later trial
/// may want.
void NetworkManager::Trial::save() {
  auto message = bus_->method(profile_.c_str(), profile_interface, "Update2");
  if (message && ::sd_bus_message_append(message.get(), "a{sa{sv}}ua{sv}", 0, to_disk, 0) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message&) {
        stored_ = true;
        destroy_checkpoint();
      },
      or_give_up());
}

void NetworkManager::Trial::destroy_checkpoint() {
  auto message = bus_->method(manager_path, manager_interface, "CheckpointDestroy");
  if (message && ::sd_bus_message_append(message.get(), "o", checkpoint_.c_str()) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message&) {
        kept_ = true;
        list_profiles();
      },
      or_give_up());
}

/// From here on the network is kept, whatever is refused. Ours but this one go.
void NetworkManager::Trial::list_profiles() {
  bus_->call(
      bus_->method(settings_path, settings_interface, "ListConnections"),
      [this](sd_bus_message& reply) {
        bus_->stay_with(reply);
        todo_ = read_paths(reply);
        std::erase(todo_, profile_);
        look_at_next_profile();
      },
      [this](const Refusal&) { finish(Phase::kept); });
}

void NetworkManager::Trial::look_at_next_profile() {
  if (todo_.empty()) return finish(Phase::kept);
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  bus_->call(
      bus_->method(path.c_str(), profile_interface, "GetSettings"),
      [this, path](sd_bus_message& reply) {
        if (is_ours(reply)) remove(path, &Trial::look_at_next_profile);
        else look_at_next_profile();
      },
      [this](const Refusal&) { look_at_next_profile(); });
}

void NetworkManager::Trial::remove(const std::string& profile, Chain then) {
  bus_->call(
      bus_->method(profile.c_str(), profile_interface, "Delete"), [this, then](sd_bus_message&) { (this->*then)(); },
      [this, then](const Refusal&) { (this->*then)(); });
}

void NetworkManager::Trial::leave(JoinFault why) {
  if (over_ || leaving_ || kept_ || forgetting_) return;
  if (why == JoinFault::none) why = searching_ ? missing_.fault : fault_of(reached_);
  if (bus_) bus_->forget();
  give_up(why, "");
}

void NetworkManager::Trial::give_up(JoinFault why, std::string detail) {
  if (leaving_ || over_) return;
  leaving_ = true;
  progress_.fault = why;
  progress_.detail = std::move(detail);
  if (checkpoint_.empty() || !bus_) return finish(Phase::back);
  roll_back();
}

void NetworkManager::Trial::roll_back() {
  auto message = bus_->method(manager_path, manager_interface, "CheckpointRollback");
  if (message && ::sd_bus_message_append(message.get(), "o", checkpoint_.c_str()) < 0) message.reset();
  bus_->call(
      std::move(message), [this](sd_bus_message&) { delete_profile(); },
      [this](const Refusal& refusal) {
        if (refusal.fault == JoinFault::unmanaged || profile_.empty()) lost();
        else delete_profile();
      });
}

/// It is gone with the rollback; where it is not, it must not stay.
void NetworkManager::Trial::delete_profile() {
  if (profile_.empty()) return finish(Phase::back);
  bus_->call(
      bus_->method(profile_.c_str(), profile_interface, "Delete"), [this](sd_bus_message&) { finish(Phase::back); },
      [this](const Refusal& refusal) {
        if (refusal.gone || refusal.fault == JoinFault::not_permitted) finish(Phase::back);
        else lost();
      });
}

/// NetworkManager, or the bus, went away with the checkpoint. What was stored is kept; else the profile comes back with
/// NetworkManager, and must go.
void NetworkManager::Trial::lost() {
  if (kept_ || stored_ || forgetting_) return finish(Phase::kept);
  if (!recover_until_) recover_until_ = clock_.monotonic() + recovery_limit;
  leaving_ = true;
  progress_.phase = Phase::joining;
  if (progress_.fault == JoinFault::none || progress_.fault == JoinFault::unmanaged) {
    progress_.fault = JoinFault::other;
    progress_.detail = "NetworkManager went away during the trial";
  }
}

/// Once a second, until the leftovers are gone. What does not succeed in time is for the next trial to do.
void NetworkManager::Trial::recover() {
  if (clock_.monotonic() >= *recover_until_) return finish(Phase::back);
  again_at_ = clock_.monotonic() + pause;
  if (!bus_) {
    auto bus = Bus::connect(address_);
    if (!bus) return;
    bus_ = std::move(*bus);
  }
  bus_->stay_with_none();
  leftovers_.remove(*bus_, [this](const std::expected<bool, Refusal>& found) {
    if (found || found.error().fault == JoinFault::not_permitted) finish(Phase::back);
  });
}

void NetworkManager::Trial::finish(Phase phase) {
  progress_.phase = forgetting_ ? Phase::idle : phase;
  if (phase == Phase::kept) progress_.fault = JoinFault::none;
  over_ = true;
}

}  // namespace sealcam::hal::networkmanager
