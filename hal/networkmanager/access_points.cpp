// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/access_points.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

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

}  // namespace sealcam::hal::networkmanager
