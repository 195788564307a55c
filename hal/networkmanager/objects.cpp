// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/objects.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"

namespace sealcam::hal::networkmanager {

static constexpr auto access_point_interface = "org.freedesktop.NetworkManager.AccessPoint";
static constexpr std::uint32_t psk = 0x100, sae = 0x400;  // NM80211ApSecurityFlags

void AccessPoints::query(Bus& bus, const std::string& adapter, ByteView ssid, Done done) {
  bus_ = &bus;
  ssid_ = ssid;
  done_ = std::move(done);
  found_ = Authentication::unknown;
  bus_->call(
      bus_->method(adapter.c_str(), wireless_interface, "GetAllAccessPoints"),
      [this](sd_bus_message& reply) {
        todo_ = read_paths(reply);
        check_next();
      },
      [this](const BusError&) { done_(Authentication::unknown); });
}

void AccessPoints::check_next() {
  if (todo_.empty() || found_ == Authentication::wpa_psk) return done_(found_);
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  auto message = bus_->method(path.c_str(), properties_interface, "GetAll");
  if (message && ::sd_bus_message_append(message.get(), "s", access_point_interface) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this](sd_bus_message& reply) {
        check(reply);
        check_next();
      },
      [this](const BusError&) { check_next(); });  // out of range
}

void AccessPoints::check(sd_bus_message& m) {
  std::uint32_t flags = 0;
  bool same = false;
  if (::sd_bus_message_enter_container(&m, 'a', "{sv}") < 0) return;
  while (::sd_bus_message_enter_container(&m, 'e', "sv") > 0) {
    const char* name = nullptr;
    if (::sd_bus_message_read(&m, "s", &name) < 0) return;
    const std::string_view key = name;
    int r = 0;
    if (key == "Ssid") {
      const void* bytes = nullptr;
      std::size_t size = 0;
      r = ::sd_bus_message_enter_container(&m, 'v', "ay");
      if (r >= 0) r = ::sd_bus_message_read_array(&m, 'y', &bytes, &size);
      if (r >= 0) r = ::sd_bus_message_exit_container(&m);
      same = r >= 0 && std::ranges::equal(ssid_, ByteView(static_cast<const std::byte*>(bytes), size));
    } else if (key == "WpaFlags" || key == "RsnFlags") {
      std::uint32_t more = 0;
      r = ::sd_bus_message_read(&m, "v", "u", &more);
      flags |= more;
    } else {
      r = ::sd_bus_message_skip(&m, "v");
    }
    if (r < 0 || ::sd_bus_message_exit_container(&m) < 0) return;
  }
  if (!same) return;
  if ((flags & psk) != 0) found_ = Authentication::wpa_psk;
  else if ((flags & sae) != 0) found_ = Authentication::only_wpa3;
}

static constexpr std::uint32_t wireless = 2;  // NM_DEVICE_TYPE_WIFI

std::optional<WifiAdapter> read_adapter(const std::string& path, sd_bus_message& properties) {
  std::uint32_t type = 0, state = 0;
  if (::sd_bus_message_enter_container(&properties, 'a', "{sv}") < 0) return std::nullopt;
  while (::sd_bus_message_enter_container(&properties, 'e', "sv") > 0) {
    const char* name = nullptr;
    if (::sd_bus_message_read(&properties, "s", &name) < 0) return std::nullopt;
    const std::string_view key = name;
    int r = 0;
    if (key == "DeviceType") r = ::sd_bus_message_read(&properties, "v", "u", &type);
    else if (key == "State") r = ::sd_bus_message_read(&properties, "v", "u", &state);
    else r = ::sd_bus_message_skip(&properties, "v");
    if (r < 0 || ::sd_bus_message_exit_container(&properties) < 0) return std::nullopt;
  }
  if (type != wireless) return std::nullopt;
  return WifiAdapter{path, static_cast<WifiAdapterState>(state)};
}

std::expected<WifiAdapter, JoinFault> choose(const std::vector<WifiAdapter>& adapters) {
  const auto best = std::ranges::max_element(adapters, {}, &WifiAdapter::state);
  if (best == adapters.end() || best->state <= WifiAdapterState::unmanaged)
    return std::unexpected(JoinFault::no_adapter);
  if (best->state <= WifiAdapterState::unavailable) return std::unexpected(JoinFault::switched_off);
  return *best;
}

JoinFault fault_of(std::uint32_t reason) noexcept {
  switch (reason) {
    case 7:  // NO_SECRETS: NetworkManager needs another passphrase
    case 8:  // SUPPLICANT_DISCONNECT
      return JoinFault::rejected;
    case 11:  // SUPPLICANT_TIMEOUT
    case 53:  // SSID_NOT_FOUND
      return JoinFault::not_found;
    case 5:   // IP_CONFIG_UNAVAILABLE
    case 6:   // IP_CONFIG_EXPIRED
    case 15:  // DHCP_START_FAILED
    case 16:  // DHCP_ERROR
    case 17:  // DHCP_FAILED
      return JoinFault::no_address;
    default: return JoinFault::other;
  }
}

JoinFault fault_of(WifiAdapterState reached) noexcept {
  if (reached >= WifiAdapterState::activated) return JoinFault::other;
  if (reached >= WifiAdapterState::ip_config) return JoinFault::no_address;
  if (reached >= WifiAdapterState::need_auth) return JoinFault::rejected;
  return JoinFault::not_found;
}

namespace {

constexpr int before_others = 10;  // autoconnect-priority, above other profiles

int open_section(sd_bus_message& m, const char* name) {
  int r = ::sd_bus_message_open_container(&m, 'e', "sa{sv}");
  if (r >= 0) r = ::sd_bus_message_append(&m, "s", name);
  if (r >= 0) r = ::sd_bus_message_open_container(&m, 'a', "{sv}");
  return r;
}

int close_section(sd_bus_message& m) {
  const int r = ::sd_bus_message_close_container(&m);
  return r < 0 ? r : ::sd_bus_message_close_container(&m);
}

int put(sd_bus_message& m, const char* key, const char* value) {
  return ::sd_bus_message_append(&m, "{sv}", key, "s", value);
}

int put_bytes(sd_bus_message& m, const char* key, ByteView bytes) {
  int r = ::sd_bus_message_open_container(&m, 'e', "sv");
  if (r >= 0) r = ::sd_bus_message_append(&m, "s", key);
  if (r >= 0) r = ::sd_bus_message_open_container(&m, 'v', "ay");
  if (r >= 0) r = ::sd_bus_message_append_array(&m, 'y', bytes.data(), bytes.size());
  if (r >= 0) r = ::sd_bus_message_close_container(&m);
  if (r >= 0) r = ::sd_bus_message_close_container(&m);
  return r;
}

int put_connection(sd_bus_message& m, const std::string& uuid) {
  int r = open_section(m, "connection");
  if (r >= 0) r = put(m, "id", profile_name);
  if (r >= 0) r = put(m, "uuid", uuid.c_str());
  if (r >= 0) r = put(m, "type", "802-11-wireless");
  if (r >= 0) r = ::sd_bus_message_append(&m, "{sv}", "autoconnect", "b", 1);
  if (r >= 0) r = ::sd_bus_message_append(&m, "{sv}", "autoconnect-priority", "i", before_others);
  return r < 0 ? r : close_section(m);
}

int put_wireless(sd_bus_message& m, ByteView ssid) {
  int r = open_section(m, "802-11-wireless");
  if (r >= 0) r = put_bytes(m, "ssid", ssid);
  if (r >= 0) r = put(m, "mode", "infrastructure");
  return r < 0 ? r : close_section(m);
}

int put_security(sd_bus_message& m, std::string_view passphrase, bool only_wpa3) {
  std::string text(passphrase);  // with a terminating zero
  int r = open_section(m, "802-11-wireless-security");
  if (r >= 0) r = put(m, "key-mgmt", only_wpa3 ? "sae" : "wpa-psk");
  if (r >= 0) r = put(m, "psk", text.c_str());
  wipe(std::as_writable_bytes(std::span(text)));
  return r < 0 ? r : close_section(m);
}

int put_automatic(sd_bus_message& m, const char* protocol) {
  int r = open_section(m, protocol);
  if (r >= 0) r = put(m, "method", "auto");
  return r < 0 ? r : close_section(m);
}

}  // namespace

int append_profile(sd_bus_message& message, const std::string& uuid, ByteView ssid, std::string_view passphrase,
                   bool only_wpa3) {
  int r = ::sd_bus_message_sensitive(&message);
  if (r >= 0) r = ::sd_bus_message_open_container(&message, 'a', "{sa{sv}}");
  if (r >= 0) r = put_connection(message, uuid);
  if (r >= 0) r = put_wireless(message, ssid);
  if (r >= 0) r = put_security(message, passphrase, only_wpa3);
  if (r >= 0) r = put_automatic(message, "ipv4");
  if (r >= 0) r = put_automatic(message, "ipv6");
  return r < 0 ? r : ::sd_bus_message_close_container(&message);
}

bool is_ours(sd_bus_message& m) {
  if (::sd_bus_message_enter_container(&m, 'a', "{sa{sv}}") < 0) return false;
  while (::sd_bus_message_enter_container(&m, 'e', "sa{sv}") > 0) {
    const char* section = nullptr;
    if (::sd_bus_message_read(&m, "s", &section) < 0) return false;
    if (std::string_view(section) != "connection") {
      if (::sd_bus_message_skip(&m, "a{sv}") < 0 || ::sd_bus_message_exit_container(&m) < 0) return false;
      continue;
    }
    if (::sd_bus_message_enter_container(&m, 'a', "{sv}") < 0) return false;
    while (::sd_bus_message_enter_container(&m, 'e', "sv") > 0) {
      const char* key = nullptr;
      const char* value = nullptr;
      if (::sd_bus_message_read(&m, "s", &key) < 0) return false;
      if (std::string_view(key) == "id")
        return ::sd_bus_message_read(&m, "v", "s", &value) > 0 && std::string_view(value) == profile_name;
      if (::sd_bus_message_skip(&m, "v") < 0 || ::sd_bus_message_exit_container(&m) < 0) return false;
    }
    return false;
  }
  return false;
}

bool is_unsaved(sd_bus_message& m) {
  int unsaved = 0;
  std::string_view file;  // in the message
  if (::sd_bus_message_enter_container(&m, 'a', "{sv}") < 0) return false;
  while (::sd_bus_message_enter_container(&m, 'e', "sv") > 0) {
    const char* name = nullptr;
    const char* text = "";
    if (::sd_bus_message_read(&m, "s", &name) < 0) return false;
    const std::string_view key = name;
    int r = 0;
    if (key == "Unsaved") r = ::sd_bus_message_read(&m, "v", "b", &unsaved);
    else if (key == "Filename") r = ::sd_bus_message_read(&m, "v", "s", &text);
    else r = ::sd_bus_message_skip(&m, "v");
    if (r < 0 || ::sd_bus_message_exit_container(&m) < 0) return false;
    if (key == "Filename") file = text;
  }
  return unsaved != 0 && !file.substr(file.rfind('/') + 1).starts_with("netplan-");
}

void StaleProfiles::remove(Bus& bus, Done done) {
  bus_ = &bus;
  done_ = std::move(done);
  found_ = false;
  bus_->call(
      bus_->method(settings_path, settings_interface, "ListConnections"),
      [this](sd_bus_message& reply) {
        bus_->pin(reply);
        todo_ = read_paths(reply);
        check_next();
      },
      [this](const BusError& rejection) { done_(std::unexpected(rejection)); });
}

void StaleProfiles::check_next() {
  if (todo_.empty()) return done_(found_);
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  bus_->call(
      bus_->method(path.c_str(), profile_interface, "GetSettings"),
      [this, path](sd_bus_message& reply) {
        if (is_ours(reply)) query_saved(path);
        else check_next();
      },
      [this](const BusError&) { check_next(); });  // not visible to this user, or deleted
}

void StaleProfiles::query_saved(const std::string& path) {
  auto message = bus_->method(path.c_str(), properties_interface, "GetAll");
  if (message && ::sd_bus_message_append(message.get(), "s", profile_interface) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this, path](sd_bus_message& reply) {
        if (is_unsaved(reply)) drop(path);
        else check_next();
      },
      [this](const BusError& rejection) {
        if (rejection.gone) check_next();
        else done_(std::unexpected(rejection));
      });
}

void StaleProfiles::drop(const std::string& path) {
  bus_->call(
      bus_->method(path.c_str(), profile_interface, "Delete"),
      [this](sd_bus_message&) {
        found_ = true;
        check_next();
      },
      [this](const BusError& rejection) {
        if (rejection.gone) check_next();
        else done_(std::unexpected(rejection));
      });
}

}  // namespace sealcam::hal::networkmanager
